r"""The joint posterior of mixture weights and latents given noisy observations, as a density for NUTS.

    log p(w, y | x) = log Dir(w; 1) + sum_i [ log sum_k w_k N(y_i; mu_k, s_k^2) + log N(x_i; f(y_i), C) ]

The sampler moves in theta = (v, eta), where v are stick-breaking coordinates of the weights, and eta_i stands for the
latent of observation i in one of two systems of coordinates:

    latent      y_i = eta_i, as in the paper: scales differ between observations, trajectories are long
    data        f(y_i) = centre_i + data_factor_i eta_i, whitened by the Laplace approximation of the clean point

Where a flow separates neighbours (between the circles), f is so steep that the likelihood is a wall in y, and the
steepest wall limits the step size. In data coordinates the likelihood is exactly Gaussian. The price is the change of
volume, log |det d f^-1 / dx|, and its gradient.

A flow that reduces dimensions cuts the data open: at the seam the prior density jumps, and its gradient is a spike that
no step size resolves. The force on each observation is therefore clipped to a maximal length. The sampler stays exact:
leapfrog steps with any force that depends on position alone are reversible and preserve volume, and trajectories are
weighted by true energies.

Cost: a gradient takes one integration of all n points of all chains, with D tangents in data coordinates, and its
backward pass.  `particle_gibbs` samples the same posterior without gradients, at a small share of that: this density is
here for comparison, with the paper's setting and with what is best for NUTS.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.errors import InferenceError
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.laplace import LaplaceApproximation
from inflationary_flows.inference.latent_mixture import LatentMixture, Simplex, require_matching
from inflationary_flows.mathematics.noise import NoiseLevel, noise_of
from inflationary_flows.seeding import derive_seed

# Whitened forces are of order one, and a few times that in the tails of a posterior.
_MOST_FORCE = 6.0

LatentCoordinates = Literal["latent", "data"]


class JointPosterior:
    """Log density of theta = (v, eta), a vector of length K - 1 + n D, or of many such vectors at once.

    Arguments:
        decoder: The flow.
        mixture: Components of the prior; its weights are unknown here and not used.
        x_obs: Observations, shape (n, D), data units.
        noise_std: Their noise, data units, as of `noise_of`.
        laplace: Laplace approximations of these observations: where chains start, and the whitening. Optional in
            `latent` coordinates for chains with a given start.
        coordinates: Coordinates eta of the latents.

    Raises:
        InferenceError: if mixture, observations and Laplace approximations do not belong together.
        DataError: if the noise is none.
    """

    def __init__(
        self,
        decoder: Decoder,
        mixture: LatentMixture,
        x_obs: Tensor,
        noise_std: NoiseLevel,
        laplace: LaplaceApproximation | None,
        coordinates: LatentCoordinates = "data",
    ) -> None:
        require_matching(decoder, mixture, x_obs, laplace)
        if laplace is None and coordinates != "latent":
            got = f"one, for {coordinates} coordinates"
            raise InferenceError("Laplace approximation", got, "none", "use fit_laplace")
        self.decoder = decoder
        self.mixture = mixture
        self.x_obs = x_obs.double()
        self.noise = noise_of(noise_std, decoder.dimension, columns=decoder.flow.columns)
        self._laplace = laplace
        self.coordinates = coordinates
        self.simplex = Simplex(mixture.components)

    @property
    def laplace(self) -> LaplaceApproximation:
        """The Laplace approximation; InferenceError if there is none."""
        if self._laplace is None:
            raise InferenceError("Laplace approximation", "one, to start from", "none", "use fit_laplace")
        return self._laplace

    @property
    def size(self) -> int:
        """Length of theta."""
        return self.mixture.components - 1 + self.x_obs.numel()

    def __call__(self, theta: Tensor) -> Tensor:
        """Log densities of theta, shape (..., size) to (...), up to a constant; their points are one batch."""
        v, eta = self._split(theta)
        if eta.requires_grad and self.coordinates != "latent":
            eta.register_hook(_limited)
        weights = self.simplex.weights(v)
        y, x, log_volume = self._points(eta)
        prior = torch.logsumexp(self.mixture.log_components(y) + weights.log()[..., None, :], -1) + log_volume
        likelihood = self.noise.log_likelihood(x - self.x_obs)
        return self.simplex.log_prior(v, weights) + (prior + likelihood).sum(-1)

    def _split(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """v and eta, shapes (..., K - 1) and (..., n, D)."""
        v = theta[..., : self.mixture.components - 1]
        return v, theta[..., self.mixture.components - 1 :].unflatten(-1, self.x_obs.shape)

    def _points(self, eta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Latents y, clean points f(y), and log |det dy / d eta| up to a constant, for eta of shape (..., n, D)."""
        if self.coordinates == "data":
            x = self.laplace.to_data(eta)
            y, jacobian = self.decoder.encode_with_jacobian(x.reshape(-1, x.shape[-1]))
            log_volume = torch.linalg.slogdet(jacobian).logabsdet
            return y.view_as(x), x, log_volume.view(x.shape[:-1])
        return eta, self.decoder(eta.reshape(-1, eta.shape[-1])).view_as(eta), eta.new_zeros(eta.shape[:-1])

    @torch.no_grad()
    def split_draws(self, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights, shape (m, K), and whitened latents, shape (m, n, D), of draws of theta, shape (m, size)."""
        v, eta = self._split(torch.from_numpy(draws))
        weights = self.simplex.weights(v)
        if self.coordinates == "data":
            eta = self.decoder.encode(self.laplace.to_data(eta).flatten(0, 1)).view_as(eta)
        return weights.numpy(), eta.numpy()

    def start(self, seed: int) -> Tensor:
        """An over-dispersed first position: weights from their prior, latents from the Laplace approximation."""
        generator = torch.Generator().manual_seed(derive_seed("start", seed))
        exponentials = torch.empty(self.mixture.components, dtype=torch.float64).exponential_(generator=generator)
        eta = torch.randn(self.x_obs.shape, generator=generator, dtype=torch.float64)
        if self.coordinates == "latent":
            eta = self.laplace.to_latents(eta)
        return torch.cat([self.simplex.coordinates(exponentials / exponentials.sum()), eta.flatten()])

    def starts(self, seeds: Sequence[int]) -> Tensor:
        """First positions of chains, shape (chains, size)."""
        return torch.stack([self.start(seed) for seed in seeds])

    def at(self, weights: Tensor, y: Tensor) -> Tensor:
        """theta of given weights, shape (K,), and whitened latents, shape (n, D)."""
        eta = y
        if self.coordinates == "data":
            with torch.no_grad():
                offset = self.decoder(y) - self.laplace.centre
            eta = torch.linalg.solve_triangular(self.laplace.data_factor, offset[..., None], upper=False)[..., 0]
        return torch.cat([self.simplex.coordinates(weights), eta.flatten()])


def _limited(force: Tensor) -> Tensor:
    """Clips each force, shape (..., n, D), to a maximal length."""
    return force * (_MOST_FORCE / force.norm(dim=-1, keepdim=True).clamp(min=_MOST_FORCE))


def gaussian_log_likelihood(x: Tensor, x_obs: Tensor, noise_std: NoiseLevel) -> Tensor:
    """log N(x_obs; x, C), summed over the last axis, broadcast over the others; noise as of `noise_of`."""
    return noise_of(noise_std, x_obs.shape[-1]).log_likelihood(x - x_obs)
