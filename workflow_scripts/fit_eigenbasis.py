"""Diagonalises the covariance of the training split."""

from pathlib import Path

import numpy as np

from inflationary_flows.artifacts.bases import save_basis
from inflationary_flows.data.splits import load_splits
from inflationary_flows.mathematics.columns import ColumnTransforms, column_scale
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.runtime.job import job

with job(snakemake) as logger:
    splits = load_splits(snakemake.input.splits)
    transforms = ColumnTransforms.from_dict(splits.columns, splits.column_kinds)
    scale = splits.scale
    if transforms and splits.provenance["settings"]["standardise"]:
        scale = column_scale(np.asarray(splits.train), transforms)
    basis = Eigenbasis.fit(splits.train, scale, transforms)
    logger.info("D = %d, participation ratio %.6g", basis.dimension, basis.participation_ratio)
    save_basis(Path(snakemake.output.eigenbasis), basis)
