"""Reads the features of a data set's images and keeps their statistics."""

from inflationary_flows.artifacts.features import load_extractor, save_reference
from inflationary_flows.data.references import reference_images
from inflationary_flows.data.splits import load_splits
from inflationary_flows.files.files import sha256_of, write_json
from inflationary_flows.metrics.frechet import describe, fit_statistics
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job

with job(snakemake) as logger:
    params, wildcards = snakemake.params, snakemake.wildcards
    splits = load_splits(snakemake.input.splits)
    images = reference_images(splits, params.reference)
    extractor = load_extractor(
        wildcards.extractor,
        str(snakemake.input.weights) or None,
        sha256=params.sha256,
        layer=params.layer,
        device=device_for(snakemake.resources),
    )
    statistics = fit_statistics(images, splits.image.levels, extractor, feature_samples=params.feature_samples)
    logger.info("%d images, %d features each", statistics.n, len(statistics.mean))
    save_reference(snakemake.output.reference, statistics, params.reference)
    write_json(
        snakemake.output.protocol,
        {
            "dataset": wildcards.dataset,
            "split": params.reference,
            "n": statistics.n,
            "features_kept": len(statistics.rows),
            "shape": list(images.shape[1:]),
            "levels": splits.image.levels,
            "splits_sha256": sha256_of(snakemake.input.splits),
            **describe(extractor.identity),
        },
    )
