"""Compares images with the reference of their data set, by the features of one extractor."""

from inflationary_flows.artifacts.features import load_extractor, load_reference
from inflationary_flows.artifacts.images import evaluations_of, load_images
from inflationary_flows.files.files import sha256_of, write_json
from inflationary_flows.files.tables import write_rows
from inflationary_flows.metrics.frechet import compare, fit_statistics, require_same_extractor
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job

with job(snakemake) as logger:
    params, wildcards = snakemake.params, snakemake.wildcards
    images, parts = load_images(snakemake.input.images)
    reference, split = load_reference(snakemake.input.reference)
    extractor = load_extractor(
        wildcards.extractor,
        str(snakemake.input.weights) or None,
        sha256=params.sha256,
        layer=params.layer,
        device=device_for(snakemake.resources),
    )
    require_same_extractor(extractor.identity, reference.identity)
    levels, evaluations = parts[0]["levels"], evaluations_of(parts)
    statistics = fit_statistics(images, levels, extractor, feature_samples=params.feature_samples)
    comparison = compare(statistics, reference)
    logger.info("%s %.6g of %d images", extractor.identity.metric, comparison.frechet, comparison.n)
    where = {"dataset": wildcards.dataset, "schedule": wildcards.schedule, "seed": int(wildcards.sample_seed)}
    rows = [{**row, "evaluations": evaluations} for row in comparison.table()]
    write_rows(snakemake.output.table, rows, **where)
    protocol = comparison.protocol(
        dataset=wildcards.dataset,
        schedule=wildcards.schedule,
        training_seed=wildcards.seed,
        sample_seed=int(wildcards.sample_seed),
        split=split,
        reference_sha256=sha256_of(snakemake.input.reference),
        shape=list(images.shape[1:]),
        levels=levels,
        evaluations=evaluations,
    )
    write_json(snakemake.output.protocol, protocol)
