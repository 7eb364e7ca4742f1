"""Measures the round-trip error of images in grey levels."""

from inflationary_flows import Flow
from inflationary_flows.artifacts.devices import device_for
from inflationary_flows.artifacts.files import sha256_of
from inflationary_flows.artifacts.job import job
from inflationary_flows.artifacts.states import keep_progress
from inflationary_flows.artifacts.tables import write_rows
from inflationary_flows.data.splits import load_splits
from inflationary_flows.experiments.acceleration import accelerate
from inflationary_flows.experiments.image_roundtrip import images_of_split, measure_image_roundtrip
from inflationary_flows.progress import run_digest

with job(snakemake.log[0], snakemake.threads):
    params, wildcards = snakemake.params, snakemake.wildcards
    flow = accelerate(
        Flow.load(snakemake.input.flow),
        device_for(snakemake.resources),
        batch_size=params.batch_size,
        tf32=params.tf32,
        compiled=params.compile,
    )
    draw = int(wildcards.draw)
    images = images_of_split(load_splits(snakemake.input.splits), params.split)
    digest = run_digest(
        flow=sha256_of(snakemake.input.flow),
        splits=sha256_of(snakemake.input.splits),
        images=[params.split, draw, params.samples],
        batch_size=flow.batch_size,
        tf32=params.tf32,
        compile=params.compile,
        source=params.source,
    )
    seconds = snakemake.resources.checkpoint_seconds
    with keep_progress(params.state, digest, seconds, discards=True) as progress:
        row = measure_image_roundtrip(flow, images, samples=params.samples, draw=draw, progress=progress)
    write_rows(snakemake.output.table, [row], dataset=wildcards.dataset, schedule=wildcards.schedule, seed=draw)
