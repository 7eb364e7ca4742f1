"""Draws or reads the points of a data set and splits them."""

from pathlib import Path

from inflationary_flows.artifacts.job import job
from inflationary_flows.data.splits import make_splits

with job(snakemake.log[0], snakemake.threads) as logger:
    dataset = dict(snakemake.params.dataset)
    if snakemake.input.get("table"):
        dataset["path"] = str(snakemake.input.table)
    splits = make_splits(dataset)
    if "path" in dataset:
        # The file is known by its checksum; where it lies must not change a byte of the results.
        splits.provenance["settings"]["path"] = Path(dataset["path"]).name
    logger.info("%s: sizes %s", snakemake.wildcards.dataset, splits.provenance["sizes"])
    splits.save(snakemake.output.splits, snakemake.output.record)
