r"""Mixtures of Gaussians of few directions each (Tipping and Bishop, 1999): priors with posteriors in closed form.

    p(x) = sum_k w_k N(x; m_k, S_k),      S_k = A (V_k diag(l_k) V_k^T + s_k^2 (I - V_k V_k^T)) A^T

with r directions V_k a component, where A A^T is the covariance of the data: what a component does not know of its own
it takes from all points.  Given x_obs = x + N(0, sigma^2 I) the posterior is again a mixture, with

    weights  ~ w_k N(x_obs; m_k, S_k + sigma^2 I),   means  m_k + G_k (x_obs - m_k),   covariances  sigma^2 G_k,
    G_k = S_k (S_k + sigma^2 I)^-1.

They are fitted by expectation and maximisation to whitened points; the best covariance of that form has the r largest
variances of the weighted points, and the mean of the others along all other directions.  One component is the Gaussian
of the data, whatever r.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import logsumexp

from inflationary_flows.seeding import derive_seed

# Added to all variances, relative to their mean: some coordinates of images are constant.
_FLOOR = 1e-6
# Fits end where the log density of a point grows by less, nats.
_TOLERANCE = 0.01


@dataclass(frozen=True)
class PcaMixture:
    """A mixture of K Gaussians, of one point or of many.

    Attributes:
        log_weights: Logarithms of the weights, shape (..., K).
        means: Means, shape (..., K, D).
        covariances: Covariances, shape (K, D, D): the same for all points.
    """

    log_weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray

    def log_components(self, x: np.ndarray, noise_std: float = 0.0) -> np.ndarray:
        """log w_k N(x; m_k, S_k + noise_std^2 I) of points of shape (n, D), shape (n, K)."""
        columns = []
        for k, covariance in enumerate(self.covariances):
            factor = np.linalg.cholesky(covariance + noise_std**2 * np.eye(len(covariance)))
            away = solve_triangular(factor, (x - self.means[..., k, :]).T, lower=True)
            constant = np.log(np.diag(factor)).sum() + len(factor) / 2 * math.log(2 * math.pi)
            columns.append(self.log_weights[..., k] - np.square(away).sum(0) / 2 - constant)
        return np.stack(columns, 1)

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """log p(x), nats, of points of shape (n, D), shape (n,): each in its own mixture if there are n of them."""
        result: np.ndarray = logsumexp(self.log_components(x), axis=1)
        return result

    def repeat(self, n: int) -> PcaMixture:
        """The same mixture for each of n points."""
        return replace(self, log_weights=np.tile(self.log_weights, (n, 1)), means=np.tile(self.means, (n, 1, 1)))

    def posterior(self, x_obs: np.ndarray, noise_std: float) -> PcaMixture:
        """Posteriors of clean points given noisy ones, shape (n, D): n mixtures with the same covariances."""
        log_weights = self.log_components(x_obs, noise_std)
        log_weights -= logsumexp(log_weights, axis=1, keepdims=True)
        noise = noise_std**2 * np.eye(x_obs.shape[1])
        gains = np.linalg.solve(self.covariances + noise, self.covariances).swapaxes(1, 2)
        means = self.means + np.einsum("kij,nkj->nki", gains, x_obs[:, None] - self.means)
        covariances = noise_std**2 * (gains + gains.swapaxes(1, 2)) / 2
        return PcaMixture(log_weights, means, covariances)

    def sample(self, draws: int, seed: int) -> np.ndarray:
        """Draws from each of n mixtures, shape (n, draws, D)."""
        random = np.random.default_rng(derive_seed("mixture draws", seed))
        rows = np.arange(len(self.means))
        levels = random.random((draws, len(rows), 1))
        chosen = (levels > np.exp(self.log_weights).cumsum(1)[:, :-1]).sum(2)
        factors = np.linalg.cholesky(self.covariances)
        noise = random.standard_normal((draws, len(rows), self.means.shape[2]))
        return np.stack(
            [self.means[rows, k] + np.einsum("nij,nj->ni", factors[k], z) for k, z in zip(chosen, noise, strict=True)],
            1,
        )


def fit_gaussian(points: np.ndarray) -> PcaMixture:
    """The Gaussian with mean and covariance of points, shape (n, D)."""
    covariance = np.cov(points.T) + _FLOOR * points.var(0).mean() * np.eye(points.shape[1])
    return PcaMixture(np.zeros(1), points.mean(0)[None], covariance[None])


def fit_mixture(points: np.ndarray, components: int, rank: int, seed: int, iterations: int = 100) -> PcaMixture:
    """Fits a mixture.

    Arguments:
        points: Points, shape (n, D).
        components: Number of components K.
        rank: Directions r of each, up to D.
        seed: Seed of the first assignment of points.
        iterations: Most iterations.
    """
    whole = fit_gaussian(points)
    factor = np.linalg.cholesky(whole.covariances[0])
    white = solve_triangular(factor, (points - whole.means[0]).T, lower=True).T
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
        mixture = PcaMixture(np.log(counts / counts.sum()), means, covariances)
        joint = mixture.log_components(white)
        density = logsumexp(joint, axis=1)
        shares = np.exp(joint - density[:, None])
        if density.mean() - last < _TOLERANCE:
            break
        last = float(density.mean())
    return PcaMixture(mixture.log_weights, whole.means + means @ factor.T, factor @ covariances @ factor.T)


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
) -> tuple[PcaMixture, int, int]:
    """The mixture of the largest log density of held-out points, with its components and rank.

    Arguments:
        points: Points that all are fitted to, shape (n, D).
        held_out: Others, which choose, shape (m, D).
        components, ranks: What is tried, every pair of them.
        seed: As of `fit_mixture`.
    """
    ranks = sorted({min(rank, points.shape[1]) for rank in ranks})
    fits = [(fit_mixture(points, k, r, seed), k, r) for k in components for r in ranks]
    return max(fits, key=lambda fit: float(fit[0].log_density(held_out).mean()))
