"""Dimensions, participation ratios and variances of data sets, from their eigenbases."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from inflationary_flows.experiments.measured import Measured
from inflationary_flows.mathematics.eigenbasis import Eigenbasis


def measure(*, eigenbases: Mapping[str, Eigenbasis], images: list[str]) -> Measured:
    """Tabulates eigenvalues, all of them for sets of images.

    Arguments:
        eigenbases: By data set.
        images: Data sets of images.
    """
    ratios = [
        {
            "dataset": name,
            "dimension": basis.dimension,
            "participation_ratio": basis.participation_ratio,
            "largest_variance": float(basis.eigenvalues[0]),
            "smallest_variance": float(basis.eigenvalues[-1]),
        }
        for name, basis in eigenbases.items()
    ]
    spectra = []
    for name in images:
        eigenvalues = eigenbases[name].eigenvalues.numpy()
        shares = np.cumsum(eigenvalues) / eigenvalues.sum()
        spectra += [
            {"dataset": name, "index": index, "eigenvalue": float(eigenvalue), "cumulative_share": float(share)}
            for index, (eigenvalue, share) in enumerate(zip(eigenvalues, shares, strict=True), start=1)
        ]
    return Measured({"participation_ratio": ratios, "spectra": spectra})
