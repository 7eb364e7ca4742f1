r"""Posteriors of many coordinates, given as draws: ranks of the truth in groups of quantities, and scores.

The ranks of all pixels of an image hang together, so that an image is one observation of a test, not each pixel.  Of
the fractions u of draws below the truth, shape (images, quantities), are tested

    that every bin holds its share:          Hotelling's test of the shares of an image's quantities below each level
    that no quantity has a mean off 1/2:     t-tests, the least times their number
    that the mean of (u - 1/2)^2 is 1/12:    a t-test of an image's mean, which sees posteriors that are too narrow
    that no quantity alone fails:            chi-square tests, the least times their number

Scores are proper, the smaller the better, and means over draws x', x'' that no number of draws biases (Gneiting and
Raftery, 2007):

    energy score      mean |x' - x| - mean |x' - x''| / 2, x'' another draw than x'
    CRPS              the same of one coordinate
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from inflationary_flows.extras import needs
from inflationary_flows.mathematics.noise import NoiseLevel, noise_of
from inflationary_flows.metrics.ranks import moment_p_values
from inflationary_flows.metrics.tarp import hotelling

with needs("metrics of draws", "metrics"):
    from scipy.spatial.distance import cdist
    from scipy.special import chdtrc

# Differences, in spreads of the draws, that are none: a cell that was seen is the same in all draws.
_TIED = 1e-9


def rank_fractions(draws: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Ranks of true values, shape (n, q), among draws, shape (n, L, q), as fractions (r + 1/2) / (L + 1)."""
    below: np.ndarray = (draws < truth[:, None]).sum(1)
    return (below + 0.5) / (draws.shape[1] + 1)


def shares_below(truth: np.ndarray, draws: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Places of true values among draws: uniform on (0, 1) if truth and draws have one law, however many draws.

    Where a rank, or what ties with the truth, leaves a place open, it is drawn: whole numbers are no exception.

    Arguments:
        truth: Shape (...).
        draws: Shape (..., L).
        random: What is drawn.
    """
    away = draws - truth[..., None]
    slack = _TIED * (np.abs(away).max(-1, keepdims=True) + np.abs(truth[..., None]))
    below, tied = (away < -slack).sum(-1), (np.abs(away) <= slack).sum(-1)
    return np.asarray((below + (tied + 1) * random.random(truth.shape)) / (draws.shape[-1] + 1))


def crps(draws: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Continuous ranked probability scores of single numbers, units of these.

    Arguments:
        draws: Shape (..., L), at least two.
        truth: Shape (...).
    """
    count = draws.shape[-1]
    # Of sorted draws, the k-th lies above k others and below the rest.
    apart = np.sort(draws, -1) @ (2 * np.arange(count) - count + 1) * 2 / (count * (count - 1))
    scores: np.ndarray = np.abs(draws - truth[..., None]).mean(-1) - apart / 2
    return scores


def energy_scores(draws: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Energy scores of points, units of these, shape (n,).

    Arguments:
        draws: Shape (n, L, D), at least two of each.
        truth: Shape (n, D), or several of each, shape (n, t, D), whose scores are averaged.
    """
    return np.array(
        [
            cdist(drawn, np.atleast_2d(true)).mean() - cdist(drawn, drawn).sum() / (2 * len(drawn) * (len(drawn) - 1))
            for drawn, true in zip(draws, truth, strict=True)
        ]
    )


def group_rows(fractions: np.ndarray, names: Sequence[str], bins: int) -> list[dict[str, Any]]:
    """The histogram of a group of quantities, with its tests.

    Arguments:
        fractions: Ranks as fractions, shape (n, q).
        names: Names of the quantities.
        bins: Bins.

    Returns:
        Rows of bin (from 0), share and se (over images), and, the same in every row, p_value, p_bias, p_width, width
        (12 times the mean squared distance from 1/2: above 1 for posteriors that are too narrow), worst (the quantity
        of least p), p_worst, quantities, images.
    """
    n, q = fractions.shape
    places = np.minimum((fractions * bins).astype(int), bins - 1)
    shares = np.stack([(places == place).mean(1) for place in range(bins)], 1)
    levels = np.arange(1, bins) / bins
    counts = np.stack([(places == place).sum(0) for place in range(bins)])
    single = chdtrc(bins - 1, np.square(counts - n / bins).sum(0) / (n / bins))
    summary = {
        "p_value": hotelling(shares.cumsum(1)[:, :-1], levels),
        **moment_p_values(fractions),
        "width": float(12 * np.square(fractions - 0.5).mean()),
        "worst": names[int(single.argmin())],
        "p_worst": min(1.0, q * float(single.min())),
        "quantities": q,
        "images": n,
    }
    errors = shares.std(0, ddof=1) / np.sqrt(n)
    return [
        {"bin": place, "share": float(shares[:, place].mean()), "se": float(errors[place]), **summary}
        for place in range(bins)
    ]


def score_draws(draws: np.ndarray, truth: np.ndarray, noise_std: NoiseLevel) -> dict[str, np.ndarray]:
    """Scores of each posterior, in standard deviations of the noise, in coordinates in which it is spherical.

    Arguments:
        draws: Draws, shape (n, L, D).
        truth: Truths, shape (n, D).
        noise_std: The noise, as of `noise_of`.

    Returns:
        Each of shape (n,): `energy_score`, `squared_error` of the posterior mean and `variance`, both means over
        coordinates: a calibrated posterior has the same of both on average.
    """
    noise = noise_of(noise_std, truth.shape[1])
    draws, truth = noise.spherical(draws), noise.spherical(truth)
    return {
        "energy_score": energy_scores(draws, truth) / noise.scale,
        "squared_error": np.square(draws.mean(1) - truth).mean(1) / noise.scale**2,
        "variance": draws.var(1, ddof=1).mean(1) / noise.scale**2,
    }
