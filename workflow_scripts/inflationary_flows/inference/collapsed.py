r"""The posterior of the mixture weights with the latents integrated out.

Given the weights the latents are independent, and enter only through n x K numbers,

    L_ik = p(x_i | k) = int N(x_i; f(y), sigma^2 I) N(y; mu_k, s_k^2) dy,
    log p(w | x) = log Dirichlet(w; 1) + sum_i log sum_k w_k L_ik .

Each L_ik is estimated once by importance sampling with the flow: particles come from a multivariate t around the
Laplace approximation of the observation, wider than a Gaussian where the flow bends.  Observations with a large
Pareto-k get more particles, and so do those whose components compete with shares that are not well known yet, from a
proposal fitted to the particles so far.  The sampler of the weights evaluates no flow.

Cost: n times `particles` integrations without gradients, once; each draw of the weights a sum over n x K numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.errors import InferenceError
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.gate import MOST_PARETO_K
from inflationary_flows.inference.laplace import LaplaceApproximation
from inflationary_flows.inference.latent_mixture import LatentMixture, Simplex
from inflationary_flows.inference.pareto import tail_shapes
from inflationary_flows.inference.proposals import place, refit, standard_t
from inflationary_flows.mathematics.noise import NoiseLevel, noise_of
from inflationary_flows.seeding import derive_seed

# Standard error of the shares of an observation's components, under equal weights, above which it needs more particles.
_SHARE_ERROR = 0.05


@dataclass(frozen=True)
class ComponentEvidence:
    """Evidence of each component for each observation.

    Attributes:
        log_evidence: log L_ik, shape (n, K).
        covariance: Of the Monte Carlo errors of log L_ik, shape (n, K, K); observations are independent.
        ess_fraction: Effective share of the particles for the whole mixture, shape (n,).
        pareto_k: Shape of the weights' tail, shape (n,); above .7 the evidence is unreliable.
        particles: Particles spent on each observation, shape (n,).
    """

    log_evidence: Tensor
    covariance: Tensor
    ess_fraction: np.ndarray
    pareto_k: np.ndarray
    particles: np.ndarray


def evidence_quality(evidence: ComponentEvidence, weights: np.ndarray) -> list[dict[str, Any]]:
    """Summarises the quality of an evidence estimate in one row of quantiles over observations.

    Arguments:
        evidence: The estimate.
        weights: Draws of the posterior that it leads to, shape (draws, K).

    Returns:
        Rows of n, particles (mean), ess_fraction_median, ess_fraction_q01, pareto_k_median, pareto_k_q99, pareto_k_max,
        unreliable (observations whose Pareto-k is above .7 after all rounds), weight_error (largest over components:
        `monte_carlo_error` as a share of the posterior's standard deviation).
    """
    return [
        {
            "n": len(evidence.pareto_k),
            "particles": float(evidence.particles.mean()),
            "ess_fraction_median": float(np.median(evidence.ess_fraction)),
            "ess_fraction_q01": float(np.quantile(evidence.ess_fraction, 0.01)),
            "pareto_k_median": float(np.median(evidence.pareto_k)),
            "pareto_k_q99": float(np.quantile(evidence.pareto_k, 0.99, method="higher")),
            "pareto_k_max": float(evidence.pareto_k.max()),
            "unreliable": int((evidence.pareto_k > MOST_PARETO_K).sum()),
            "weight_error": float((monte_carlo_error(evidence, weights) / weights.std(0)).max()),
        }
    ]


@torch.no_grad()
def estimate_evidence(
    decoder: Decoder,
    mixture: LatentMixture,
    x_obs: Tensor,
    noise_std: NoiseLevel,
    laplace: LaplaceApproximation,
    *,
    particles: int,
    seed: int,
    rounds: int = 3,
) -> ComponentEvidence:
    """Integrates the latent of every observation out by importance sampling.

    Arguments:
        decoder: The flow.
        mixture: Components; the proposal is judged under equal weights.
        x_obs: Observations, shape (n, D), data units.
        noise_std: Their noise, data units, as of `noise_of`.
        laplace: Centres and scales of the proposals.
        particles: Particles of an observation in the first round; each further round has four times as many, for the
            observations that need them.
        seed: Seed of the particles; an observation's particles do not depend on the other observations.
        rounds: Most rounds.

    Raises:
        InferenceError: if fewer than 16 particles are asked for.
        DataError: if the noise is none.
    """
    if particles < 16:
        raise InferenceError("particles", "an integer >= 16", str(particles), "128 are enough for most observations")
    noise = noise_of(noise_std, decoder.dimension, columns=decoder.flow.columns)
    n = len(x_obs)
    log_evidence = torch.empty(n, mixture.components, dtype=torch.float64)
    covariance = torch.zeros(n, mixture.components, mixture.components, dtype=torch.float64)
    ess, pareto_k, spent = np.zeros(n), np.full(n, np.inf), np.zeros(n, dtype=np.int64)
    centre, factor = laplace.mode.clone(), laplace.factor.clone()
    todo = np.arange(n)
    for attempt in range(rounds):
        m = particles * 4**attempt
        # Points integrated at once; the flow itself cuts them into batches that fit the cache.
        rows = max(1, 2**18 // m)
        for chunk in np.array_split(todo, max(1, -(-len(todo) // rows))):
            streams = [np.random.default_rng(derive_seed("particles", seed, attempt, int(k))) for k in chunk]
            t = torch.stack([standard_t(random, (m, decoder.dimension)) for random in streams])
            y, log_proposal = place(t, centre[chunk], factor[chunk])
            x = decoder(y.flatten(0, 1)).view_as(y)
            likelihood = noise.log_likelihood(x - x_obs[chunk, None].double())
            log_weights = (likelihood - log_proposal)[..., None] + mixture.log_components(y)
            log_evidence[chunk] = torch.logsumexp(log_weights, 1) - math.log(m)
            whole = torch.logsumexp(log_weights, -1)
            share = torch.softmax(whole, 1)
            covariance[chunk] = _covariance(torch.softmax(log_weights, 1))
            ess[chunk] = (1 / share.square().sum(1) / m).numpy()
            pareto_k[chunk] = np.nan_to_num(tail_shapes(whole.numpy()), nan=np.inf, posinf=np.inf)
            spent[chunk] += m
            centre[chunk], factor[chunk] = refit(y, share, laplace.factor[chunk])
        unknown = share_error(log_evidence[todo], covariance[todo]).numpy() > _SHARE_ERROR
        todo = todo[(pareto_k[todo] > MOST_PARETO_K) | (ess[todo] * m < particles / 4) | unknown]
        if not len(todo):
            break
    return ComponentEvidence(log_evidence, covariance, ess, pareto_k, spent)


def share_error(log_evidence: Tensor, covariance: Tensor) -> Tensor:
    """Standard errors of the shares of components under equal weights, root of the sum over components, shape (n,).

    Arguments:
        log_evidence: log L_ik, shape (n, K).
        covariance: Of their errors, shape (n, K, K).
    """
    share = torch.softmax(log_evidence, 1)
    slope = torch.diag_embed(share) - share[:, :, None] * share[:, None]
    return (slope @ covariance @ slope.mT).diagonal(dim1=1, dim2=2).sum(1).clamp(min=0).sqrt()


def monte_carlo_error(evidence: ComponentEvidence, weights: np.ndarray) -> np.ndarray:
    r"""Standard errors of the posterior means of the weights that the errors of the evidence cause, shape (K,).

    To first order the mean of w_j moves by sum_ik cov(w_j, r_ik) d log L_ik, with the responsibilities
    r_ik = w_k L_ik / sum_l w_l L_il and covariances over the posterior.

    Arguments:
        evidence: Of the observations that the posterior was given.
        weights: Draws of the posterior, shape (draws, K).
    """
    w = torch.from_numpy(weights)
    joined = evidence.log_evidence + w.log()[:, None]
    responsibility = torch.softmax(joined, -1)
    slope = torch.einsum("mj,mik->jik", w - w.mean(0), responsibility) / len(w)
    return torch.einsum("jik,ikl,jil->j", slope, evidence.covariance, slope).clamp(min=0).sqrt().numpy()


def _covariance(share: Tensor) -> Tensor:
    """Of the errors of log means of m weights, from their normalised values, shape (n, m, K) to (n, K, K)."""
    # Relative to its mean a weight is m times its share.
    away = share - 1 / share.shape[1]
    return torch.einsum("nmk,nml->nkl", away, away)


class CollapsedPosterior:
    """Log density of the weights alone, in stick-breaking coordinates; replicates side by side.

    Arguments:
        log_evidence: log L_ik, shape (n, K), or (replicates, n, K): independent data sets, whose posteriors are sampled
            as one vector.
    """

    def __init__(self, log_evidence: Tensor) -> None:
        self.log_evidence = log_evidence if log_evidence.ndim == 3 else log_evidence[None]
        self.simplex = Simplex(self.log_evidence.shape[-1])
        # The largest term of each sum is one: exponentials once, here, instead of at every evaluation.
        self._relative = torch.exp(self.log_evidence - self.log_evidence.max(-1, keepdim=True).values)

    @property
    def size(self) -> int:
        """Length of the vector of coordinates."""
        return len(self.log_evidence) * (self.simplex.components - 1)

    def split_draws(self, draws: np.ndarray) -> np.ndarray:
        """Weights, shape (m, replicates, K), of draws of the coordinates, shape (m, size)."""
        v = torch.from_numpy(draws).unflatten(-1, (len(self.log_evidence), self.simplex.components - 1))
        return self.simplex.weights(v).numpy()

    def __call__(self, theta: Tensor) -> Tensor:
        """Log densities, shape (..., size) to (...), of the coordinates, up to a constant, summed over replicates."""
        v = theta.unflatten(-1, (len(self.log_evidence), -1))
        weights = self.simplex.weights(v)
        likelihood = torch.einsum("rnk,...rk->...rn", self._relative, weights).log().sum((-2, -1))
        return self.simplex.log_prior(v, weights).sum(-1) + likelihood

    def start(self, seed: int) -> Tensor:
        """An over-dispersed first position: weights from their prior."""
        generator = torch.Generator().manual_seed(derive_seed("start", seed))
        shape = (len(self.log_evidence), self.simplex.components)
        exponentials = torch.empty(shape, dtype=torch.float64).exponential_(generator=generator)
        return self.simplex.coordinates(exponentials / exponentials.sum(1, keepdim=True)).flatten()

    def starts(self, seeds: Sequence[int]) -> Tensor:
        """First positions of chains, shape (chains, size)."""
        return torch.stack([self.start(seed) for seed in seeds])
