r"""Are ranks uniform?  Histograms with simultaneous bands, and the chi-square test.

The rank of a true value among draws of its posterior is uniform if the posterior is calibrated: a hump says that
posteriors are too wide, a valley that they are too narrow, a slope that they are biased (Talts et al., 2018).

The band covers all counts of a uniform histogram at once with the stated probability: pointwise binomial quantiles,
widened until that share of simulated multinomial histograms stays inside everywhere.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from scipy.special import bdtr, bdtrc, chdtrc

from inflationary_flows.seeding import derive_seed

_BAND_COVERAGE = 0.95
_SIMULATIONS = 4000


def rank_rows(fractions: np.ndarray, quantity: str, *, bins: int, seed: int) -> list[dict[str, Any]]:
    """Makes the histogram of one quantity's ranks.

    Arguments:
        fractions: Ranks as fractions in [0, 1), shape (replicates,); of integer ranks r among L draws
            (r + 1/2) / (L + 1).
        quantity: Name of the quantity.
        bins: Bins; for integer ranks a divisor of L + 1.
        seed: Seed of the band's simulation.

    Returns:
        Rows of quantity, bin (from 0), count, expected, lower, upper (simultaneous 95 % band), p_value (chi-square
        test of uniformity, the same in every row), replicates.
    """
    replicates = len(fractions)
    places = np.minimum((np.asarray(fractions) * bins).astype(int), bins - 1)
    counts = np.bincount(places, minlength=bins)
    lower, upper = simultaneous_band(replicates, bins, seed)
    statistic = np.square(counts - replicates / bins).sum() / (replicates / bins)
    p_value = float(chdtrc(bins - 1, statistic))
    return [
        {
            "quantity": quantity,
            "bin": place,
            "count": int(count),
            "expected": replicates / bins,
            "lower": lower,
            "upper": upper,
            "p_value": p_value,
            "replicates": replicates,
        }
        for place, count in enumerate(counts)
    ]


@cache
def simultaneous_band(replicates: int, bins: int, seed: int) -> tuple[int, int]:
    """Counts between which all bins of a uniform histogram lie together with probability 95 %."""
    random = np.random.default_rng(derive_seed("rank band", seed, replicates, bins))
    counts = random.multinomial(replicates, np.full(bins, 1 / bins), size=_SIMULATIONS)
    # How far out the most extreme bin of each simulated histogram lies, as a binomial tail probability.
    binomial = (replicates, 1 / bins)
    extreme = np.minimum(bdtr(counts.min(1), *binomial), bdtrc(counts.max(1) - 1, *binomial))
    tail = float(np.quantile(extreme, 1 - _BAND_COVERAGE))
    inside = np.arange(replicates + 1)
    inside = inside[(bdtr(inside, *binomial) >= tail) & (bdtrc(inside - 1, *binomial) >= tail)]
    return int(inside[0]), int(inside[-1])
