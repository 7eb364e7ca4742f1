"""Means and covariances of features, and the Frechet distance of the Gaussians that have them.

    d^2 = |m_1 - m_2|^2 + tr S_1 + tr S_2 - 2 tr (S_1^1/2 S_2 S_1^1/2)^1/2

after Dowson and Landau (1982).  All sums are in float64.
"""

from __future__ import annotations

import numpy as np

from inflationary_flows.errors import DataError


class Moments:
    """Mean and covariance of rows that come in batches, all sums in float64.

    Batches are merged by their own means (Chan, Golub and LeVeque, 1983), so that nothing cancels.
    """

    def __init__(self, dimension: int) -> None:
        self.n = 0
        self.mean = np.zeros(dimension)
        self._scatter = np.zeros((dimension, dimension))

    def add(self, rows: np.ndarray) -> None:
        """Adds rows, shape (k, d)."""
        if not len(rows):
            return
        rows = np.asarray(rows, dtype=np.float64)
        mean = rows.mean(0)
        centred, shift = rows - mean, mean - self.mean
        total = self.n + len(rows)
        self._scatter += centred.T @ centred + np.outer(shift, shift) * (self.n * len(rows) / total)
        self.mean = self.mean + shift * (len(rows) / total)
        self.n = total

    @property
    def covariance(self) -> np.ndarray:
        """The unbiased covariance, shape (d, d), symmetric."""
        covariance = self._scatter / (self.n - 1)
        return (covariance + covariance.T) / 2


def frechet_distance(
    mean_1: np.ndarray, covariance_1: np.ndarray, mean_2: np.ndarray, covariance_2: np.ndarray
) -> float:
    """The squared Frechet distance of two Gaussians, in float64.

    The trace of (S_1^1/2 S_2 S_1^1/2)^1/2 is the sum of the singular values of R_1^T R_2 where S = R R^T.  They are
    exact to rounding, where a root of the eigenvalues of the product would keep half of the digits; covariances may be
    singular.

    Arguments:
        mean_1, mean_2: Means, shape (d,).
        covariance_1, covariance_2: Covariances, shape (d, d), symmetric and positive semidefinite up to rounding.

    Returns:
        The squared distance, in squared units of the features; never negative.

    Raises:
        DataError: if a mean or covariance is not finite.
    """
    moments = [np.asarray(each, dtype=np.float64) for each in (mean_1, covariance_1, mean_2, covariance_2)]
    if not all(np.isfinite(each).all() for each in moments):
        raise DataError("features", "finite moments", "NaN or infinity", "check the images and the extractor's weights")
    m1, s1, m2, s2 = moments
    product = _root(s1).T @ _root(s2)
    overlap = float(np.linalg.svd(product, compute_uv=False).sum()) if product.size else 0.0
    difference = m1 - m2
    # Rounding may give a tiny negative number.
    return max(0.0, float(difference @ difference + np.trace(s1) + np.trace(s2) - 2 * overlap))


def _root(covariance: np.ndarray) -> np.ndarray:
    """R, shape (d, rank), with covariance = R R^T; eigenvalues of rounding's size count as none."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > max(values[-1], 0.0) * len(values) * np.finfo(np.float64).eps
    return vectors[:, kept] * np.sqrt(values[kept])
