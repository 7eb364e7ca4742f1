"""Weighted particles: how far a likelihood can be taken, and which particles are left."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

# Powers are found between 2^-40 and 1: those of known cells are tiny.
_SMALLEST = -40.0


def relative(log_weights: Tensor) -> Tensor:
    """Log weights relative to the largest of each row, those of impossible particles very small."""
    values = torch.nan_to_num(log_weights, nan=-math.inf, neginf=-1e300)
    return values - values.amax(1, keepdim=True)


def effective_number(weights: Tensor) -> Tensor:
    """Effective particles of weights that add up to one, shape (..., n) to (...)."""
    return 1 / weights.square().sum(-1)


def largest_power(log_weights: Tensor, effective: float, besides: Tensor | float = 0.0) -> Tensor:
    """The largest power of weights, up to 1, that leaves so many effective particles, shape (rows, n) to (rows, 1).

    Log weights that are to be taken besides are added at every power.
    """
    finite = relative(log_weights)

    def enough(power: Tensor) -> Tensor:
        return effective_number((besides + power * finite).softmax(1))[:, None] >= effective

    low, high = finite.new_full((len(finite), 1), _SMALLEST), finite.new_zeros(len(finite), 1)
    done = enough(high.exp2())
    for _ in range(30):
        middle = (low + high) / 2
        fits = enough(middle.exp2())
        low, high = torch.where(fits, middle, low), torch.where(fits, high, middle)
    return torch.where(done, 1.0, low.exp2())


def effective_share(log_weights: Tensor) -> float:
    """Effective particles, as a share of all, shape (1, n)."""
    return float(effective_number(relative(log_weights).softmax(1))) / log_weights.shape[1]


def tempered(log_weights: Tensor, effective: float) -> Tensor:
    """Log weights, shape (rows, n), to their largest power that leaves so many effective particles."""
    return largest_power(log_weights, effective) * relative(log_weights)


def resampled(weights: Tensor, n: int, random: np.random.Generator) -> Tensor:
    """Numbers of n particles by systematic resampling, in their order."""
    edges = torch.cumsum(weights, 0)
    places = (torch.arange(n) + random.random()) / n * float(edges[-1])
    return torch.searchsorted(edges, places).clamp(max=len(weights) - 1)
