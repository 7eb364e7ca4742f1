r"""Draws of mixture weights and latents given noisy observations, by a Gibbs sampler over populations of particles.

    p(w, y | x)  ~  Dir(w; 1) prod_i sum_k w_k N(y_i; mu_k, s_k^2) N(x_i; f(y_i), C)

Given the weights, latents are independent.  Each has m particles y_i1 ... y_im from a proposal q_i that stays fixed.
One of them, j_i, is the latent.  The chain keeps invariant

    p(w, y_1j1, ..., y_njn | x) prod_i (1 / m) prod_{j != j_i} q_i(y_ij),

whose margin of weights and latents is the posterior, for any m.  An iteration

    renews    some of the particles that are no latent: given the rest these are draws of q_i;
    weighs    with L_ik = sum_j N(y_ij; mu_k, s_k^2) N(x_i; f(y_ij), C) / q_i(y_ij) and all j_i summed out
              p(w | particles) ~ Dir(w; 1) prod_i sum_k w_k L_ik, by sweeps over components k_i and weights;
    chooses   j_i among all particles, given the weights.

So weights mix as if the latents were integrated out, and latents are new draws each time, though an iteration decodes
few points, without gradients.  Proposals have heavy tails and importance weights are bounded: no start is forgotten
slowly.

Cost: one decoding of chains * n * `renewed` points a draw.

Sources: Andrieu, Doucet and Holenstein (2010), Particle Markov chain Monte Carlo methods, 4; Tjelmeland (2004) for many
proposals at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.errors import InferenceError
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.laplace import LaplaceApproximation
from inflationary_flows.inference.latent_mixture import LatentMixture, require_matching
from inflationary_flows.inference.proposals import place, refit, standard_t
from inflationary_flows.mathematics.noise import NoiseLevel, noise_of
from inflationary_flows.progress import tracked
from inflationary_flows.seeding import derive_seed

# Times that the proposals are fitted, to so many particles of a latent.
_ROUNDS, _FITTED = 3, 256
# Sweeps over components and weights in an iteration: they cost nothing beside the flow.
_SWEEPS = 10


@dataclass(frozen=True)
class ParticleChain:
    """Draws of one chain after warm-up.

    Attributes:
        weights: Shape (draws, K).
        latents: Whitened, shape (draws, n, D).
        moved: Share of the latents that another particle has become, shape (draws,).
    """

    weights: np.ndarray
    latents: np.ndarray
    moved: np.ndarray

    @property
    def statistics(self) -> dict[str, np.ndarray]:
        """What a table of diagnostics says of the chain."""
        return {"moved": self.moved}


@torch.no_grad()
def run_particle_gibbs(
    decoder: Decoder,
    mixture: LatentMixture,
    x_obs: Tensor,
    noise_std: NoiseLevel,
    laplace: LaplaceApproximation,
    *,
    seeds: Sequence[int],
    warmup: int,
    draws: int,
    particles: int = 64,
    renewed: int = 4,
) -> list[ParticleChain]:
    """Runs chains side by side: they share proposals, and each has random numbers of its own.

    Arguments:
        decoder: The flow.
        mixture: Components of the prior; its weights are unknown here and not used.
        x_obs: Observations, shape (n, D), data units.
        noise_std: Their noise, data units, as of `noise_of`.
        laplace: Laplace approximations of these observations.
        seeds: Seeds, one a chain. Chains start at weights of the prior, and at particles of the wide proposals.
        warmup: Iterations that are not kept.
        draws: Iterations kept.
        particles: Particles m of a latent.
        renewed: Particles of a latent that an iteration renews; `particles` / `renewed` iterations renew all.

    Raises:
        InferenceError: if observations, mixture and approximations do not belong together, or numbers do not fit.
        DataError: if the noise is none.
    """
    require_matching(decoder, mixture, x_obs, laplace)
    if not 1 <= renewed < particles:
        raise InferenceError("renewed", f"from 1 to {particles - 1} particles", str(renewed), "renew fewer")
    for name, value in (("warmup", warmup), ("draws", draws)):
        if value < 1:
            raise InferenceError(name, "an integer >= 1", str(value), "give the chains some iterations")
    target = _Target(decoder, mixture, x_obs.double(), noise_std, laplace)
    target.fit_proposals(derive_seed("proposals", *seeds))
    populations = _Populations(target, particles, [np.random.default_rng(seed) for seed in seeds])
    kept = []
    for iteration in tracked(range(warmup + draws), "chains", unit="iteration"):
        moved = populations.move(renewed)
        if iteration >= warmup:
            kept.append((populations.weights.copy(), populations.latents.numpy(), moved))
    weights, latents, share = (np.stack(values, 1) for values in zip(*kept, strict=True))
    return [ParticleChain(*chain) for chain in zip(weights, latents, share, strict=True)]


class _Target:
    """Weighted particles of each latent."""

    def __init__(
        self,
        decoder: Decoder,
        mixture: LatentMixture,
        x_obs: Tensor,
        noise_std: NoiseLevel,
        laplace: LaplaceApproximation,
    ) -> None:
        self.decoder, self.mixture, self.x_obs = decoder, mixture, x_obs
        self.noise = noise_of(noise_std, decoder.dimension, columns=decoder.flow.columns)
        self._laplace = laplace
        self._centre, self._factor = laplace.mode, laplace.factor

    def fit_proposals(self, seed: int) -> None:
        """Fits the proposals to particles under equal weights, which no chain sees."""
        random = np.random.default_rng(seed)
        for _ in range(_ROUNDS):
            y, log_weights = self.draw([random], _FITTED)
            share = torch.softmax(torch.logsumexp(log_weights, -1), -1)
            self._centre, self._factor = refit(y[0], share[0], self._laplace.factor)

    def draw(self, streams: Sequence[np.random.Generator], m: int) -> tuple[Tensor, Tensor]:
        """Particles, shape (chains, n, m, D), and log weights by component, shape (chains, n, m, K)."""
        n, dimension = self.x_obs.shape
        t = torch.stack([standard_t(random, (n, m, dimension)) for random in streams])
        y, log_proposal = place(t, self._centre, self._factor)
        x = self.decoder(y.flatten(0, 2)).view_as(y)
        log_likelihood = self.noise.log_likelihood(x - self.x_obs[:, None])
        return y, (log_likelihood - log_proposal)[..., None] + self.mixture.log_components(y)


class _Populations:
    """The state of all chains: particles with log weights, which of them are latents, and weights of the mixture."""

    def __init__(self, target: _Target, particles: int, streams: Sequence[np.random.Generator]) -> None:
        self._target, self._streams = target, streams
        self._particles, self._log_weights = target.draw(streams, particles)
        self._next = 0
        n = len(target.x_obs)
        self._chosen = torch.from_numpy(np.stack([random.integers(particles, size=n) for random in streams]))
        flat = np.ones(target.mixture.components)
        self.weights = np.stack([random.dirichlet(flat) for random in streams])

    @property
    def latents(self) -> Tensor:
        """The chosen particles, shape (chains, n, D)."""
        return torch.take_along_dim(self._particles, self._chosen[..., None, None], 2)[:, :, 0]

    def move(self, renewed: int) -> np.ndarray:
        """One iteration, which renews so many particles of a latent; the share of latents that moved, (chains,)."""
        self._renew(renewed)
        largest = self._log_weights.amax((2, 3), keepdim=True)
        terms = torch.exp(self._log_weights - largest)
        self._weigh(terms.sum(2).numpy())
        before = self._chosen
        total = torch.einsum("cnmk,ck->cnm", terms, torch.from_numpy(self.weights)).cumsum(2)
        level = np.stack([random.random(len(self._target.x_obs)) for random in self._streams])
        threshold = torch.from_numpy(level)[..., None] * total[..., -1:]
        self._chosen = torch.searchsorted(total, threshold, right=True)[..., 0].clamp(max=total.shape[2] - 1)
        moved: np.ndarray = (self._chosen != before).double().mean(1).numpy()
        return moved

    def _renew(self, count: int) -> None:
        """Replaces the next particles, but for latents."""
        if self._next == 0:
            # Proposals are fixed, so that many iterations' particles are decoded at once.
            self._fresh = self._target.draw(self._streams, self._particles.shape[2])
        slots = torch.arange(self._next, min(self._next + count, self._particles.shape[2]))
        stays = (self._chosen[..., None] == slots)[..., None]
        for old, new in zip((self._particles, self._log_weights), self._fresh, strict=True):
            old[:, :, slots] = torch.where(stays, old[:, :, slots], new[:, :, slots])
        self._next = (int(slots[-1]) + 1) % self._particles.shape[2]

    def _weigh(self, evidence: np.ndarray) -> None:
        """Draws weights given the evidence of components, shape (chains, n, K), by sweeps over components and these."""
        for number, random in enumerate(self._streams):
            for _ in range(_SWEEPS):
                share = np.cumsum(evidence[number] * self.weights[number], 1)
                component = (random.random((len(share), 1)) * share[:, -1:] >= share[:, :-1]).sum(1)
                counts = np.bincount(component, minlength=share.shape[1])
                self.weights[number] = random.dirichlet(1.0 + counts)
