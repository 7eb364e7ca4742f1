r"""Posteriors under a prior p, from draws of the exact ones: each draw weighs w = p(x) / p_exact(x).

Likelihoods cancel, so that this holds whatever is observed, and needs neither chains nor proposals.  Weights themselves
tell how far both posteriors are apart: of draws x_j of the exact one, and w scaled to a mean of one,

    effective share            1 / mean w^2
    divergence                 KL(exact to p) = -mean log w
    accuracy of the best test  1/2 + mean |w - 1| / 4

The last is half of one plus the total variation: no classifier tells a draw of one posterior from a draw of the other
more often, however many draws it learns from.

Coverage is that of `metrics.tarp`: of m draws of its own the truth is one more, with its own weight, at a random place
within it.  If p is exact, all weights are equal and masses are uniform, however few draws there are.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

from inflationary_flows.extras import needs
from inflationary_flows.metrics.tarp import Masses
from inflationary_flows.seeding import derive_seed

with needs("importance weights", "metrics"):
    from scipy.special import logsumexp


@dataclass(frozen=True)
class DrawWeights:
    """Weights of draws of the exact posterior of every observation.

    Attributes:
        log_scaled: Logarithms of weights with a mean of one for every observation, shape (n, m).
        truth: Weight of the truth on the same scale, shape (n,).
    """

    log_scaled: np.ndarray
    truth: np.ndarray

    @classmethod
    def of(cls, log_draws: np.ndarray, log_truth: np.ndarray) -> DrawWeights:
        """From log p - log p_exact at the draws, shape (n, m), and at the truths, shape (n,)."""
        log_mean = logsumexp(log_draws, axis=1) - np.log(log_draws.shape[1])
        return cls(log_draws - log_mean[:, None], np.exp(log_truth - log_mean))

    @classmethod
    def equal(cls, observations: int, draws: int) -> DrawWeights:
        """Weights of draws of the posterior itself."""
        return cls(np.zeros((observations, draws)), np.ones(observations))

    @property
    def scaled(self) -> np.ndarray:
        """Weights with a mean of one for every observation, shape (n, m)."""
        return np.exp(self.log_scaled)

    @property
    def ess_share(self) -> np.ndarray:
        """Effective number of draws over their number, shape (n,)."""
        return 1 / np.square(self.scaled).mean(1)

    @property
    def divergence(self) -> np.ndarray:
        """Kullback-Leibler divergence of the exact posterior to the other, nats, shape (n,)."""
        return -self.log_scaled.mean(1)

    @property
    def best_accuracy(self) -> np.ndarray:
        """Accuracy of the best possible classifier of draws of both posteriors, shape (n,)."""
        return 0.5 + np.abs(self.scaled - 1).mean(1) / 4

    def chosen(self, count: int, seed: int) -> np.ndarray:
        """Numbers of draws that follow the other posterior, shape (n, count).

        Systematic resampling: no draw comes twice whose weight is below m / count.
        """
        n, m = self.log_scaled.shape
        random = np.random.default_rng(derive_seed("chosen draws", seed))
        # Shuffled, because systematic resampling spreads what it takes over the draws in their order.
        order = random.permuted(np.tile(np.arange(m), (n, 1)), axis=1)
        ends = np.cumsum(np.take_along_axis(self.scaled, order, 1), 1)
        places = (np.arange(count) + random.random((n, 1))) / count * ends[:, -1:]
        picked = np.stack([np.searchsorted(*row, side="right") for row in zip(ends, places, strict=True)])
        return np.take_along_axis(order, np.minimum(picked, m - 1), 1)


def squared_distances(points: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Of points, shape (n, m, D), to the references of their row, shape (n, R, D), and to zero, shape (n, m, R + 1)."""
    looked_at = np.concatenate([references, np.zeros_like(references[:, :1])], 1)
    return np.stack([np.square(points - one[:, None]).sum(2) for one in looked_at.transpose(1, 0, 2)], 2)


def masses_of_draws(weights: DrawWeights, draws: np.ndarray, truth: np.ndarray, seed: int) -> Masses:
    """Posterior masses below the truth in several orders.

    Arguments:
        weights: Weights of the draws.
        draws: What orders them, such as `squared_distances`, shape (n, m, L).
        truth: The same of the truths, shape (n, L).
        seed: Seed of the place of a truth within its own weight.

    Returns:
        The masses, those of the last order as the central ones.
    """
    n, m = weights.log_scaled.shape
    own = (weights.truth / (m + weights.truth))[:, None]
    ties = np.random.default_rng(derive_seed("ties", seed)).random((n, 1))
    mass = np.einsum("nml,nm->nl", draws < truth[:, None], weights.scaled) / m
    mass = (1 - own) * mass + own * ties
    empty = np.empty((n, 0))
    # Observations share no draws.
    return Masses(mass[:, :-1], mass[:, -1], below=empty, ess=m * weights.ess_share, grid=empty, pool=sys.maxsize)
