r"""The generative mixture of the calibration experiment, in whitened latents.

    k ~ Categorical(w),   y ~ N(mu_k, diag(s_k^2)),   z = latent_std y,   x = f(z) + N(0, C)

Unknown are the weights w, with the prior Dirichlet(1, ..., 1): uniform on the simplex.  (Softmax logits without a
prior, as in the authors' script, are improper: adding a constant to all of them changes nothing.)

Source: calibration experiment of de Albuquerque and Pearson (2024), figure 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.distributions import StickBreakingTransform

from inflationary_flows.errors import InferenceError
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.laplace import LaplaceApproximation
from inflationary_flows.mathematics.noise import NoiseLevel, noise_of
from inflationary_flows.seeding import derive_seed


@dataclass(frozen=True)
class LatentMixture:
    """A Gaussian mixture with diagonal covariances in whitened latents.

    Attributes:
        weights: Weights of the components, shape (K,).
        means: Means, shape (K, D), units of the latent standard deviation.
        stds: Standard deviations, shape (K, D), same units.

    Raises:
        InferenceError: if shapes disagree, a standard deviation is not positive, or the weights are no distribution.
    """

    weights: Tensor
    means: Tensor
    stds: Tensor

    def __post_init__(self) -> None:
        shapes = f"{tuple(self.weights.shape)}, {tuple(self.means.shape)}, {tuple(self.stds.shape)}"
        if self.means.ndim != 2 or self.means.shape != self.stds.shape or self.weights.shape != self.means.shape[:1]:
            raise InferenceError(
                "mixture",
                "weights (K,), means (K, D) and standard deviations (K, D)",
                f"shapes {shapes}",
                "give every component a weight, and every coordinate of the data set a mean and a deviation",
            )
        if not bool((self.stds > 0).all()):
            raise InferenceError("mixture.stds", "numbers > 0", str(self.stds.tolist()), "make them positive")
        if not bool((self.weights > 0).all()) or abs(float(self.weights.sum()) - 1) > 1e-9:
            raise InferenceError(
                "mixture.weights", "positive numbers that add up to 1", str(self.weights.tolist()), "normalise them"
            )

    @classmethod
    def of(cls, weights: list[float], means: list[list[float]], stds: list[list[float]]) -> LatentMixture:
        """Makes a mixture from plain lists."""
        return cls(*(torch.tensor(values, dtype=torch.float64) for values in (weights, means, stds)))

    @property
    def components(self) -> int:
        """Number of components K."""
        return len(self.weights)

    @property
    def dimension(self) -> int:
        """Number of coordinates D."""
        return self.means.shape[1]

    def log_components(self, y: Tensor) -> Tensor:
        """log N(y; mu_k, diag(s_k^2)) for whitened latents of shape (..., D), shape (..., K)."""
        scaled = (y[..., None, :] - self.means) / self.stds
        norm = self.stds.log().sum(-1) + self.dimension * math.log(2 * math.pi) / 2
        return -scaled.square().sum(-1) / 2 - norm

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean and variances of the whole mixture with equal weights, shape (D,) each."""
        mean = self.means.mean(0)
        return mean, (self.stds.square() + (self.means - mean).square()).mean(0)

    def sample(self, n: int, seed: int, weights: np.ndarray | None = None) -> tuple[Tensor, Tensor]:
        """Draws whitened latents, shape (n, D), and their components, shape (n,); fewer are the first of more."""
        w = self.weights.numpy() if weights is None else weights
        uniform = np.random.default_rng(derive_seed("component", seed)).random(n)
        component = torch.from_numpy(np.minimum(np.searchsorted(np.cumsum(w), uniform), self.components - 1))
        noise = np.random.default_rng(derive_seed("latent", seed)).standard_normal((n, self.dimension))
        return self.means[component] + self.stds[component] * torch.from_numpy(noise), component


def require_matching(
    decoder: Decoder, mixture: LatentMixture, x_obs: Tensor, laplace: LaplaceApproximation | None
) -> None:
    """Raises InferenceError if mixture, observations, shape (n, D), and Laplace approximations do not fit the flow."""
    if x_obs.ndim != 2 or x_obs.shape[1] != decoder.dimension or mixture.dimension != decoder.dimension:
        raise InferenceError(
            "observations",
            f"shape (n, {decoder.dimension}) and a mixture of that dimension, as the flow has",
            f"shape {tuple(x_obs.shape)} and dimension {mixture.dimension}",
            "take observations and mixture of the flow's own data set",
        )
    if laplace is not None and len(laplace) != len(x_obs):
        raise InferenceError(
            "Laplace approximation", f"{len(x_obs)} observations", str(len(laplace)), "fit it to these observations"
        )


@dataclass(frozen=True)
class Observations:
    """Synthetic observations of the mixture seen through a flow.

    Attributes:
        y: Whitened latents, shape (n, D).
        component: Their components, shape (n,).
        clean: f(y), shape (n, D), data units.
        x: Noisy observations, shape (n, D), data units.
    """

    y: Tensor
    component: Tensor
    clean: Tensor
    x: Tensor


@torch.no_grad()
def observe(
    decoder: Decoder,
    mixture: LatentMixture,
    n: int,
    noise_std: NoiseLevel,
    seed: int,
    weights: np.ndarray | None = None,
) -> Observations:
    """Draws n observations; fewer are the first of more.

    Arguments:
        decoder: The flow.
        mixture: Generative mixture.
        n: Number of observations.
        noise_std: The noise, data units, as of `noise_of`.
        seed: Seed of components, latents and noise.
        weights: Weights other than the mixture's own, shape (K,).

    Raises:
        InferenceError: if the mixture has another dimension than the flow.
        DataError: if the noise is none.
    """
    if mixture.dimension != decoder.dimension:
        raise InferenceError(
            "mixture.means",
            f"{decoder.dimension} coordinates, as the flow has",
            str(mixture.dimension),
            "describe a mixture for this data set, or name a data set of that dimension",
        )
    noise = noise_of(noise_std, decoder.dimension, columns=decoder.flow.columns)
    y, component = mixture.sample(n, seed, weights)
    clean = decoder(y)
    return Observations(y, component, clean, add_noise(clean, noise, seed))


def add_noise(clean: Tensor, noise_std: NoiseLevel, seed: int) -> Tensor:
    """Observations of clean points, shape (n, D), with the noise of a seed."""
    noise = noise_of(noise_std, clean.shape[-1])
    return clean + noise.sample(len(clean), derive_seed("observation noise", seed))


class Simplex:
    """Unconstrained coordinates v in R^(K-1) of weights on the simplex, by stick breaking; v = 0 are equal weights."""

    def __init__(self, components: int) -> None:
        self.components = components
        self._transform = StickBreakingTransform()

    def weights(self, v: Tensor) -> Tensor:
        """Weights, shape (..., K), of coordinates of shape (..., K - 1)."""
        result: Tensor = self._transform(v)
        return result

    def coordinates(self, weights: Tensor) -> Tensor:
        """Coordinates, shape (..., K - 1), of weights of shape (..., K)."""
        result: Tensor = self._transform.inv(weights)
        return result

    def log_prior(self, v: Tensor, weights: Tensor) -> Tensor:
        """Log density of v where w ~ Dirichlet(1, ..., 1), shape (...)."""
        volume: Tensor = self._transform.log_abs_det_jacobian(v, weights)
        return volume + math.lgamma(self.components)
