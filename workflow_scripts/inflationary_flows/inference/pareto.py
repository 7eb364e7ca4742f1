r"""The shape k of the tail of importance weights, which says whether their sum can be trusted.

The largest weights exceed a cutoff u by amounts e that are fitted by a generalised Pareto distribution,

    P(e > z) = (1 + k z / sigma)^(-1/k),

whose moments of order 1 / k and more are infinite: above k = .7 a mean of weights converges too slowly to be of use.
The fit is the empirical Bayes estimate of Zhang and Stephens (2009), with theta = -k / sigma, drawn to .5 by a prior
worth ten observations.  Source: Vehtari, Simpson, Gelman, Yao and Gabry (2024), appendix.

ArviZ 0 computes the same; ArviZ 1 has one weight less in the tail, and has no shape for weights that are all equal.
"""

from __future__ import annotations

import math

import numpy as np

_LEAST = 5
_SMALLEST = math.log(np.finfo(np.float64).tiny)


def tail_shapes(log_weights: np.ndarray) -> np.ndarray:
    """Shape k of each row's tail, shape (n,); infinite where fewer than five weights stand out.

    Arguments:
        log_weights: Logarithms of weights up to a constant of each row, shape (n, m).
    """
    return np.array([_tail_shape(row) for row in log_weights])


def _tail_shape(log_weights: np.ndarray) -> float:
    m = len(log_weights)
    ordered = np.sort(log_weights - log_weights.max())
    largest = math.ceil(min(m / 5, 3 * math.sqrt(m)))
    cutoff = max(ordered[-largest - 1], _SMALLEST)
    tail = ordered[ordered > cutoff]
    n = len(tail)
    if n < _LEAST:
        return math.inf
    excess = np.exp(tail) - math.exp(cutoff)
    grid = 30 + int(math.sqrt(n))
    quartile = excess[int(n / 4 + 0.5) - 1]
    theta = 1 / excess[-1] + (1 - np.sqrt(grid / (np.arange(grid) + 0.5))) / (3 * quartile)
    shape = np.log1p(-theta[:, None] * excess).mean(1)
    profile = n * (np.log(-theta / shape) - shape - 1)
    posterior = np.exp(profile - profile.max())
    mean = posterior @ theta / posterior.sum()
    return float((n * np.log1p(-mean * excess).mean() + 5) / (n + 10))
