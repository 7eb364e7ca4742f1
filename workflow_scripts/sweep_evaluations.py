"""Measures Frechet distance and round-trip error of images at one number of solver steps."""

from inflationary_flows.artifacts.features import load_extractor, load_reference
from inflationary_flows.artifacts.flow_files import load_flow
from inflationary_flows.data.splits import load_splits
from inflationary_flows.experiments.images.acceleration import accelerate
from inflationary_flows.experiments.images.choice import images_of_split
from inflationary_flows.experiments.images.sweep import measure_evaluations
from inflationary_flows.files.tables import write_rows
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job
from inflationary_flows.runtime.states import keep_carried

with job(snakemake):
    params, wildcards = snakemake.params, snakemake.wildcards
    device = device_for(snakemake.resources)
    flow = accelerate(
        load_flow(snakemake.input.flow),
        device,
        batch_size=params.batch_size,
        tf32=params.tf32,
        compiled=params.compile,
    )
    splits = load_splits(snakemake.input.splits)
    reference, _ = load_reference(snakemake.input.reference)
    extractor = load_extractor(
        params.extractor,
        str(snakemake.input.weights) or None,
        sha256=params.sha256,
        layer=params.layer,
        device=device,
    )
    files = {"flow": snakemake.input.flow, "splits": snakemake.input.splits}
    seconds = snakemake.resources.checkpoint_seconds
    decisive = {"params": dict(params.items()), "wildcards": dict(wildcards.items())}
    with keep_carried(files, params.state, seconds, **decisive) as checkpoint:
        rows = measure_evaluations(
            flow,
            images_of_split(splits, params.split),
            splits.image,
            solver=wildcards.solver,
            steps=int(wildcards.steps),
            samples=params.samples,
            roundtrip=params.roundtrip,
            sample_seed=params.sample_seed,
            extractor=extractor,
            reference=reference,
            checkpoint=checkpoint,
        )
    where = {"dataset": wildcards.dataset, "schedule": wildcards.schedule, "sample_seed": params.sample_seed}
    write_rows(snakemake.output.table, rows, **where)
