r"""Proposals for latents given noisy observations: a multivariate t for each, around its Laplace approximation.

Tails are heavier than those of any Gaussian prior, and likelihoods are bounded, so that importance weights are bounded.
Where the flow bends, the t is fitted again to its own weighted particles.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

# Degrees of freedom: tails heavy enough to bound the weights, with few particles in them.
_FREEDOM = 5.0
# Share of the Laplace covariance that is added to a fitted covariance, and by how much this is widened.
_FLOOR, _WIDER = 0.25, 1.5


def standard_t(random: np.random.Generator, shape: tuple[int, ...]) -> Tensor:
    """Draws of the standard multivariate t, float64; the last axis of the shape is that of coordinates."""
    normal = random.standard_normal(shape)
    return torch.from_numpy(normal / np.sqrt(random.chisquare(_FREEDOM, shape[:-1]) / _FREEDOM)[..., None])


def place(t: Tensor, centre: Tensor, factor: Tensor) -> tuple[Tensor, Tensor]:
    """Latents of draws of the standard t, shape (..., n, m, D), and their log densities, shape (..., n, m).

    Arguments:
        t: Draws, m for each of n observations.
        centre: Centres of the proposals, shape (n, D).
        factor: Lower triangular factors of their scales, shape (n, D, D).
    """
    dimension = t.shape[-1]
    y = centre[:, None] + torch.einsum("nij,...nmj->...nmi", factor, t)
    norm = math.lgamma((_FREEDOM + dimension) / 2) - math.lgamma(_FREEDOM / 2)
    norm -= dimension * math.log(_FREEDOM * math.pi) / 2
    log_volume = torch.diagonal(factor, dim1=1, dim2=2).log().sum(1)
    tail = (_FREEDOM + dimension) / 2 * torch.log1p(t.square().sum(-1) / _FREEDOM)
    return y, norm - log_volume[:, None] - tail


def refit(y: Tensor, share: Tensor, factor: Tensor) -> tuple[Tensor, Tensor]:
    """Centres and factors of proposals that fit weighted particles.

    Arguments:
        y: Particles, shape (n, m, D).
        share: Their weights, shape (n, m); those of an observation add up to 1.
        factor: Factors of the Laplace approximations, shape (n, D, D).
    """
    mean = torch.einsum("nm,nmi->ni", share, y)
    offset = y - mean[:, None]
    covariance = torch.einsum("nm,nmi,nmj->nij", share, offset, offset)
    # If one particle has all the weight, the weighted covariance vanishes: the proposal must not collapse.
    return mean, torch.linalg.cholesky(_WIDER * covariance + _FLOOR * factor @ factor.mT)
