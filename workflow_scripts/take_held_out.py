"""Takes held-out images as if a flow had made them: what a perfect one would score."""

from inflationary_flows.artifacts.images import save_images
from inflationary_flows.data.splits import load_splits
from inflationary_flows.experiments.images.roundtrip import choose_images
from inflationary_flows.runtime.job import job

with job(snakemake):
    params, wildcards = snakemake.params, snakemake.wildcards
    splits = load_splits(snakemake.input.splits)
    draw = int(wildcards.draw)
    chosen = splits.test.values[choose_images(len(splits.test), params.samples, draw)]
    described = {
        "dataset": wildcards.dataset,
        "schedule": "held_out",
        "seed": wildcards.seed,
        "draw": draw,
        "first": 0,
        "levels": splits.image.levels,
        "evaluations": 0,
    }
    save_images(snakemake.output.images, chosen.reshape(len(chosen), *splits.image.shape), described)
