r"""The posterior of a clean point given a noisy observation, with the flow as prior, in any number of dimensions.

    x_obs = x + N(0, C),    x = f(y),    y ~ N(0, I)

It is sampled in latents whitened by the Laplace approximation: one observation by NUTS, many of them by Hamiltonian
Monte Carlo that evaluates the chains of all observations together. In few dimensions `weighting` is cheaper.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.errors import InferenceError
from inflationary_flows.inference.batched_hmc import run_hmc
from inflationary_flows.inference.convergence import ess, rhat
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.laplace import fit_laplace
from inflationary_flows.inference.nuts import run_nuts
from inflationary_flows.mathematics.noise import NoiseLevel, noise_of
from inflationary_flows.seeding import derive_seed

# Gauss-Newton steps to the mode of many posteriors, which only centres their coordinates.
_ITERATIONS = 4


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
    noise_std: NoiseLevel,
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
        noise_std: Its noise, data units, as of `noise_of`, by name if the flow has names.
        chains, warmup, draws: Length of the sampling.
        seed: Seed of all chains.
        target_acceptance: Mean acceptance probability that the step size aims at.

    Raises:
        InferenceError: if x_obs has another shape, or there are fewer than two chains.
        DataError: if the noise is none.
    """
    observed = torch.as_tensor(np.asarray(x_obs), dtype=torch.float64)
    if observed.shape != (decoder.dimension,):
        raise InferenceError(
            "x_obs", f"shape ({decoder.dimension},)", f"shape {tuple(observed.shape)}", "pass one observation at a time"
        )
    noise = noise_of(noise_std, decoder.dimension, columns=decoder.flow.columns)
    if chains < 2:
        raise InferenceError("chains", "at least 2", str(chains), "one chain cannot show that it has converged")
    whitening = fit_laplace(decoder, observed[None], noise)

    def log_density(eta: Tensor) -> Tensor:
        y = whitening.to_latents(eta[:, None])[:, 0]
        return noise.log_likelihood(decoder(y) - observed) - y.square().sum(1) / 2

    streams = [np.random.default_rng(derive_seed("clean point start", seed, number)) for number in range(chains)]
    runs = run_nuts(
        log_density,
        torch.from_numpy(np.stack([random.standard_normal(decoder.dimension) for random in streams])),
        seeds=[derive_seed("clean point", seed, number) for number in range(chains)],
        warmup=warmup,
        draws=draws,
        target_acceptance=target_acceptance,
    )
    eta = torch.from_numpy(np.stack([run.draws for run in runs]))
    with torch.no_grad():
        y = whitening.to_latents(eta[:, :, None])[:, :, 0]
        x = decoder(y.flatten(0, 1)).view_as(y).numpy()
    return CleanPosterior(
        x=x,
        y=y.numpy(),
        rhat=rhat(x),
        ess=ess(x),
        divergences=int(sum(run.diverging.sum() for run in runs)),
    )


@dataclass(frozen=True)
class CleanPosteriors:
    """Draws of n clean points, each given its observation.

    Attributes:
        x: Clean points, shape (n, chains, draws, D), data units.
        log_density: log p(x_obs | x) + log p(y) of their latents y, nats, shape (n, chains, draws).
        rhat: Rank-normalised R-hat of each coordinate of x, and last of the log density, shape (n, D + 1).
        ess: Bulk effective sample size of the same.
        divergences: Divergent trajectories of each observation, shape (n,).
        acceptance: Mean acceptance probability of each observation, shape (n,).
        gradients: Batched gradients.
    """

    x: np.ndarray
    log_density: np.ndarray
    rhat: np.ndarray
    ess: np.ndarray
    divergences: np.ndarray
    acceptance: np.ndarray
    gradients: int


