"""Puts the eigenvalues of all sets of images into one table."""

from pathlib import Path

import numpy as np

from inflationary_flows.artifacts.flows import load_basis
from inflationary_flows.files.tables import write_rows
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.runtime.job import job


def rows(dataset: str, basis: Eigenbasis) -> list[dict[str, str | int | float]]:
    eigenvalues = basis.eigenvalues.numpy()
    shares = np.cumsum(eigenvalues) / eigenvalues.sum()
    return [
        {"dataset": dataset, "index": index, "eigenvalue": float(eigenvalue), "cumulative_share": float(share)}
        for index, (eigenvalue, share) in enumerate(zip(eigenvalues, shares, strict=True), start=1)
    ]


with job(snakemake):
    pairs = zip(snakemake.params.datasets, snakemake.input, strict=True)
    write_rows(snakemake.output.table, (row for name, path in pairs for row in rows(name, load_basis(Path(path)))))
