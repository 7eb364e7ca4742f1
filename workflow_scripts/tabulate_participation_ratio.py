"""Puts dimensions and participation ratios of all data sets into one table."""

from pathlib import Path

from inflationary_flows.artifacts.flows import load_basis
from inflationary_flows.files.tables import write_rows
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.runtime.job import job


def row(dataset: str, basis: Eigenbasis) -> dict[str, str | int | float]:
    return {
        "dataset": dataset,
        "dimension": basis.dimension,
        "participation_ratio": basis.participation_ratio,
        "largest_variance": float(basis.eigenvalues[0]),
        "smallest_variance": float(basis.eigenvalues[-1]),
    }


with job(snakemake):
    bases = [load_basis(Path(path)) for path in snakemake.input]
    rows = map(row, snakemake.params.datasets, bases)
    write_rows(snakemake.output.table, rows)
