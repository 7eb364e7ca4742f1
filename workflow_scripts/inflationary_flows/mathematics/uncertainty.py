"""The distribution of an uncertain point in data space, carried to the latents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inflationary_flows.errors import DataError


@dataclass(frozen=True)
class PropagatedPoint:
    """Samples of an uncertain point and of its latent.

    Attributes:
        x: Samples in data space, shape (n, D), data units.
        z: Their latents, shape (n, D).
        mean: Mean of the latents, shape (D,).
        covariance: Covariance of the latents, shape (D, D).
        levels: Levels of the intervals, shape (L,).
        intervals: Equal-tailed intervals, shape (L, D, 2).
        kept_dims: Number d of kept directions: the first d coordinates of z.
    """

    x: np.ndarray
    z: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray
    levels: np.ndarray
    intervals: np.ndarray
    kept_dims: int

    @property
    def kept(self) -> np.ndarray:
        """Latents on the kept directions, shape (n, d)."""
        return self.z[:, : self.kept_dims]

    @property
    def compressed(self) -> np.ndarray:
        """Latents on the compressed directions, shape (n, D - d); none under a PR-preserving schedule."""
        return self.z[:, self.kept_dims :]


def summarise(x: np.ndarray, z: np.ndarray, kept_dims: int, levels: Sequence[float]) -> PropagatedPoint:
    """Moments and equal-tailed intervals of latent samples.

    Arguments:
        x, z: Samples and their latents, shape (n, D).
        kept_dims: Number of kept directions.
        levels: Levels in (0, 1).

    Raises:
        DataError: if a level is not in (0, 1), or there are fewer than two samples.
    """
    if len(z) < 2:
        raise DataError("x0", "at least 2 samples", str(len(z)), "a covariance needs more than one")
    for level in levels:
        if not 0 < level < 1:
            raise DataError("levels", "numbers between 0 and 1", f"{level:g}", "0.9 is the 90 % interval")
    bounds = [np.quantile(z, [(1 - level) / 2, (1 + level) / 2], axis=0).T for level in levels]
    return PropagatedPoint(
        x=x,
        z=z,
        mean=z.mean(0),
        covariance=np.cov(z.T).reshape(z.shape[1], z.shape[1]),
        levels=np.array(levels, dtype=float),
        intervals=np.array(bounds).reshape(len(bounds), z.shape[1], 2),
        kept_dims=kept_dims,
    )
