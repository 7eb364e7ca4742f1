"""Effective samples of the mixture weights per CPU second: the samplers of this project and the paper's setting.

All use the same flow, observations and prior. The paper's setting is joint NUTS in unwhitened latents with a unit mass
matrix, gradients through 700 Euler steps of the scaled flow, and a start at the truth.  `nuts` is the best that we know
of NUTS, in data coordinates; `joint` and `collapsed` are the samplers of the workflow.  CPU time includes all steps of
a sampler: Laplace approximations, proposals, evidence, warm-up and draws.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from inflationary_flows.experiments.measured import Measured
from inflationary_flows.inference.collapsed import CollapsedPosterior, estimate_evidence
from inflationary_flows.inference.convergence import ess
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.joint import JointPosterior
from inflationary_flows.inference.laplace import LaplaceApproximation, fit_laplace
from inflationary_flows.inference.latent_mixture import LatentMixture, Observations, observe
from inflationary_flows.inference.nuts import run_nuts
from inflationary_flows.inference.particle_gibbs import run_particle_gibbs
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.seeding import derive_seed

Settings = Mapping[str, Any]


class SamplerComparison:
    """The same posterior for every sampler.

    Arguments:
        flow: The flow.
        mixture: Components, and the true weights.
        observations: Synthetic observations, all of which are used.
        noise_std: Their noise, data units.
        solver, steps: Integration for Laplace approximations, particles and evidence.
        seed: Seed of chains and particles.
    """

    def __init__(
        self,
        flow: Flow,
        mixture: LatentMixture,
        observations: Observations,
        noise_std: float,
        *,
        solver: str,
        steps: int,
        seed: int,
    ) -> None:
        self.flow = flow
        self.mixture = mixture
        self.observations = observations
        self.noise_std = noise_std
        self.decoder = Decoder(flow, solver=solver, steps=steps)
        self.seed = seed

    def run_paper(self, sampling: Settings, *, steps: int) -> np.ndarray:
        """Weights, shape (draws, K), of a chain of the paper's setting; `sampling` are options of `run_nuts`."""
        decoder = Decoder(self.flow, solver="euler_scaled", steps=steps)
        posterior = JointPosterior(decoder, self.mixture, self.observations.x, self.noise_std, None, "latent")
        truth = posterior.at(self.mixture.weights, self.observations.y)
        seed = derive_seed("paper", self.seed)
        (chain,) = run_nuts(posterior, truth[None], seeds=[seed], adapt_mass=False, **sampling)
        return posterior.split_draws(chain.draws)[0]

    def run_nuts(self, sampling: Settings, *, solver: str, steps: int) -> np.ndarray:
        """The same of NUTS in data coordinates, whose scales are known."""
        decoder, seed = Decoder(self.flow, solver=solver, steps=steps), derive_seed("nuts", self.seed)
        posterior = JointPosterior(decoder, self.mixture, self.observations.x, self.noise_std, self._fit_laplace())
        start = posterior.start(seed)[None]
        (chain,) = run_nuts(posterior, start, seeds=[seed], adapt_mass=False, **sampling)
        return posterior.split_draws(chain.draws)[0]

    def run_joint(self, sampling: Settings) -> np.ndarray:
        """The same of the joint sampler; `sampling` are options of `run_particle_gibbs`."""
        seeds, x_obs = [derive_seed("joint", self.seed)], self.observations.x
        (chain,) = run_particle_gibbs(
            self.decoder, self.mixture, x_obs, self.noise_std, self._fit_laplace(), seeds=seeds, **sampling
        )
        return chain.weights

    def run_collapsed(self, sampling: Settings, *, particles: int) -> np.ndarray:
        """The same of the collapsed sampler; `sampling` are options of `run_nuts`."""
        seed = derive_seed("collapsed", self.seed)
        evidence = estimate_evidence(
            self.decoder,
            self.mixture,
            self.observations.x,
            self.noise_std,
            self._fit_laplace(),
            particles=particles,
            seed=self.seed,
        )
        posterior = CollapsedPosterior(evidence.log_evidence)
        (chain,) = run_nuts(posterior, posterior.start(seed)[None], seeds=[seed], **sampling)
        return posterior.split_draws(chain.draws)[:, 0]

    def _fit_laplace(self) -> LaplaceApproximation:
        mean, variances = self.mixture.moments()
        return fit_laplace(self.decoder, self.observations.x, self.noise_std, 1 / variances, mean)


def measure_sampler_efficiency(
    comparison: SamplerComparison, samplers: Mapping[str, tuple[Settings, Settings]]
) -> list[dict[str, Any]]:
    """Runs one chain of each sampler.

    Arguments:
        comparison: What they sample.
        samplers: Options of its chain and further arguments of the sampler, by name: paper (which comes first), nuts,
            joint, collapsed.

    Returns:
        Rows of sampler, n_observations, warmup, draws, cpu_seconds, ess (the smallest bulk effective sample size of a
        weight), ess_per_second, ratio (to the paper's setting), mean_weight1 and sd_weight1.
    """
    rows: list[dict[str, Any]] = []
    for name, (sampling, options) in samplers.items():
        before = time.process_time()
        weights = getattr(comparison, f"run_{name}")(sampling, **options)
        seconds = time.process_time() - before
        effective = float(ess(weights[None]).min())
        rows.append(
            {
                "sampler": name,
                "n_observations": len(comparison.observations.x),
                "warmup": sampling["warmup"],
                "draws": sampling["draws"],
                "cpu_seconds": seconds,
                "ess": effective,
                "ess_per_second": effective / seconds,
                "ratio": effective / seconds / (rows[0]["ess_per_second"] if rows else effective / seconds),
                "mean_weight1": float(weights[:, 0].mean()),
                "sd_weight1": float(weights[:, 0].std(ddof=1)),
            }
        )
    return rows


def measure(
    flow: Flow,
    *,
    mixture: Mapping[str, Any],
    noise_std: float,
    observations: int,
    seed: int,
    solver: str,
    steps: int,
    samplers: Mapping[str, Any],
) -> Measured:
    """Rows of `measure_sampler_efficiency`, of observations that the flow generates.

    Arguments:
        flow: Trained flow.
        mixture: Arguments of `LatentMixture.of`.
        noise_std: Standard deviation of the observations' noise, data units.
        observations: Number of observations.
        seed: Seed of observations and chains.
        solver, steps: Integration of the samplers without gradients.
        samplers: Options of chains and of the sampler, by its name.
    """
    latents = LatentMixture.of(**mixture)
    made = observe(Decoder(flow), latents, observations, noise_std, seed)
    comparison = SamplerComparison(flow, latents, made, noise_std, solver=solver, steps=steps, seed=seed)
    return Measured({"sampler_efficiency": measure_sampler_efficiency(comparison, samplers)})
