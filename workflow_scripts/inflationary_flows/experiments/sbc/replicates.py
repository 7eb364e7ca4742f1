r"""Simulation-based calibration of the weights' posterior (Talts et al., 2018).

Each replicate draws weights from their prior and observations from the mixture with these weights, and samples the
posterior of the weights.  If posterior and sampler are right, the rank of each true weight among L independent draws of
its posterior is uniform on 0 ... L.

Data of the flow that the posterior integrates test the sampler and the approximations within, not the flow.  Controls,
whose ranks should not be uniform, are posteriors that assume another noise than there is, or another flow than the
generator.

The replicates are independent, so that one run of NUTS samples the product of all their posteriors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from inflationary_flows.inference.collapsed import CollapsedPosterior, estimate_evidence
from inflationary_flows.inference.convergence import ess, rhat
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.laplace import fit_laplace
from inflationary_flows.inference.latent_mixture import LatentMixture, add_noise
from inflationary_flows.inference.nuts import run_nuts
from inflationary_flows.seeding import derive_seed


@dataclass(frozen=True)
class WeightRanks:
    """Ranks of the true weights of a batch of replicates.

    Attributes:
        ranks: Number of thinned draws below the true weight, shape (replicates, K).
        draws: Number L of thinned draws.
        truth: True weights, shape (replicates, K).
        rhat: R-hat between the halves of the chain, shape (replicates, K).
        ess: Bulk effective sample size, shape (replicates, K); well above L for draws to count as independent.
    """

    ranks: np.ndarray
    draws: int
    truth: np.ndarray
    rhat: np.ndarray
    ess: np.ndarray


def rank_weights(
    data: Decoder,
    sampler: Decoder,
    mixture: LatentMixture,
    *,
    replicates: Sequence[int],
    observations: int,
    noise_std: float,
    assumed_std: float | None = None,
    particles: int,
    warmup: int,
    draws: int,
    ranks: int,
    seed: int,
) -> WeightRanks:
    """Runs some replicates and ranks their true weights.

    Arguments:
        data: The flow that generates observations.
        sampler: The flow as the posterior integrates it, the same but for controls.
        mixture: Components; its weights are replaced by draws from Dirichlet(1, ..., 1).
        replicates: Numbers of the replicates; each has its own seeds.
        observations: Observations of a replicate.
        noise_std: Their noise, data units.
        assumed_std: Noise that the posterior assumes, by default the same.
        particles: Importance samples of an observation.
        warmup, draws: Iterations of NUTS.
        ranks: Number of draws that ranks are taken among, evenly spaced.
        seed: Seed of the experiment.
    """
    assumed_std = assumed_std or noise_std
    truth, latents = [], []
    seeds = [derive_seed("replicate", seed, replicate) for replicate in replicates]
    for replicate, drawn in zip(replicates, seeds, strict=True):
        exponentials = np.random.default_rng(derive_seed("true weights", seed, replicate)).exponential(
            size=mixture.components
        )
        weights = exponentials / exponentials.sum()
        truth.append(weights)
        latents.append(mixture.sample(observations, drawn, weights)[0])
    # A flow carries the points of all replicates for the price of a few of them.
    with torch.no_grad():
        clean = data(torch.cat(latents)).split(observations)
    x_obs = torch.cat([add_noise(points, noise_std, drawn) for points, drawn in zip(clean, seeds, strict=True)])
    mean, variances = mixture.moments()
    evidence = estimate_evidence(
        sampler,
        mixture,
        x_obs,
        assumed_std,
        fit_laplace(sampler, x_obs, assumed_std, 1 / variances, mean),
        particles=particles,
        seed=derive_seed("calibration", seed, replicates[0]),
    )
    shape = (len(replicates), observations, mixture.components)
    posterior = CollapsedPosterior(evidence.log_evidence.view(shape))
    chain_seed = derive_seed("calibration chain", seed, replicates[0])
    start = posterior.start(chain_seed)[None]
    (chain,) = run_nuts(posterior, start, seeds=[chain_seed], warmup=warmup, draws=draws)
    weights = posterior.split_draws(chain.draws)
    thinned = weights[np.linspace(0, draws - 1, ranks).round().astype(int)]
    # One chain: R-hat compares its halves.
    halves = weights[: draws // 2 * 2].reshape(2, draws // 2, *weights.shape[1:])
    return WeightRanks(
        ranks=(thinned < np.array(truth)).sum(0),
        draws=ranks,
        truth=np.array(truth),
        rhat=rhat(halves),
        ess=ess(halves),
    )
