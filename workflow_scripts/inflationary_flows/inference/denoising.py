r"""The posterior of a clean point given a noisy observation, with the flow as prior, in any number of dimensions.

    x_obs = x + N(0, sigma^2 I),    x = f(y),    y ~ N(0, I)

It is sampled by NUTS in latents whitened by the Laplace approximation; in few dimensions `weighting` is cheaper.
"""

from __future__ import annotations

from dataclasses import dataclass

import arviz
import numpy as np
import torch
from torch import Tensor

from inflationary_flows.errors import InferenceError
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.joint import gaussian_log_likelihood
from inflationary_flows.inference.laplace import fit_laplace
from inflationary_flows.inference.nuts import run_nuts
from inflationary_flows.seeding import derive_seed


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
    whitening = fit_laplace(decoder, observed[None], noise_std)

    def log_density(eta: Tensor) -> Tensor:
        y = whitening.to_latents(eta[:, None])[:, 0]
        return gaussian_log_likelihood(decoder(y), observed, noise_std) - y.square().sum(1) / 2

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
    dataset = arviz.convert_to_dataset({"x": x})
    return CleanPosterior(
        x=x,
        y=y.numpy(),
        rhat=arviz.rhat(dataset, method="rank")["x"].values,
        ess=arviz.ess(dataset, method="bulk")["x"].values,
        divergences=int(sum(run.diverging.sum() for run in runs)),
    )