def sample_clean_posteriors(
    decoder: Decoder,
    x_obs: np.ndarray,
    noise_std: NoiseLevel,
    *,
    starts: np.ndarray,
    warmup: int = 60,
    draws: int = 200,
    leapfrogs: int = 6,
    target_acceptance: float = 0.65,
    seed: int = 0,
    numbers: Sequence[int] | None = None,
) -> CleanPosteriors:
    """Samples the posteriors of many clean points at once.

    Coordinates are whitened by the mode of each posterior and the mean curvature at the starts of its chains, which lie
    where draws will be: a flow that bends is steeper there than at the mode.

    Arguments:
        decoder: The flow.
        x_obs: Observations, shape (n, D), data units.
        noise_std: Their noise, data units, as of `noise_of`, by name if the flow has names.
        starts: Clean points where chains start, shape (n, chains, D), spread wider than the posterior, so that R-hat
            can tell chains that stay where they started.
        warmup, draws, leapfrogs, target_acceptance, seed, numbers: As of `run_hmc`, an observation being a group.

    Raises:
        InferenceError: if shapes do not fit, or there are fewer than two chains.
        DataError: if the noise is none.
    """
    observed = torch.as_tensor(np.asarray(x_obs), dtype=torch.float64)
    n, dimension = len(observed), decoder.dimension
    if observed.shape != (n, dimension) or starts.ndim != 3 or starts.shape[::2] != (n, dimension):
        raise InferenceError(
            "x_obs and starts",
            f"shapes (n, {dimension}) and (n, chains, {dimension})",
            f"{tuple(observed.shape)} and {starts.shape}",
            "give each observation a row, and its chains their starts",
        )
    noise = noise_of(noise_std, decoder.dimension, columns=decoder.flow.columns)
    chains = starts.shape[1]
    if chains < 2:
        raise InferenceError("chains", "at least 2", str(chains), "one chain cannot show that it has converged")
    whitening = fit_laplace(decoder, observed, noise, iterations=_ITERATIONS)
    y_start = decoder.encode(starts.reshape(n * chains, dimension))
    jacobian = torch.cat([decoder.jacobian(part)[1] for part in y_start.split(decoder.flow.batch_size)])
    information = noise.information(jacobian).unflatten(0, (n, chains)).mean(1)
    covariance = torch.linalg.inv(information + torch.eye(dimension, dtype=torch.float64))
    whitening = replace(whitening, factor=torch.linalg.cholesky((covariance + covariance.mT) / 2))

    def latents(eta: Tensor) -> Tensor:
        """Whitened latents of coordinates of shape (n, ..., D)."""
        return whitening.to_latents(eta.movedim(0, -2)).movedim(-2, 0)

    def log_density(eta: Tensor) -> Tensor:
        y = latents(eta.unflatten(0, (n, chains)))
        x = decoder(y.flatten(0, 1)).view_as(y)
        return (noise.log_likelihood(x - observed[:, None]) - y.square().sum(-1) / 2).flatten()

    away = (y_start.unflatten(0, (n, chains)) - whitening.mode[:, None]).mT
    eta_start = torch.linalg.solve_triangular(whitening.factor, away, upper=False).mT
    run = run_hmc(
        log_density,
        eta_start,
        warmup=warmup,
        draws=draws,
        leapfrogs=leapfrogs,
        target_acceptance=target_acceptance,
        seed=seed,
        numbers=numbers,
    )
    with torch.no_grad():
        y = latents(run.draws)
        x = decoder(y.flatten(0, 2)).view_as(y).numpy()
    values = run.log_density.numpy()
    drawn = np.concatenate([x, values[..., None]], 3)
    # Chains that never move have an infinite R-hat, or none: they pass no gate.
    with np.errstate(divide="ignore", invalid="ignore"):
        r_hat = np.nan_to_num([rhat(each) for each in drawn], nan=np.inf, posinf=np.inf)
        sizes = np.stack([ess(each) for each in drawn])
    return CleanPosteriors(
        x=x,
        log_density=values - dimension / 2 * math.log(2 * math.pi),
        rhat=r_hat,
        ess=sizes,
        divergences=run.divergences,
        acceptance=run.acceptance,
        gradients=run.gradients,
    )
