"""Generates one shard of a set of images, and a sheet of the first ones."""

from inflationary_flows.artifacts.flow_files import load_flow
from inflationary_flows.artifacts.images import save_images
from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.experiments.images.acceleration import accelerate
from inflationary_flows.experiments.images.generation import generate_images
from inflationary_flows.files.contact_sheet import save_contact_sheet
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
    image = ImageFormat(**params.image)
    sample_seed = int(wildcards.sample_seed)
    files = {"flow": snakemake.input.flow}
    seconds = snakemake.resources.checkpoint_seconds
    decisive = {"params": dict(params.items()), "wildcards": dict(wildcards.items())}
    with keep_carried(files, params.state, seconds, **decisive) as checkpoint:
        images, evaluations = generate_images(
            flow, image, first=params.first, count=params.size, sample_seed=sample_seed, checkpoint=checkpoint
        )
        described = {
            "dataset": wildcards.dataset,
            "schedule": wildcards.schedule,
            "seed": wildcards.seed,
            "sample_seed": sample_seed,
            "first": params.first,
            "levels": image.levels,
            "evaluations": evaluations,
        }
        save_images(snakemake.output.images, images, described)
        save_contact_sheet(snakemake.output.sheet, images, image.levels)
