"""Measures the round-trip error of images in grey levels."""

from inflationary_flows.artifacts.flow_files import load_flow
from inflationary_flows.data.splits import load_splits
from inflationary_flows.experiments.images.acceleration import accelerate
from inflationary_flows.experiments.images.choice import images_of_split
from inflationary_flows.experiments.images.roundtrip import measure_image_roundtrip
from inflationary_flows.files.tables import write_rows
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job
from inflationary_flows.runtime.states import keep_carried

with job(snakemake):
    params, wildcards = snakemake.params, snakemake.wildcards
    flow = accelerate(
        load_flow(snakemake.input.flow),
        device_for(snakemake.resources),
        batch_size=params.batch_size,
        tf32=params.tf32,
        compiled=params.compile,
    )
    sample_seed = int(wildcards.sample_seed)
    images = images_of_split(load_splits(snakemake.input.splits), params.split)
    files = {"flow": snakemake.input.flow, "splits": snakemake.input.splits}
    seconds = snakemake.resources.checkpoint_seconds
    decisive = {"params": dict(params.items()), "wildcards": dict(wildcards.items())}
    with keep_carried(files, params.state, seconds, **decisive) as checkpoint:
        row = measure_image_roundtrip(
            flow, images, samples=params.samples, sample_seed=sample_seed, checkpoint=checkpoint
        )
    write_rows(
        snakemake.output.table, [row], dataset=wildcards.dataset, schedule=wildcards.schedule, sample_seed=sample_seed
    )
