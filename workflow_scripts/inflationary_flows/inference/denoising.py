r"""The posterior of a clean point given a noisy observation, with the flow as prior.

    x_obs = x + N(0, sigma^2 I),    x = f(y),    y ~ N(0, I)

In few dimensions by importance weights over a pool of samples of the prior (any prior that can be sampled, the exact
density of a toy among them); in any number by NUTS in latents that the linearised posterior whitens.
"""

from __future__ import annotations

from dataclasses import dataclass

import arviz
import numpy as np
import torch
from scipy.special import logsumexp
from torch import Tensor

from inflationary_flows.errors import InferenceError
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.joint import gaussian_log_likelihood
from inflationary_flows.inference.linearised import linearise
from inflationary_flows.inference.nuts import run_nuts
from inflationary_flows.seeding import derive_seed

# Numbers held at once by a chunk of weights: 2**23 float64 are 64 MB.
_CHUNK_ELEMENTS = 2**23
_MOST_DIMENSIONS = 3


@dataclass(frozen=True)
class WeightedPool:
    """Posteriors of several observations as weights over the same samples of the prior.

    Attributes:
        points: Samples of the prior, shape (m, D).
        weights: Weights, rows adding up to 1, shape (n, m).
        ess: Effective sample sizes 1 / sum of squared weights, shape (n,).
    """

    points: np.ndarray
    weights: np.ndarray
    ess: np.ndarray

    def mean(self) -> np.ndarray:
        """Posterior means, shape (n, D)."""
        return self.weights @ self.points

    def covariance(self) -> np.ndarray:
        """Posterior covariances, shape (n, D, D)."""
        mean = self.mean()
        second = np.einsum("nm,mi,mj->nij", self.weights, self.points, self.points, optimize=True)
        return second - mean[:, :, None] * mean[:, None, :]

    def resample(self, draws: int, seed: int) -> np.ndarray:
        """Draws from each posterior with replacement, shape (n, draws, D)."""
        chosen = [
            np.random.default_rng(derive_seed("resampling", seed, row)).choice(len(self.points), draws, p=weights)
            for row, weights in enumerate(self.weights)
        ]
        return self.points[np.stack(chosen)]


def weigh_pool(points: np.ndarray, x_obs: np.ndarray, noise_std: float, *, minimum_ess: float = 50.0) -> WeightedPool:
    """Weighs samples of the prior by the likelihood of each observation.

    Arguments:
        points: Samples of the prior, shape (m, D), data units.
        x_obs: Observations, shape (n, D), data units.
        noise_std: Their noise sigma, data units.
        minimum_ess: Fewer effective samples are refused.

    Raises:
        InferenceError: if shapes disagree, D is above 3, the noise is not positive, or the weights collapse onto too
            few samples.
    """
    if points.ndim != 2 or x_obs.ndim != 2 or points.shape[1] != x_obs.shape[1]:
        raise InferenceError(
            "x_obs", f"shape (n, {points.shape[-1]})", f"shape {x_obs.shape}", "pass one row per observation"
        )
    if points.shape[1] > _MOST_DIMENSIONS:
        raise InferenceError(
            "x_obs", f"at most {_MOST_DIMENSIONS} dimensions", str(points.shape[1]), "use sample_clean_posterior"
        )
    if not noise_std > 0:
        raise InferenceError("noise_std", "a number > 0", f"{noise_std:g}", "give the standard deviation of the noise")
    weights = np.empty((len(x_obs), len(points)))
    rows = max(1, _CHUNK_ELEMENTS // len(points))
    for first in range(0, len(x_obs), rows):
        part = x_obs[first : first + rows]
        square = sum((part[:, None, i] - points[None, :, i]) ** 2 for i in range(points.shape[1]))
        log_weights = -square / (2 * noise_std**2)
        weights[first : first + rows] = np.exp(log_weights - logsumexp(log_weights, axis=1, keepdims=True))
    ess = 1 / np.square(weights).sum(1)
    if len(ess) and ess.min() < minimum_ess:
        raise InferenceError(
            f"posterior of observation {int(ess.argmin())}",
            f"an effective sample size of at least {minimum_ess:g}",
            f"{ess.min():.1f} of {len(points)} samples",
            "draw a larger pool, or check that the observation can come from these data at this noise",
        )
    return WeightedPool(points, weights, ess)


@dataclass(frozen=True)
class CleanPosterior:
    """Draws of one clean point and its latent.

    Attributes:
        x: Clean points, shape (chains, draws, D), data units.
        y: Whitened latents, shape (chains, draws, D).
        rhat: Rank-normalised R-hat of each coordinate of x, shape (D,).
        ess: Bulk effective sample size of each coordinate of x, shape (D,).
        divergences: Divergent trajectories.
    """

    x: np.ndarray
    y: np.ndarray
    rhat: np.ndarray
    ess: np.ndarray
    divergences: int


def sample_clean_posterior(
    decoder: Decoder,
    x_obs: np.ndarray,
    noise_std: float,
    *,
    chains: int = 4,
    warmup: int = 300,
    draws: int = 500,
    seed: int = 0,
    target_acceptance: float = 0.8,
) -> CleanPosterior:
    """Samples the posterior of one clean point by NUTS in whitened latents, for data of any dimension.

    Arguments:
        decoder: The flow.
        x_obs: The observation, shape (D,), data units.
        noise_std: Its noise sigma, data units.
        chains, warmup, draws: Length of the sampling.
        seed: Seed of all chains.
        target_acceptance: Mean acceptance probability that the step size aims at.

    Raises:
        InferenceError: if x_obs has another shape, the noise is not positive, or there are fewer than two chains.
    """
    observed = torch.as_tensor(np.asarray(x_obs), dtype=torch.float64)
    if observed.shape != (decoder.dimension,):
        raise InferenceError(
            "x_obs", f"shape ({decoder.dimension},)", f"shape {tuple(observed.shape)}", "pass one observation at a time"
        )
    if not noise_std > 0:
        raise InferenceError("noise_std", "a number > 0", f"{noise_std:g}", "give the standard deviation of the noise")
    if chains < 2:
        raise InferenceError("chains", "at least 2", str(chains), "one chain cannot show that it has converged")
    whitening = linearise(decoder, observed[None], noise_std)

    def log_density(eta: Tensor) -> Tensor:
        y = whitening.to_latents(eta[None])
        return gaussian_log_likelihood(decoder(y), observed, noise_std).sum() - y.square().sum() / 2

    runs = []
    for number in range(chains):
        chain_seed = derive_seed("clean point", seed, number)
        random = np.random.default_rng(derive_seed("clean point start", seed, number))
        start = torch.from_numpy(random.standard_normal(decoder.dimension))
        runs.append(
            run_nuts(
                log_density, start, warmup=warmup, draws=draws, seed=chain_seed, target_acceptance=target_acceptance
            )
        )
    eta = torch.from_numpy(np.stack([run.draws for run in runs]))
    with torch.no_grad():
        y = whitening.to_latents(eta[:, :, None])[:, :, 0]
        x = decoder(y.flatten(0, 1)).view_as(y).numpy()
    dataset = arviz.convert_to_dataset({"x": x})
    return CleanPosterior(
        x=x,
        y=y.numpy(),
        rhat=arviz.rhat(dataset, method="rank")["x"].values,
        ess=arviz.ess(dataset, method="bulk")["x"].values,
        divergences=int(sum(run.diverging.sum() for run in runs)),
    )
