"""Generates one part of a draw of images."""

from inflationary_flows import Flow
from inflationary_flows.artifacts.devices import device_for
from inflationary_flows.artifacts.features import save_images
from inflationary_flows.artifacts.job import job
from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.experiments.acceleration import accelerate
from inflationary_flows.experiments.generation import generate_images

with job(snakemake.log[0], snakemake.threads):
    params, wildcards = snakemake.params, snakemake.wildcards
    flow = accelerate(
        Flow.load(snakemake.input.flow),
        device_for(snakemake.resources.gpu),
        batch_size=params.batch_size,
        tf32=params.tf32,
        compiled=params.compile,
    )
    image = ImageFormat(**params.image)
    images, evaluations = generate_images(flow, image, first=params.first, count=params.size, draw=int(wildcards.draw))
    described = {
        "dataset": wildcards.dataset,
        "schedule": wildcards.schedule,
        "seed": wildcards.seed,
        "draw": int(wildcards.draw),
        "first": params.first,
        "levels": image.levels,
        "evaluations": evaluations,
    }
    save_images(snakemake.output.images, images, described)
