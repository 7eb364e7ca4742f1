r"""Hamiltonian Monte Carlo of many posteriors at once: all chains of all of them take every leapfrog step as one batch.

With momenta p ~ N(0, I) a chain moves along leapfrog steps of

    H(theta, p) = -log density(theta) + |p|^2 / 2,      position = centre + factor theta,

and goes to their end with probability exp(-(H_end - H_start)), else stays.  A network that carries hundreds of points
for little more than the price of one then takes all posteriors in the time of a few.

Chains of one posterior are a group.  Each group has a factor that whitens it, learns a step size by dual averaging of
what all its chains accept, and takes as many steps as lead a bit beyond a quarter of a period of a whitened Gaussian,
pi / 2, where draws are independent or slightly antithetic.  Lengths vary, so that none returns to its start by chance.
Groups that have made their steps leave the batch.  Each group has random numbers of its own: what it computes depends
on the others by rounding alone.

Sources: Neal (2011), MCMC using Hamiltonian dynamics, 3.2 on random lengths; Hoffman and Gelman (2014) on step sizes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.errors import InferenceError
from inflationary_flows.inference.step_size import StepSize
from inflationary_flows.progress import tracked
from inflationary_flows.seeding import derive_seed

# Log density of positions, shape (groups, chains, dim), of some groups, by their places, to (groups, chains).
LogDensity = Callable[[Tensor, Tensor], Tensor]
# Factors of all groups, shape (groups, dim, dim), made for positions, shape (groups, chains, dim).
Whitening = Callable[[Tensor], Tensor]
# A trajectory that gains this much energy has left the region where leapfrog steps are stable.
_MOST_ERROR = 1000.0
# Length of trajectories in whitened coordinates, and by what share it varies; the most steps of one. Groups that want
# more after warm-up are given up: their coordinates are not whitened.
_LENGTH, _SPREAD, _MOST_STEPS = 1.6, 0.5, 16
# Points whose gradients are held at once.
_POINTS = 512


class HasStep(Protocol):
    """What knows a step size."""

    now: float


@dataclass(frozen=True)
class GroupedDraws:
    """Draws of all groups after warm-up.

    Attributes:
        draws: Positions, shape (groups, chains, n, dim).
        log_density: Log densities of these, shape (groups, chains, n).
        acceptance: Mean acceptance probability of each group, shape (groups,).
        step_size: Step size that each group settled on, shape (groups,).
        divergences: Divergent trajectories of each group, shape (groups,).
        gave_up: Groups that were not sampled, shape (groups,): their steps are too short to get anywhere. Their draws
            are where warm-up ended.
        gradients: Points whose gradient was taken, warm-up included.
    """

    draws: Tensor
    log_density: Tensor
    acceptance: np.ndarray
    step_size: np.ndarray
    divergences: np.ndarray
    gave_up: np.ndarray
    gradients: int


def run_hmc(
    log_density: LogDensity,
    starts: Tensor,
    *,
    warmup: int,
    draws: int,
    thinning: int = 1,
    whitening: Whitening | None = None,
    target_acceptance: float = 0.8,
    seed: int = 0,
    numbers: Sequence[int] | None = None,
) -> GroupedDraws:
    """Runs the chains of all groups.

    Arguments:
        log_density: Unnormalised, differentiable; each point alone.
        starts: First positions, shape (groups, chains, dim).
        warmup: Iterations in which step sizes and scales adapt; not kept.
        draws: Iterations kept, of every `thinning` one.
        whitening: Gives factors for where chains are; asked at the start, and twice in warm-up. The identity otherwise.
        target_acceptance: Mean acceptance probability that step sizes aim at.
        seed: Seed of all groups.
        numbers: Numbers of the groups, which their random numbers depend on, by default 0, 1, ...: a group of that
            number is the same alone and among others.

    Raises:
        InferenceError: if a log density or gradient is not finite at a start, or the numbers or lengths do not fit.
    """
    for name, value in (("warmup", warmup), ("draws", draws)):
        if value < 1:
            raise InferenceError(name, "an integer >= 1", str(value), "give the chains some iterations")
    labels = range(len(starts)) if numbers is None else numbers
    if starts.ndim != 3 or len(starts) != len(labels):
        raise InferenceError(
            "starts of the chains",
            f"shape ({len(labels)}, chains, dim), a group each",
            f"shape {tuple(starts.shape)}",
            "give each group its number and its chains",
        )
    groups = Groups(log_density, starts.detach().double(), [derive_seed("hmc group", seed, k) for k in labels])
    if whitening is not None:
        groups.factor = whitening(groups.position)
    steps = [StepSize(target_acceptance) for _ in labels]
    for step in steps:
        # About what whitened coordinates ask for: a short warm-up could not forget bold steps.
        step.restart(starts.shape[2] ** -0.25, boldness=1.0)
    # Curvature is averaged where chains have come to, scales are learned from the second half.
    again = {warmup // 6, warmup // 3}
    learned: list[Tensor] = []
    first, last = warmup // 2, warmup - warmup // 4
    for done in tracked(range(warmup), "warm-up", unit="iteration"):
        accepted, _ = groups.move(steps)
        for step, probability in zip(steps, accepted.mean(1).tolist(), strict=True):
            step.learn(probability)
        if whitening is not None and done + 1 in again:
            groups.factor = whitening(groups.position)
            for step in steps:
                step.restart(step.now, boldness=1.0)
            if done + 1 == max(again) and all(step.now * _MOST_STEPS < _LENGTH / 2 for step in steps):
                # Nothing that follows would make these steps long enough.
                break
        if first <= done < last:
            learned.append(groups.position)
        if done + 1 == last and len(learned) > 1:
            groups.learn_scales(torch.stack(learned, 2))
            for step in steps:
                step.restart(step.now, boldness=1.0)
    for step in steps:
        step.settle()
    gave_up = np.array([step.now * _MOST_STEPS < _LENGTH for step in steps])
    going = torch.from_numpy(~gave_up).nonzero()[:, 0]
    kept, values = groups.position[:, :, None].repeat(1, 1, draws, 1), groups.value[:, :, None].repeat(1, 1, draws)
    acceptance, divergences = np.zeros(len(labels)), np.zeros(len(labels), dtype=np.int64)
    own = groups.of(going)
    for number in tracked(range(draws * thinning if len(going) else 0), "draws", unit="iteration"):
        accepted, diverged = own.move([steps[k] for k in going.tolist()])
        kept[going, :, number // thinning], values[going, :, number // thinning] = own.position, own.value
        acceptance[~gave_up] += accepted.mean(1) / (draws * thinning)
        divergences[~gave_up] += diverged.sum(1)
    return GroupedDraws(
        draws=kept,
        log_density=values,
        acceptance=acceptance,
        step_size=np.array([step.now for step in steps]),
        divergences=divergences,
        gave_up=gave_up,
        gradients=groups.gradients + own.gradients,
    )


class Groups:
    """Where all chains are: positions, log densities, gradients, shapes (groups, chains, dim) or less."""

    def __init__(self, log_density: LogDensity, starts: Tensor, seeds: Sequence[int]) -> None:
        self._log_density = log_density
        self._streams = [np.random.default_rng(seed) for seed in seeds]
        self.gradients = 0
        self.position = starts
        self.factor = torch.eye(starts.shape[2], dtype=torch.float64).expand(len(starts), -1, -1)
        self.value, self._gradient = self._evaluate(starts, torch.arange(len(starts)))
        finite = self.value.isfinite() & self._gradient.isfinite().all(2)
        if not bool(finite.all()):
            group, chain = (~finite).nonzero()[0].tolist()
            raise InferenceError(
                f"start of chain {chain} of group {group}",
                "a finite log density and gradient",
                f"log density {float(self.value[group, chain]):g}",
                "start closer to the observations, or check that data and flow belong together",
            )

    def of(self, chosen: Tensor) -> Groups:
        """Some of the groups, which go on with their own random numbers."""
        own = copy.copy(self)
        own._log_density = lambda points, places: self._log_density(points, chosen[places])
        own._streams = [self._streams[place] for place in chosen.tolist()]
        own.gradients = 0
        own.position, own.factor = self.position[chosen], self.factor[chosen]
        own.value, own._gradient = self.value[chosen], self._gradient[chosen]
        return own

    def _evaluate(self, position: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Log densities and their gradients of some groups."""
        self.gradients += position[..., 0].numel()
        # Memory is bounded: some groups at a time, or some chains of one.
        size = max(1, _POINTS // position.shape[1])
        parts = []
        for part, own in zip(position.split(size), places.split(size), strict=True):
            each = [self._differentiate(points, own) for points in part.split(_POINTS, 1)]
            parts.append([torch.cat(values, 1) for values in zip(*each, strict=True)])
        value, gradient = (torch.cat(values) for values in zip(*parts, strict=True))
        return value, gradient

    def _differentiate(self, position: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        points = position.detach().requires_grad_(True)
        with torch.enable_grad():
            value = self._log_density(points, places)
            # Points are independent: the gradient of the sum holds that of each.
            gradient = torch.autograd.grad(value.sum(), points)[0]
        return value.detach().double(), gradient.double()

    def move(self, steps: Sequence[HasStep]) -> tuple[np.ndarray, np.ndarray]:
        """Takes a trajectory of every chain; acceptance probabilities and divergences, shape (groups, chains)."""
        chains, dim = self.position.shape[1:]
        drawn = np.stack([stream.standard_normal((chains, dim)) for stream in self._streams])
        level = np.stack([stream.random(chains) for stream in self._streams])
        length = _LENGTH * np.array([stream.uniform(1 - _SPREAD, 1 + _SPREAD) for stream in self._streams])
        counts = torch.tensor(
            [min(_MOST_STEPS, max(1, round(own / step.now))) for own, step in zip(length, steps, strict=True)]
        )
        # Steps fill the length, and jitter by that, but for lengths that are too many of them.
        size = torch.from_numpy(length) / counts
        bound = torch.tensor([1.2 * step.now for step in steps], dtype=torch.float64)
        step = torch.minimum(size, bound)[:, None, None]
        start = torch.from_numpy(drawn)
        position, value, gradient = self.position.clone(), self.value.clone(), self._gradient.clone()
        momentum = start + step / 2 * (gradient @ self.factor)
        for number in range(int(counts.max())):
            places = (counts > number).nonzero()[:, 0]
            factor, own = self.factor[places], step[places]
            position[places] += own * (momentum[places] @ factor.mT)
            value[places], gradient[places] = self._evaluate(position[places], places)
            half = torch.where(counts[places] == number + 1, 0.5, 1.0)[:, None, None]
            momentum[places] += half * own * (gradient[places] @ factor)
        error = momentum.square().sum(2) / 2 - value - start.square().sum(2) / 2 + self.value
        error = torch.nan_to_num(error, nan=torch.inf, posinf=torch.inf)
        probability = torch.exp(-error.clamp(min=0.0))
        goes = torch.from_numpy(level) < probability
        self.position = torch.where(goes[..., None], position, self.position)
        self.value = torch.where(goes, value, self.value)
        self._gradient = torch.where(goes[..., None], gradient, self._gradient)
        return probability.numpy(), (error > _MOST_ERROR).numpy()

    def learn_scales(self, draws: Tensor) -> None:
        """Takes the spread of draws, shape (groups, chains, n, dim), in whitened coordinates into the factors.

        Where draws are many, all of their covariance, else its diagonal; drawn towards 1 where they are few.
        """
        dim, n = draws.shape[3], draws.shape[1] * draws.shape[2]
        away = (draws - draws.mean((1, 2), keepdim=True)).flatten(1, 2)
        white = torch.linalg.solve(self.factor, away.mT)
        covariance = white @ white.mT / n
        identity = torch.eye(dim, dtype=torch.float64)
        if n < 20 * dim:
            covariance = covariance * identity
        prior = 10.0 + (0.0 if n < 20 * dim else 2.0 * dim)
        shrunk = (n * covariance + prior * identity) / (n + prior)
        self.factor = self.factor @ torch.linalg.cholesky((shrunk + shrunk.mT) / 2)
