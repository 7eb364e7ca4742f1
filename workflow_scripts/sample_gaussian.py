"""Draws one shard of images of a Gaussian with the mean and covariance of the data."""

from pathlib import Path

from inflationary_flows.artifacts.bases import load_basis
from inflationary_flows.artifacts.images import save_images
from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.experiments.images.generation import sample_gaussian
from inflationary_flows.files.contact_sheet import save_contact_sheet
from inflationary_flows.runtime.job import job

with job(snakemake):
    params, wildcards = snakemake.params, snakemake.wildcards
    image = ImageFormat(**params.image)
    basis = load_basis(Path(snakemake.input.eigenbasis))
    images = sample_gaussian(
        basis, image, first=params.first, count=params.size, sample_seed=int(wildcards.sample_seed)
    )
    described = {
        "dataset": wildcards.dataset,
        "schedule": "gaussian",
        "seed": wildcards.seed,
        "sample_seed": int(wildcards.sample_seed),
        "first": params.first,
        "levels": image.levels,
        "evaluations": 0,
    }
    save_images(snakemake.output.images, images, described)
    save_contact_sheet(snakemake.output.sheet, images, image.levels)
