"""Compares the images of a model, draw by draw, with the references of their data set."""

from inflationary_flows.artifacts.features import load_extractor, load_reference
from inflationary_flows.artifacts.images import evaluations_of, load_images
from inflationary_flows.experiments.baselines.images import frechet_rows
from inflationary_flows.experiments.images.frechet import ImageSet, compare_sets
from inflationary_flows.files.files import sha256_of, write_json
from inflationary_flows.files.tables import write_rows
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job


def read_set(file, where):
    images, parts = load_images(file)
    return ImageSet(
        images, parts[0]["levels"], evaluations_of(parts), {**where, "sample_seed": parts[0]["sample_seed"]}
    )


with job(snakemake) as logger:
    params, paths = snakemake.params, snakemake.input
    where = dict(snakemake.wildcards)
    rows, protocols = [], []
    for name, path in zip(params.extractors, paths.references, strict=True):
        reference, split = load_reference(path)
        extractor = load_extractor(
            name,
            paths.get(f"weights_{name}"),
            sha256=params.sha256,
            layer=params.layer,
            device=device_for(snakemake.resources),
        )
        comparisons, of_extractor = compare_sets(
            (read_set(file, where) for file in paths.images),
            extractor,
            reference,
            feature_samples=params.feature_samples,
            split=split,
            reference_sha256=sha256_of(path),
        )
        distances = [comparison.frechet for comparison in comparisons]
        logger.info("%s of each draw: %s", extractor.identity.metric, distances)
        rows += frechet_rows(extractor.identity.metric, distances, comparisons[-1].n)
        protocols += of_extractor
    write_rows(snakemake.output.table, rows, **where)
    write_json(snakemake.output.protocol, protocols)
