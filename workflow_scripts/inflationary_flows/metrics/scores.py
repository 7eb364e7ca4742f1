r"""Proper scores of posteriors that are weighted samples of a prior: they see what coverage cannot.

A prior that knows nothing may cover as its levels say.  It is told by how much its posteriors say of the truth x:

    log score     log sum_j w_j N(x + h e; x_j, h^2 I)       posterior density of the truth, both blurred by a width h
    energy score  sum_j w_j |x_j - x| - 1/2 sum_jk w_j w_k |x_j - x_k|

with e standard normal.  On average the log score is largest, and the energy score least, for the posterior of the true
prior (Gneiting and Raftery, 2007).  Blurred, a posterior on a surface has a density as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from inflationary_flows.extras import needs
from inflationary_flows.metrics.tarp import Replicates
from inflationary_flows.seeding import derive_seed

with needs("scores of posteriors", "metrics"):
    from scipy.spatial.distance import cdist
    from scipy.special import logsumexp

# Observations scored at once: a row of weights over the pool each.
_ROWS = 100
# Pairs of samples that the spread of a posterior is estimated from.
_PAIRS = 50


@dataclass(frozen=True)
class Scores:
    """Scores of the posterior of every observation.

    Attributes:
        log_density: Log score, nats, shape (n,); the larger, the better.
        energy: Energy score, units of the data, shape (n,); the smaller, the better.
    """

    log_density: np.ndarray
    energy: np.ndarray


def score_posteriors(pool: np.ndarray, replicates: Replicates, width: float, seed: int) -> Scores:
    """Scores the posterior of every observation under a prior given by samples.

    Arguments:
        pool: Samples of the prior, shape (m, D), data units.
        replicates: Truths and observations.
        width: Width h of the blur, data units.
        seed: Seed of the blur, and of the pairs of samples.
    """
    n, dimension = replicates.truth.shape
    random = np.random.default_rng(derive_seed("posterior scores", seed))
    blurred = replicates.truth + width * random.standard_normal((n, dimension))
    log_density, energy = np.empty(n), np.empty(n)
    noise = replicates.noise
    around = noise.spherical(pool)
    for first in range(0, n, _ROWS):
        rows = slice(first, first + _ROWS)
        truth = replicates.truth[rows]
        log_weights = -cdist(noise.spherical(replicates.observed[rows]), around, "sqeuclidean") / (2 * noise.scale**2)
        log_weights -= logsumexp(log_weights, axis=1, keepdims=True)
        exponents = log_weights - cdist(blurred[rows], pool, "sqeuclidean") / (2 * width**2)
        log_density[rows] = logsumexp(exponents, axis=1) - dimension / 2 * math.log(2 * math.pi * width**2)
        weights = np.exp(log_weights)
        levels = random.random((len(truth), 2 * _PAIRS))
        cumulative = np.cumsum(weights, 1)
        drawn = [np.searchsorted(of_row, level * of_row[-1]) for of_row, level in zip(cumulative, levels, strict=True)]
        left, right = np.split(pool[np.stack(drawn)], 2, axis=1)
        apart = np.sqrt(np.square(left - right).sum(2)).mean(1)
        energy[rows] = (weights * cdist(truth, pool)).sum(1) - apart / 2
    return Scores(log_density, energy)
