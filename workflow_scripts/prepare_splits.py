"""Draws or reads the points of a data set and splits them."""

from pathlib import Path

from inflationary_flows.data.checksums import verify_file
from inflationary_flows.data.preparation import make_splits, warnings_of
from inflationary_flows.data.tables import understood
from inflationary_flows.runtime.job import job

with job(snakemake) as logger:
    dataset = dict(snakemake.params.dataset)
    files = [str(path) for path in snakemake.input.get("files", [])]
    if files:
        dataset["path"] = files if len(files) > 1 else files[0]
    if snakemake.params.checksum:
        verify_file(files[0], snakemake.params.checksum)
    splits = make_splits(dataset)
    if files:
        # Files are known by their checksums; where they lie must not change a byte of the results.
        names = [Path(file).name for file in files]
        splits.provenance["settings"]["path"] = names if len(names) > 1 else names[0]
    logger.info("%s: sizes %s", snakemake.wildcards.dataset, splits.provenance["sizes"])
    if "table" in splits.provenance:
        logger.info("%s: table read with %s", snakemake.wildcards.dataset, understood(splits.provenance["table"]))
    for warning in warnings_of(splits.provenance):
        logger.warning("%s: %s", snakemake.wildcards.dataset, warning)
    splits.save(snakemake.output.splits, snakemake.output.record)
