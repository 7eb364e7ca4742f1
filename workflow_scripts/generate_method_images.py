"""Generates a set of images by a model."""

from inflationary_flows.artifacts.images import save_images
from inflationary_flows.artifacts.models import load_model
from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.experiments.baselines.images import generate_method_images
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job
from inflationary_flows.runtime.states import keep_carried

with job(snakemake):
    params, wildcards = snakemake.params, snakemake.wildcards
    model = load_model(snakemake.input.model).to(device_for(snakemake.resources))
    image = ImageFormat(**params.image)
    sample_seed = int(wildcards.sample_seed)
    files = {"model": snakemake.input.model}
    seconds = snakemake.resources.checkpoint_seconds
    decisive = {"params": dict(params.items()), "wildcards": dict(wildcards.items())}
    with keep_carried(files, params.state, seconds, **decisive) as checkpoint:
        images = generate_method_images(
            model, image, count=params.samples, sample_seed=sample_seed, checkpoint=checkpoint
        )
        described = {
            "method": wildcards.method,
            "dataset": wildcards.dataset,
            "schedule": wildcards.schedule,
            "seed": wildcards.seed,
            "sample_seed": sample_seed,
            "first": 0,
            "levels": image.levels,
            "evaluations": model.evaluations,
        }
        save_images(snakemake.output.images, images, described)
