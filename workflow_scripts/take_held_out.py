"""Takes held-out images as if a flow had made them: what a perfect one would score."""

from inflationary_flows.artifacts.images import save_images
from inflationary_flows.data.splits import load_splits
from inflationary_flows.experiments.images.choice import choose_images
from inflationary_flows.files.contact_sheet import save_contact_sheet
from inflationary_flows.runtime.job import job

with job(snakemake):
    params, wildcards = snakemake.params, snakemake.wildcards
    splits = load_splits(snakemake.input.splits)
    sample_seed = int(wildcards.sample_seed)
    chosen = splits.test.values[choose_images(len(splits.test), params.samples, sample_seed)]
    described = {
        "dataset": wildcards.dataset,
        "schedule": "held_out",
        "seed": wildcards.seed,
        "sample_seed": sample_seed,
        "first": 0,
        "levels": splits.image.levels,
        "evaluations": 0,
    }
    images = chosen.reshape(len(chosen), *splits.image.shape)
    save_images(snakemake.output.images, images, described)
    save_contact_sheet(snakemake.output.sheet, images, splits.image.levels)
