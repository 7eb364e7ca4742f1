r"""Is the posterior right at one observation?  A local two-sample test (L-C2ST) by regression.

A truth x is one more draw of its posterior if posteriors are right: nothing tells which of the L + 1 points of a
replicate is the truth.  A regression learns the probability d(x, y) that a point x beside the observation y is the
truth, from all replicates together, and the statistic looks at draws x_j of the posterior at one's own observation,

    T = mean_j ( d(x_j, y_at) - 1 / (L + 1) )^2,

which is zero for a right posterior.  Source: Linhart, Gramfort and Rodrigues, L-C2ST (NeurIPS 2023); with a regression
in place of a classifier Kim, Lee and Lei (2019).  Its law under the null comes from permutations: in each replicate
another of the L + 1 points is called the truth.  They are exchangeable, so that p-values are exact, whatever the
regression.  Least squares is linear in the labels, so that a thousand permutations cost one product of matrices.

Points are given in units of their own replicate, minus its mean and over its spread, so that faults in bias and width
are alike at all observations.  Features are polynomials of second order and random waves; each comes twice, times a
weight w that falls with the distance of y from y_at, and times 1 - w: the first copy learns of the surroundings of
y_at, and alone decides there, the second of all else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inflationary_flows.seeding import derive_seed

# Random waves, and columns up to which their products are features.
_WAVES, _PRODUCTS = 24, 8
# Ridge, in units of the variance of features, and size of waves: the regression takes a polynomial first.
_RIDGE, _WAVE = 1.0, 0.3
# Spreads below this, relative to the points, are none: all points of a replicate agree.
_CONSTANT = 1e-9


@dataclass(frozen=True)
class LocalTest:
    """The test at one observation, or at all.

    Attributes:
        statistic: T.
        null: T of permutations, shape (permutations,).
        odds: How many times as likely as by chance each draw is to be taken for the truth, shape (draws,).
    """

    statistic: float
    null: np.ndarray
    odds: np.ndarray

    @property
    def p_value(self) -> float:
        """Probability that the statistic is as large by chance."""
        return float((1 + (self.null >= self.statistic).sum()) / (1 + len(self.null)))


def standardised(points: np.ndarray) -> np.ndarray:
    """Points of each replicate, shape (n, L, D), minus their mean, over their spread; zero where all agree."""
    centred = points - points.mean(1, keepdims=True)
    spread = centred.std(1, keepdims=True)
    there = spread > _CONSTANT * (1 + np.abs(points).max(1, keepdims=True))
    return np.where(there, centred / np.where(there, spread, 1), 0)


def closeness(observed: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Weight of each observation, shape (n, m), for being near another, shape (m,): 1 there, half of them above .6.

    Cells that are missing count as such: a pattern of them is a place of its own.
    """
    both = np.concatenate([observed, at[None]])
    holes = np.isnan(both)
    values = np.where(holes, np.nanmean(np.where(holes.all(0), 0, both), 0), both)
    columns = np.concatenate([values, holes], 1)
    spread = columns.std(0)
    scaled = columns[:, spread > 0] / spread[spread > 0]
    squares = np.square(scaled[:-1] - scaled[-1]).sum(1)
    nearest = np.quantile(squares, 0.5)
    return np.exp(-squares / (2 * nearest)) if nearest > 0 else np.ones(len(observed))


def local_two_sample(
    truth: np.ndarray,
    draws: np.ndarray,
    observed: np.ndarray,
    at: np.ndarray | None = None,
    draws_at: np.ndarray | None = None,
    *,
    permutations: int = 999,
    seed: int = 0,
) -> LocalTest:
    """Tests whether truths are told from draws of their posteriors.

    Arguments:
        truth: Truths, shape (n, D): coordinates, and other quantities of points, if one likes.
        draws: Draws of the posterior of each, shape (n, L, D), nearly independent.
        observed: Observations, shape (n, m), NaN where cells are missing.
        at: The observation to look at, shape (m,); none for all of the replicates.
        draws_at: Draws of its posterior, shape (k, D).
        permutations: Permutations; the least p-value is one over their number.
        seed: Seed of waves and permutations.
    """
    n, count = draws.shape[:2]
    random = np.random.default_rng(derive_seed("local two-sample", seed))
    points = standardised(np.concatenate([truth[:, None], draws], 1))
    features = _Features(points.shape[2], random)
    plain = features(points.reshape(n * (count + 1), -1))
    centre, spread = plain.mean(0), np.maximum(plain.std(0), _CONSTANT)
    spread[-_WAVES:] /= _WAVE
    plain = (plain - centre) / spread
    if at is None or draws_at is None:
        design, asked = plain, plain
    else:
        weights = np.repeat(closeness(observed, at), count + 1)[:, None]
        design = np.concatenate([(1 - weights) * plain, weights * plain], 1)
        own = (features(standardised(draws_at[None])[0]) - centre) / spread
        asked = np.concatenate([0 * own, own], 1)
    gram = design.T @ design
    gram[np.diag_indices_from(gram)] += _RIDGE * len(design)
    # Sum of the features of those that are called the truth, minus what it is on average.
    grouped, expected = design.reshape(n, count + 1, -1), design.sum(0) / (count + 1)
    sums = np.empty((permutations + 1, design.shape[1]))
    sums[0] = grouped[:, 0].sum(0)
    for number, chosen in enumerate(random.integers(count + 1, size=(permutations, n)), 1):
        sums[number] = grouped[np.arange(n), chosen].sum(0)
    slopes = np.linalg.solve(gram, (sums - expected).T)
    # T is a quadratic form of the slopes.
    moments = asked.T @ asked / len(asked)
    statistics = np.einsum("fp,fp->p", slopes, moments @ slopes)
    return LocalTest(float(statistics[0]), statistics[1:], 1 + (count + 1) * asked @ slopes[:, 0])


class _Features:
    """Polynomials and random waves of points, shape (n, D) to (n, F)."""

    def __init__(self, dimension: int, random: np.random.Generator) -> None:
        self.pairs = np.triu_indices(dimension, 1) if dimension <= _PRODUCTS else None
        self.frequencies = random.standard_normal((dimension, _WAVES)) * np.sqrt(2 / dimension)
        self.phases = random.uniform(0, 2 * np.pi, _WAVES)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        parts = [points, np.square(points)]
        if self.pairs is not None:
            parts.append(points[:, self.pairs[0]] * points[:, self.pairs[1]])
        return np.concatenate([*parts, np.cos(points @ self.frequencies + self.phases)], 1)
