r"""Mixtures of Gaussians of few directions each (Tipping and Bishop, 1999): priors whose posteriors are known exactly.

    p(x) = sum_k w_k N(x; m_k, S_k),      S_k = A (V_k diag(l_k) V_k^T + s_k^2 (I - V_k V_k^T)) A^T

with r directions V_k a component, where A A^T is the covariance of the data: what a component does not know of its own
it takes from all points.  `mathematics.gaussian_mixtures` has densities and posteriors.

They are fitted by expectation and maximisation to whitened points; the best covariance of that form has the r largest
variances of the weighted points, and the mean of the others along all other directions.  One component is the Gaussian
of the data, whatever r.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch

from inflationary_flows.extras import needs
from inflationary_flows.mathematics.gaussian_mixtures import GaussianMixture
from inflationary_flows.seeding import derive_seed

with needs("mixtures of PCA", "inference"):
    from scipy.linalg import solve_triangular
    from scipy.special import logsumexp

# Added to all variances, relative to their mean: some coordinates of images are constant.
_FLOOR = 1e-6
# Fits end where the log density of a point grows by less, nats.
_TOLERANCE = 0.01


def _mixture(log_weights: np.ndarray, means: np.ndarray, covariances: np.ndarray) -> GaussianMixture:
    return GaussianMixture(*map(torch.from_numpy, (means, log_weights, covariances)))


def fit_gaussian(points: np.ndarray) -> GaussianMixture:
    """The Gaussian with mean and covariance of points, shape (n, D)."""
    covariance = np.cov(points.T) + _FLOOR * points.var(0).mean() * np.eye(points.shape[1])
    return _mixture(np.zeros(1), points.mean(0)[None], covariance[None])


def fit_mixture(points: np.ndarray, components: int, rank: int, seed: int, iterations: int = 100) -> GaussianMixture:
    """Fits a mixture.

    Arguments:
        points: Points, shape (n, D).
        components: Number of components K.
        rank: Directions r of each, up to D.
        seed: Seed of the first assignment of points.
        iterations: Most iterations.
    """
    whole = fit_gaussian(points)
    factor = torch.linalg.cholesky(whole.covariances[0])
    white = solve_triangular(factor.numpy(), (points - whole.means[0].numpy()).T, lower=True).T
    random = np.random.default_rng(derive_seed("mixture fit", seed, components, rank))
    centres = white[random.choice(len(white), components, replace=False)]
    # A few rounds of nearest means, as a start.
    for _ in range(10):
        nearest = np.square(white[:, None] - centres).sum(2).argmin(1)
        centres = np.stack([white[nearest == k].mean(0) if (nearest == k).any() else c for k, c in enumerate(centres)])
    shares, last = np.eye(components)[nearest], -math.inf
    for _ in range(iterations):
        # A point of the whole data in each: none is left empty.
        counts = shares.sum(0) + 1
        means = shares.T @ white / counts[:, None]
        covariances = np.stack(
            [
                _reduced(((shares[:, k, None] * (white - mean)).T @ (white - mean) + np.eye(len(mean))) / count, rank)
                for k, (mean, count) in enumerate(zip(means, counts, strict=True))
            ]
        )
        mixture = _mixture(np.log(counts / counts.sum()), means, covariances)
        joint = mixture.joint_log_densities(torch.from_numpy(white)).numpy()
        density = logsumexp(joint, axis=1)
        shares = np.exp(joint - density[:, None])
        if density.mean() - last < _TOLERANCE:
            break
        last = float(density.mean())
    return mixture.mapped(factor, whole.means[0])


def _reduced(covariance: np.ndarray, rank: int) -> np.ndarray:
    """A covariance with the mean of all but its largest variances in place of these."""
    values, vectors = np.linalg.eigh(covariance)
    rest = len(values) - rank
    if rest > 0:
        values[:rest] = values[:rest].mean()
    result: np.ndarray = (vectors * values) @ vectors.T
    return result


def choose_mixture(
    points: np.ndarray, held_out: np.ndarray, components: Iterable[int], ranks: Iterable[int], seed: int
) -> tuple[GaussianMixture, int, int]:
    """The mixture of the largest log density of held-out points, with its components and rank.

    Arguments:
        points: Points that all are fitted to, shape (n, D).
        held_out: Others, which choose, shape (m, D).
        components, ranks: What is tried, every pair of them.
        seed: As of `fit_mixture`.
    """
    ranks = sorted({min(rank, points.shape[1]) for rank in ranks})
    fits = [(fit_mixture(points, k, r, seed), k, r) for k in components for r in ranks]
    return max(fits, key=lambda fit: float(fit[0].log_density(torch.from_numpy(held_out)).mean()))
