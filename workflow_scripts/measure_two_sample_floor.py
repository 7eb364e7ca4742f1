"""Compares fresh points with fresh points."""

from pathlib import Path

from inflationary_flows.artifacts.flows import load_basis
from inflationary_flows.data.splits import load_splits
from inflationary_flows.files.tables import write_rows
from inflationary_flows.metrics.two_sample import measure_floor, standardise
from inflationary_flows.runtime.job import job

with job(snakemake):
    splits = load_splits(snakemake.input.splits)
    basis = load_basis(Path(snakemake.input.eigenbasis))
    rows = measure_floor(
        standardise(splits.validation, basis),
        standardise(splits.test, basis),
        samples=snakemake.params.samples,
        seed=snakemake.params.seed,
        energy_splits=snakemake.params.energy_splits,
        wasserstein_splits=snakemake.params.wasserstein_splits,
        projections=snakemake.params.projections,
    )
    write_rows(snakemake.output.table, rows, dataset=snakemake.wildcards.dataset)
