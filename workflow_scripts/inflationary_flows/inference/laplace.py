r"""The Laplace approximation of latents given noisy observations of the data they generate.

For x_obs = f(y) + N(0, C) and a Gaussian prior N(m, diag(1 / p)) each posterior is close to

    N(mode, (J^T C^-1 J + diag p)^-1),    J = df/dy at the mode,

which whitens it: with y = mode + factor eta, factor factor^T = covariance, eta is close to N(0, I).  Its push-forward
N(f(mode), J covariance J^T) whitens the clean point x = f(y).  Levenberg and Marquardt's damped Gauss-Newton steps
start from y = f^-1(x_obs), all observations at once.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.gauss_newton import minimise
from inflationary_flows.mathematics.noise import NoiseLevel, noise_of


@dataclass(frozen=True)
class LaplaceApproximation:
    """Gaussian approximations of n independent latent posteriors.

    Attributes:
        mode: Modes, shape (n, D), whitened latents.
        factor: Lower triangular factors of the covariances, shape (n, D, D).
        centre: f(mode), shape (n, D), data units.
        data_factor: Lower triangular factors of J covariance J^T, shape (n, D, D), data units.
    """

    mode: Tensor
    factor: Tensor
    centre: Tensor
    data_factor: Tensor

    def __len__(self) -> int:
        return len(self.mode)

    def first(self, n: int) -> LaplaceApproximation:
        """Those of the first n observations."""
        return LaplaceApproximation(self.mode[:n], self.factor[:n], self.centre[:n], self.data_factor[:n])

    def to_latents(self, eta: Tensor) -> Tensor:
        """Whitened latents y = mode + factor eta, for eta of shape (..., n, D)."""
        return self.mode + torch.einsum("nij,...nj->...ni", self.factor, eta)

    def to_data(self, eta: Tensor) -> Tensor:
        """Clean points x = centre + data_factor eta, for eta of shape (..., n, D)."""
        return self.centre + torch.einsum("nij,...nj->...ni", self.data_factor, eta)


def fit_laplace(
    decoder: Decoder,
    x_obs: Tensor,
    noise_std: NoiseLevel,
    prior_precision: Tensor | None = None,
    prior_mean: Tensor | None = None,
    *,
    iterations: int = 8,
) -> LaplaceApproximation:
    """Finds mode and curvature of every observation's latent posterior.

    Arguments:
        decoder: The flow.
        x_obs: Observations, shape (n, D), data units.
        noise_std: Their noise, data units, as of `noise_of`.
        prior_precision: p, shape (D,); ones if absent.
        prior_mean: m, shape (D,); zeros if absent.
        iterations: Damped Gauss-Newton steps; observations whose step fails repeat it with more damping.

    Returns:
        Modes and factors; an approximation that need not have converged, since samplers correct it.
    """
    dimension = decoder.dimension
    noise = noise_of(noise_std, dimension, columns=decoder.flow.columns)
    ones = torch.ones(dimension, dtype=torch.float64)
    precision = ones if prior_precision is None else prior_precision.double()
    mean = 0 * ones if prior_mean is None else prior_mean.double()
    x_obs = x_obs.double()
    batch = decoder.flow.batch_size
    if len(x_obs) > batch:
        # The Jacobian keeps its graph: memory is bounded by the batch.
        parts = [
            fit_laplace(decoder, part, noise, prior_precision, prior_mean, iterations=iterations)
            for part in x_obs.split(batch)
        ]
        return LaplaceApproximation(
            *(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(LaplaceApproximation))
        )

    def information(y: Tensor) -> tuple[Tensor, ...]:
        x, jacobian = decoder.jacobian(y)
        value = (noise.whiten(x_obs - x).square().sum(1) + (precision * (y - mean).square()).sum(1)) / 2
        white, away = noise.spherical(jacobian.mT).mT, noise.spherical(x - x_obs)
        gradient = torch.einsum("nij,ni->nj", white, away) / noise.scale**2 + precision * (y - mean)
        return value, gradient, noise.information(jacobian) + torch.diag(precision), x, jacobian

    y, (_, _, curvature, x, jacobian) = minimise(information, decoder.encode(x_obs), iterations)
    covariance = torch.linalg.inv(curvature)
    return LaplaceApproximation(y, _factor(covariance), x, _factor(jacobian @ covariance @ jacobian.mT))


def _factor(covariance: Tensor) -> Tensor:
    """Lower triangular factors of symmetric positive matrices, shape (n, D, D)."""
    return torch.linalg.cholesky((covariance + covariance.mT) / 2)
