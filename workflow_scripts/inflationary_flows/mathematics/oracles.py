"""The exact denoiser of data whose density is known, in the eigenbasis of the data."""

from __future__ import annotations

import numpy as np
import torch

from inflationary_flows.mathematics.denoisers import MixtureDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.schedules import Schedule


def exact_denoiser(
    schedule: Schedule,
    basis: Eigenbasis,
    means: np.ndarray,
    weights: np.ndarray,
    covariance: np.ndarray,
) -> MixtureDenoiser:
    """The exact denoiser of a Gaussian mixture that is given in data units.

    Arguments:
        schedule: Kernel.
        basis: Eigenbasis of the data.
        means: Component means, shape (K, D), data units.
        weights: Their weights, shape (K,).
        covariance: Their common covariance, shape (D, D), or one of each, shape (K, D, D), data units squared.
    """
    basis.require_affine("exact denoiser")
    to_eigen = basis.vectors / basis.scale[:, None]
    return MixtureDenoiser(
        schedule,
        basis.to_eigen(torch.as_tensor(means)),
        torch.as_tensor(weights),
        to_eigen.T @ torch.as_tensor(covariance, dtype=torch.float64) @ to_eigen,
    )
