"""Diagonalises the covariance of the training split."""

from pathlib import Path

from inflationary_flows.artifacts.bases import save_basis
from inflationary_flows.data.splits import load_splits
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.runtime.job import job

with job(snakemake) as logger:
    splits = load_splits(snakemake.input.splits)
    basis = Eigenbasis.fit(splits.train, splits.scale)
    logger.info("D = %d, participation ratio %.6g", basis.dimension, basis.participation_ratio)
    save_basis(Path(snakemake.output.eigenbasis), basis)
