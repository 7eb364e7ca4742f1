"""Compares images with the reference of their data set, by the features of one extractor."""

from inflationary_flows.artifacts.features import load_extractor, load_reference
from inflationary_flows.artifacts.images import evaluations_of, load_images
from inflationary_flows.experiments.images.frechet import ImageSet, compare_sets
from inflationary_flows.files.files import sha256_of, write_json
from inflationary_flows.files.tables import write_rows
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job

with job(snakemake) as logger:
    params, paths, wildcards = snakemake.params, snakemake.input, snakemake.wildcards
    images, parts = load_images(paths.images)
    # Held-out images are the fewest: as many of each set are compared with them.
    equal_n = len(load_images(paths.held_out)[0]) if paths.held_out else None
    reference, split = load_reference(paths.reference)
    extractor = load_extractor(
        wildcards.extractor,
        str(paths.weights) or None,
        sha256=params.sha256,
        layer=params.layer,
        device=device_for(snakemake.resources),
    )
    sample_seed = int(wildcards.sample_seed)
    model = {"dataset": wildcards.dataset, "schedule": wildcards.schedule, "seed": wildcards.seed}
    where = {**model, "sample_seed": sample_seed}
    (comparison,), (protocol,) = compare_sets(
        [ImageSet(images, parts[0]["levels"], evaluations_of(parts), where)],
        extractor,
        reference,
        feature_samples=params.feature_samples,
        split=split,
        reference_sha256=sha256_of(paths.reference),
        equal_n=equal_n,
    )
    logger.info("%s %.6g of %d images", extractor.identity.metric, comparison.frechet, comparison.n)
    rows = [{**row, "evaluations": protocol["evaluations"]} for row in comparison.table()]
    write_rows(snakemake.output.table, rows, **model, sample_seed=sample_seed)
    write_json(snakemake.output.protocol, protocol)
