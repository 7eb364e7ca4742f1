"""Rank-normalised R-hat, effective sample sizes and BFMI of arrays of draws, as ArviZ computes them.

Sources: Vehtari, Gelman, Simpson, Carpenter and Buerkner (2021), Betancourt (2016).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from inflationary_flows.extras import needs

with needs("diagnostics of chains", "inference"):
    from arviz_stats.base import array_stats

# Quantiles whose smaller effective sample size is that of the tails.
_TAILS = (0.05, 0.95)


def rhat(draws: np.ndarray) -> np.ndarray:
    """R-hat of each quantity, shape (...), from draws, shape (chains, draws, ...)."""
    return np.asarray(array_stats.rhat(draws, chain_axis=0, draw_axis=1, method="rank"))


def ess(draws: np.ndarray, kind: Literal["bulk", "tail", "mean"] = "bulk") -> np.ndarray:
    """Effective sample size of each quantity, shape (...), from draws, shape (chains, draws, ...)."""
    prob = _TAILS if kind == "tail" else None
    return np.asarray(array_stats.ess(draws, chain_axis=0, draw_axis=1, method=kind, prob=prob))


def bfmi(energy: np.ndarray) -> np.ndarray:
    """Bayesian fraction of missing information of each chain, shape (chains,), from energies, shape (chains, draws)."""
    return np.asarray(array_stats.bfmi(energy, chain_axis=0, draw_axis=1))
