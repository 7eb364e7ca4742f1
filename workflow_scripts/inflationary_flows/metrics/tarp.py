r"""Tests of accuracy with random points (TARP; Lemos, Coogan, Hezaveh and Perreault-Levasseur, ICML 2023).

Truths x come from the true data, observations from x_obs = x + N(0, C), posteriors from a prior that is judged.
For a random reference r the posterior mass closer to r than the truth,

    q = P( |x' - r| < |x - r|  given x_obs ),

is uniform on [0, 1] over replicates if and only if posteriors are calibrated (for all references).  The expected
coverage at level a is P(q < a); the nominal value is a.

Two choices lower the noise of the test.  Posterior masses are weighted sums over one pool of
prior samples, not counts of draws from it.  Every replicate averages the indicators of several references; errors and
test take replicates, not references, as independent units.

References around the observation average over all directions, which hides faults of a prior: a flat box that holds two
circles would pass.  The test therefore looks at fixed references too, the centre of the data and the other points of a
grid, which distinguish inwards from outwards.  Each is a look of its own, around which the worst coverage counts; the
p-value is the least of all looks times their number (Bonferroni).

The truth counts as one more sample of the prior, of weight w_0 beside those w_j of the pool, placed at random within
its own weight:

    q = ( sum_{j closer} w_j + u w_0 ) / ( sum_j w_j + w_0 ),   u uniform on [0, 1].

If the prior is right, the truth and the pool are exchangeable, and given x_obs each of them is the truth with its
weight as probability: q is uniform whatever the size of the pool, where the plain sum is over-confident by about one
over the effective sample size.  A truth that outweighs the whole pool a thousand times shows that the prior gives no
such points; it is left out, so that a prior far from the data does not pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from inflationary_flows.errors import InferenceError
from inflationary_flows.extras import needs
from inflationary_flows.inference.weighting import weigh_pool
from inflationary_flows.mathematics.noise import Noise, NoiseLevel, noise_of
from inflationary_flows.seeding import derive_seed

with needs("TARP", "metrics"):
    from scipy.special import fdtrc

# Share of the replicates whose posterior may rest on fewer samples than asked for.
_OUTLIERS = 0.1
# Observations weighed at once: a row of weights over the pool each.
_ROWS = 100
# Total weight of the samples that a posterior neglects.
_NEGLIGIBLE = 1e-9
# The fixed grid, in standard deviations of each coordinate; its middle is the centre of the data.
_GRID = (-2.0, 0.0, 2.0)
# A truth that weighs so many times as much as the whole pool is none that the prior could have given.
_COLLAPSED = 1e3
# Exponents that are cut off before they overflow.
_LARGE = 700.0
# Combinations of indicators with less variance are the same in all replicates.
_CONSTANT = 1e-12


@dataclass(frozen=True)
class Replicates:
    """Truths with their observations and references.

    Attributes:
        truth: Clean points, shape (n, D), data units.
        observed: Noisy points, shape (n, D).
        references: Random reference points, shape (n, R, D).
        centre: The reference that all share, shape (D,).
        noise: The noise, data units.
        ties: Where each truth lies within its own weight, in [0, 1], shape (n,).
        grid: Other references that all share, shape (G, D).
    """

    truth: np.ndarray
    observed: np.ndarray
    references: np.ndarray
    centre: np.ndarray
    noise: Noise
    ties: np.ndarray
    grid: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))


def fixed_references(points: np.ndarray) -> dict[str, np.ndarray]:
    """The references that all observations share: points of a grid, by name, the middle one called `centre`."""
    centre, spread = points.mean(0), points.std(0)
    return {
        f"grid{number}" if any(place) else "centre": centre + np.array(place) * spread
        for number, place in enumerate(product(_GRID, repeat=points.shape[1]))
    }


def make_replicates(
    truth: np.ndarray,
    noise_std: NoiseLevel,
    references: int,
    seed: int,
    *,
    centre: np.ndarray,
    grid: np.ndarray | None = None,
) -> Replicates:
    """Adds noise to true points, and draws references around the observations.

    References must not depend on the truth other than through the observation; they lie around it, a few noise
    standard deviations away.

    Arguments:
        truth: Clean points, shape (n, D), data units.
        noise_std: The noise, data units, as of `noise_of`.
        references: Random reference points of an observation.
        seed: Seed of noise, references and ties.
        centre: Centre of the data, shape (D,), found without looking at these points.
        grid: Other fixed references, shape (G, D), found likewise.
    """
    n, dimension = truth.shape
    noise = noise_of(noise_std, dimension)
    normals = np.random.default_rng(derive_seed("tarp noise", seed)).standard_normal((n, dimension))
    offsets = np.random.default_rng(derive_seed("tarp references", seed)).standard_normal((n, references, dimension))
    observed = truth + noise.scaled(normals)
    around = observed[:, None] + 2 * noise.scaled(offsets)
    ties: np.ndarray = np.random.default_rng(derive_seed("tarp ties", seed)).random((n,))
    grid = np.empty((0, dimension)) if grid is None else grid
    return Replicates(truth, observed, around, np.asarray(centre), noise, ties, grid)


def judged_replicates(
    truth: np.ndarray, exact: np.ndarray, noise_std: NoiseLevel, references: int, seed: int
) -> Replicates:
    """Replicates with the references of `fixed_references`, noise in units of the data.

    Arguments:
        truth: Clean points of the true data, shape (n, D), data units.
        exact: Other points of the true data, shape (k, D), that their centre and spread come from.
        noise_std: The noise as of `noise_of`, for data whose variances have mean 1.
        references, seed: As of `make_replicates`.
    """
    fixed = fixed_references(exact)
    centre = fixed.pop("centre")
    noise = noise_of(noise_std, truth.shape[1]).times(float(np.sqrt(exact.var(0).mean())))
    return make_replicates(truth, noise, references, seed, centre=centre, grid=np.stack(list(fixed.values())))


@dataclass(frozen=True)
class Masses:
    """Posterior masses below the truth.

    Attributes:
        closer: Mass closer to each random reference than the truth, shape (n, R).
        central: Mass closer to the centre than the truth, shape (n,).
        below: Mass below the truth in each coordinate, shape (n, D).
        ess: Effective sample size of each posterior, shape (n,).
        grid: Mass closer to each point of the grid, shape (n, G).
        pool: Samples of the prior.
    """

    closer: np.ndarray
    central: np.ndarray
    below: np.ndarray
    ess: np.ndarray
    grid: np.ndarray
    pool: int


def posterior_masses(pool: np.ndarray, replicates: Replicates, minimum_ess: float = 20.0) -> Masses:
    """Computes the posterior of every replicate under a prior given by samples, and where the truth lies in it.

    Arguments:
        pool: Samples of the prior, shape (m, D), data units.
        replicates: Observations.
        minimum_ess: Smallest effective sample size that nine posteriors in ten must have. Fewer would be no mistake,
            but hide faults: the truth has a larger share of its own posterior.

    Raises:
        InferenceError: if more posteriors collapse.
    """
    n, count, dimension = replicates.references.shape
    noise = replicates.noise
    shared = count + 1 + len(replicates.grid)
    below, ess, share = np.empty((n, shared + dimension)), np.empty(n), np.empty((n, 1))
    # A sample x' is closer to r than the truth x is if |x'|^2 - 2 r . x' is less than the same of x, and below it in a
    # coordinate if that is less. All of these are linear in (|x'|^2, x'): one product of matrices in single precision,
    # whose rounding matters to samples within 1e-6 of a border, around the centre.
    centred, truth = pool - replicates.centre, replicates.truth - replicates.centre
    lifted, lifted_truth = (
        np.concatenate([np.square(x).sum(1, keepdims=True), x], 1).astype(np.float32) for x in (centred, truth)
    )
    sides = np.zeros((shared + dimension, 1 + dimension), dtype=np.float32)
    sides[:shared, 0] = 1
    sides[count + 1 : shared, 1:] = -2 * (replicates.grid - replicates.centre)
    sides[shared:, 1:] = np.eye(dimension)
    for first in range(0, n, _ROWS):
        rows = slice(first, first + _ROWS)
        posterior = weigh_pool(pool, replicates.observed[rows], noise, minimum_ess=0)
        ess[rows] = posterior.ess
        heaviest = posterior.weights.argmax(1)
        nearer = (
            np.square(noise.spherical(replicates.observed[rows] - pool[heaviest])).sum(1)
            - np.square(noise.spherical(replicates.observed[rows] - replicates.truth[rows])).sum(1)
        ) / (2 * noise.scale**2)
        own = posterior.weights.max(1) * np.exp(np.minimum(nearer, _LARGE))
        share[rows, 0] = np.where(own < _COLLAPSED, own / (1 + own), 0)
        for row, weights in enumerate(posterior.weights.astype(np.float32), first):
            # Samples without weight are skipped: most of the pool, for a small noise.
            near = np.flatnonzero(weights > _NEGLIGIBLE / len(pool))
            sides[:count, 1:] = -2 * (replicates.references[row] - replicates.centre)
            inside = sides @ lifted.take(near, 0).T < (sides @ lifted_truth[row])[:, None]
            # As numbers, because products of booleans miss the fast path.
            below[row] = inside.astype(np.float32) @ weights[near]
    low = float(np.quantile(ess, _OUTLIERS))
    if low < minimum_ess:
        raise InferenceError(
            "posteriors of clean points",
            f"an effective sample size of at least {minimum_ess:g} in {1 - _OUTLIERS:.0%} of them",
            f"{low:.1f} of {len(pool)} samples at the {_OUTLIERS:.0%} quantile",
            "draw a larger pool, or raise the noise",
        )
    below = (1 - share) * below + share * replicates.ties[:, None]
    closer, central, grid, below = np.split(below, [count, count + 1, shared], axis=1)
    return Masses(closer, central[:, 0], below, ess, grid, len(pool))


def judge_prior(
    pool: np.ndarray,
    truth: np.ndarray,
    exact: np.ndarray,
    noise_stds: Sequence[float],
    *,
    references: int,
    seed: int,
    minimum_ess: float,
) -> dict[float, Masses]:
    """Computes where true points lie in posteriors under a prior given by samples, for several strengths of noise.

    Arguments:
        pool: Samples of the prior, shape (m, D), data units.
        truth: Clean points of the true data, shape (n, D), data units.
        exact: Other points of the true data, shape (k, D), that their centre and spread come from.
        noise_stds: Standard deviations of the noise, in those of the data.
        references, seed: As of `make_replicates`.
        minimum_ess: As of `posterior_masses`.

    Returns:
        The masses for each noise.

    Raises:
        InferenceError: as of `posterior_masses`.
    """
    return {
        noise_std: posterior_masses(pool, judged_replicates(truth, exact, noise_std, references, seed), minimum_ess)
        for noise_std in noise_stds
    }


def judged_rows(masses: Masses, levels: Sequence[float]) -> list[dict[str, Any]]:
    """Expected coverage against nominal level around random references, the centre, and the worst reference of all.

    Arguments:
        masses: As of `judge_prior`.
        levels: Nominal levels in (0, 1).

    Returns:
        Rows of reference (random, centre or worst), level, coverage and se (over replicates); and, the same in every
        row, worst (largest absolute difference of coverage and level around any reference), p_value (that all coverages
        around all references are nominal: the least of their Hotelling tests times their number), looks (this number),
        replicates.
    """
    each = [masses.closer, masses.central[:, None], *(column[:, None] for column in masses.grid.T)]
    # All posteriors share a pool: its own sampling error adds to that of the replicates, as in a two-sample test.
    return judged_looks(each, levels, 1 + len(masses.central) / masses.pool)


def judged_looks(each: Sequence[np.ndarray], levels: Sequence[float], shared: float = 1.0) -> list[dict[str, Any]]:
    """Rows of `judged_rows` from masses around each reference, shapes (n, k): random ones, the centre, and others.

    Masses of one row are averaged before they are compared: references of a replicate, or truths of an observation.
    `shared` is what the variance of a mean over rows is, times that of independent rows.
    """
    nominal = np.asarray(levels)
    looks = [np.stack([(closer < level).mean(1) for level in levels], 1) for closer in each]
    deviations = [float(np.abs(indicators.mean(0) - nominal).max()) for indicators in looks]
    p_value = min(1.0, len(looks) * min(hotelling(indicators, nominal, shared) for indicators in looks))
    summary = {
        "worst": max(deviations),
        "p_value": p_value,
        "looks": len(looks),
        "replicates": len(looks[0]),
    }
    shown = {"random": looks[0], "centre": looks[1], "worst": looks[int(np.argmax(deviations))]}
    return [
        {"reference": name, "level": level, "coverage": float(coverage), "se": float(error), **summary}
        for name, indicators in shown.items()
        for level, coverage, error in zip(
            levels, indicators.mean(0), indicators.std(0, ddof=1) * np.sqrt(shared / len(indicators)), strict=True
        )
    ]


def hotelling(indicators: np.ndarray, levels: np.ndarray, inflation: float = 1.0, groups: int = 1) -> float:
    """p-value of Hotelling's test that the means of indicators, shape (n, groups L), are the levels, shape (L,)."""
    n, count = indicators.shape
    variances, directions = np.linalg.eigh(np.atleast_2d(np.cov(indicators.T)))
    nominal = np.kron(np.eye(groups), np.minimum.outer(levels, levels) - np.outer(levels, levels))
    # Masses of collapsed posteriors are 0 or 1, so that indicators of all levels agree in every replicate.  Their
    # differences then have no variance, so that the nominal variance replaces it.
    expected = np.einsum("ik,ij,jk->k", directions, nominal, directions)
    variances = inflation * np.where(variances > _CONSTANT, variances, expected)
    statistic = n * float((np.square(directions.T @ (indicators.mean(0) - np.tile(levels, groups))) / variances).sum())
    return float(fdtrc(count, n - count, statistic * (n - count) / (count * (n - 1))))


def coverage_rows(closer: np.ndarray, central: np.ndarray, levels: Sequence[float]) -> list[dict[str, Any]]:
    """Expected coverage against nominal level.

    Arguments:
        closer: Masses q of random references, shape (n, R).
        central: Masses q of the centre, shape (n,).
        levels: Nominal levels in (0, 1).

    Returns:
        Rows of level, coverage and se (around random references; standard error over replicates), p_value (Hotelling's
        test that all coverages, those around the centre as well, are nominal; the same in every row), replicates.
    """
    indicators = np.stack([(closer < level).mean(1) for level in levels], 1)
    n = len(indicators)
    both = np.concatenate([indicators, central[:, None] < np.asarray(levels)], 1)
    p_value = hotelling(both, np.asarray(levels), groups=2)
    errors = indicators.std(0, ddof=1) / np.sqrt(n)
    return [
        {
            "level": level,
            "coverage": float(coverage),
            "se": float(error),
            "p_value": p_value,
            "replicates": n,
        }
        for level, coverage, error in zip(levels, indicators.mean(0), errors, strict=True)
    ]
