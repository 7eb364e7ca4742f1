r"""Posteriors of many coordinates whose modes part: particles led from the prior to the posterior by tempering.

    p_b(y) ~ L(f(y))^b p(y),      0 < b_1 < ... < b_T = 1

Particles begin as draws of the prior, weighted by L^b_1.  At each temperature they are weighted by the next power of
the likelihood, which leaves half of them effective, resampled, and moved by one trajectory of Hamiltonian Monte Carlo.
Modes keep the shares that the prior and the likelihood give them, where chains would stay in one of them.  Each chain
is a set of particles of its own: R-hat compares independent runs.

A set of particles shows its posterior's correlations: they are averaged with the curvature of the tempered likelihood
at some of them.  Low temperatures need no exact flow: they use decoders f_0 of few steps, as long as the weights
(L(f(y)) / L(f_0(y)))^b, which lead to the exact one, leave most particles effective.

Source: sequential Monte Carlo samplers (Del Moral, Doucet and Jasra, 2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.errors import InferenceError
from inflationary_flows.inference.batched_hmc import Groups
from inflationary_flows.inference.decoder import Decoder, rougher
from inflationary_flows.inference.latent_chains import LeastSquares
from inflationary_flows.inference.observation import Observation
from inflationary_flows.inference.resampling import effective_share, largest_power, resampled
from inflationary_flows.progress import tracked
from inflationary_flows.seeding import derive_seed

# Draws of the prior that particles are chosen from.
_POOL = 8192
# Particles that a step of temperature leaves, as a share, and most temperatures: a noise of 1e-6 asks for a hundred.
_LEFT, _MOST_TEMPERATURES = 0.5, 1000
# Share of particles of a rough decoder that the weights of the exact one have to leave.
_LEFT_BY_EXACT = 0.7
# Particles whose curvature is averaged, moves at the end, and how many of them are kept.
_CURVED, _LAST_MOVES, _KEPT = 16, 4, 2
_ACCEPTANCE = 0.75


@dataclass(frozen=True)
class TemperedDraws:
    """Draws of several posteriors.

    Attributes:
        y: Whitened latents, shape (rows, chains, draws, D).
        r: Transformed columns, same shape.
        log_density: log L + log p(y), nats, shape (rows, chains, draws).
        gradients: Points whose gradient was taken.
    """

    y: Tensor
    r: Tensor
    log_density: Tensor
    gradients: int


class _Step:
    """A step size that follows what is accepted."""

    def __init__(self, now: float) -> None:
        self.now = now

    def learn(self, acceptance: float) -> None:
        """Takes a mean acceptance probability into account."""
        self.now = float(min(1.0, self.now * np.exp(0.7 * (acceptance - _ACCEPTANCE))))


def sample_tempered(
    decoder: Decoder,
    observation: Observation,
    *,
    chains: int,
    draws: int,
    seed: int,
    numbers: Sequence[int] | None = None,
) -> TemperedDraws:
    """Samples the posteriors of all points.

    Arguments:
        decoder: The flow.
        observation: What is observed of each.
        chains: Independent sets of particles.
        draws: Draws of each set.
        seed: Seed of all particles.
        numbers: Numbers of the rows, which their random numbers depend on, by default 0, 1, ...
    """
    labels = list(range(observation.rows)) if numbers is None else list(numbers)
    decoders = [*rougher(decoder), decoder]
    pool, r = decoders[0].draw_prior(_POOL, derive_seed("tempering", seed))
    ys, values, gradients = [], [], 0
    for row, label in tracked(list(enumerate(labels)), "tempering", unit="row"):
        own = _Tempering(decoders, observation.of(torch.tensor([row])), derive_seed("tempered row", seed, label))
        y, value = own.run(pool, r, chains, -(-draws // _KEPT))
        ys.append(y[:, :draws])
        values.append(value[:, :draws])
        gradients += own.gradients
    y = torch.stack(ys)
    with torch.no_grad():
        drawn = decoder.transformed(y.flatten(0, 2))
    return TemperedDraws(y, drawn.view_as(y), torch.stack(values), gradients)


class _Tempering:
    """The particles of one row: its sets are one group of chains."""

    def __init__(self, decoders: Sequence[Decoder], observation: Observation, seed: int) -> None:
        self.decoder, *self.finer = decoders
        self.exact, self.observation = decoders[-1], observation
        self.seed = seed
        self.random = np.random.default_rng(seed)
        self.power, self.gradients = 0.0, 0
        self.step = _Step(0.3)

    def log_density(self, y: Tensor, places: Tensor) -> Tensor:
        """Tempered log density of particles, shape (1, n, D) to (1, n)."""
        return self.power * self.level(y, self.decoder) + self.prior(y)

    def level(self, y: Tensor, decoder: Decoder) -> Tensor:
        """Log-likelihood of particles, shape (1, n, D) to (1, n)."""
        return self.observation.log_likelihood(decoder.transformed(y.flatten(0, 1)).view_as(y))

    def prior(self, y: Tensor) -> Tensor:
        """Log density of latents, shape (1, n, D) to (1, n)."""
        return self.exact.prior.log_density(y.flatten(0, 1)).view(y.shape[:-1])

    def run(self, pool: Tensor, r: Tensor, chains: int, particles: int) -> tuple[Tensor, Tensor]:
        """Whitened latents, shape (chains, particles * kept, D), and their log densities."""
        count = chains * particles
        with torch.no_grad():
            level = self.observation.log_likelihood(r[None])
        self.observation.require_somewhere(level)
        self.power = float(largest_power(level, float(count)))
        y = self.chosen(pool, self.power * level[0], chains, particles)
        for number in range(_MOST_TEMPERATURES):
            groups = self.groups(y, number)
            self.step.learn(float(groups.move([self.step])[0].mean()))
            y = groups.position
            if self.power == 1.0 and not self.finer:
                break
            self.gradients += groups.gradients
            y = self.next_target(y, (groups.value - self.prior(y)) / self.power, chains)
        else:
            expected = f"a likelihood that {_MOST_TEMPERATURES} temperatures lead to"
            raise InferenceError("posterior", expected, f"its power {self.power:.3g}", "give a larger noise")
        kept, values = [], []
        for number in range(_LAST_MOVES):
            self.step.learn(float(groups.move([self.step])[0].mean()))
            if number >= _LAST_MOVES - _KEPT:
                kept.append(groups.position[0])
                values.append(groups.value[0])
        self.gradients += groups.gradients
        shape = (chains, particles * _KEPT)
        # Moves of a particle follow each other: effective draws know their correlation.
        return torch.stack(kept, 1).reshape(*shape, -1), torch.stack(values, 1).reshape(shape)

    def groups(self, y: Tensor, number: int) -> Groups:
        """The particles as chains of a sampler at this temperature."""
        groups = Groups(self.log_density, y, [derive_seed("moves", self.seed, number)])
        groups.factor = self.factor(y)
        return groups

    @torch.no_grad()
    def next_target(self, y: Tensor, level: Tensor, chains: int) -> Tensor:
        """Particles resampled for the next power of the likelihood, by a finer decoder where this one is too rough."""
        power, weights = self.raised(level, level)
        if self.finer:
            exact = self.level(y, self.exact)
            if self.power == 1.0 or effective_share(power * (exact - level)) < _LEFT_BY_EXACT:
                self.decoder = self.finer.pop(0)
                power, weights = self.raised(self.level(y, self.decoder) if self.finer else exact, level)
        self.power = power
        return self.chosen(y[0], weights[0], chains, y.shape[1] // chains)

    def raised(self, after: Tensor, level: Tensor) -> tuple[float, Tensor]:
        """The next power, and log weights that lead to it from log-likelihoods before to those after, shape (1, n)."""
        self.observation.require_somewhere(after)
        impossible = ~after.isfinite()
        # Where the likelihood is zero its logarithm has no multiples.
        after = torch.nan_to_num(after, nan=-torch.inf, neginf=-torch.inf)
        level, after = (values.clamp(min=float(values.max()) - 1e8) for values in (level, after))
        change = (self.power * (after - level)).masked_fill(impossible, -torch.inf)
        rest = (1.0 - self.power) * after
        share = float(largest_power(rest, _LEFT * rest.shape[1], besides=change))
        return 1.0 if share == 1.0 else self.power + share * (1.0 - self.power), change + share * rest

    def chosen(self, y: Tensor, log_weights: Tensor, chains: int, particles: int) -> Tensor:
        """Particles of each set, from its own part of weighted ones, shape (n, D) to (1, chains * particles, D)."""
        log_weights = torch.nan_to_num(log_weights, nan=-torch.inf, neginf=-torch.inf)
        parts = np.array_split(np.arange(len(y)), chains)
        # A set of which nothing is left takes from all.
        parts = [part if bool(log_weights[part].isfinite().any()) else np.arange(len(y)) for part in parts]
        kept = [part[resampled(log_weights[part].softmax(0), particles, self.random)] for part in parts]
        return y[np.concatenate(kept)][None]

    def factor(self, y: Tensor) -> Tensor:
        """Root of the particles' covariance, averaged with the inverse curvature at some of them, shape (1, D, D)."""
        dimension, n = y.shape[2], y.shape[1]
        identity = torch.eye(dimension, dtype=torch.float64)
        covariance = (n * torch.cov(y[0].mT) + 2 * dimension * identity) / (n + 2 * dimension)
        if self.observation.has_residuals:
            some = y[:, torch.linspace(0, n - 1, min(n, _CURVED)).long()]
            curvature = LeastSquares(self.decoder, self.observation).curvature(some) - identity
            covariance = (covariance + torch.linalg.inv(self.power * curvature[0] + identity)) / 2
        return torch.linalg.cholesky(covariance)[None]
