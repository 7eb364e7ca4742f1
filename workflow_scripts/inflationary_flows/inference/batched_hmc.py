r"""Hamiltonian Monte Carlo of many posteriors at once: all chains of all of them take every leapfrog step as one batch.

With momenta p ~ N(0, I) a chain moves along leapfrog steps of

    H(theta, p) = -log density(theta) + |p|^2 / 2

in coordinates divided by scales, and goes to their end with probability exp(-(H_end - H_start)), else stays.  A network
that carries hundreds of points for little more than the price of one then takes all posteriors in the time of a few.

Chains of one posterior are a group.  Each group learns a step size, by dual averaging of what all its chains accept,
and the scale of each coordinate, from the draws of all its chains; and it has random numbers of its own.  The number
of steps is drawn anew for each trajectory, so that none returns to its start by bad luck, and is the same for all
groups.  What a group computes depends on the others by rounding alone.

Few steps suffice in coordinates that are whitened already, such as those of `laplace`: about a quarter of a period,
pi / 2, decorrelates.  `nuts` finds the lengths of trajectories itself, at several times the price.

Sources: Neal (2011), MCMC using Hamiltonian dynamics, 3.2 on random lengths; Hoffman and Gelman (2014) on step sizes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.errors import InferenceError
from inflationary_flows.inference.step_size import StepSize
from inflationary_flows.progress import tracked
from inflationary_flows.seeding import derive_seed

# Log density of each row, shape (groups * chains, dim) to (groups * chains,), chains of a group one after the other.
LogDensity = Callable[[Tensor], Tensor]
# A trajectory that gains this much energy has left the region where leapfrog steps are stable.
_MOST_ERROR = 1000.0
# Step sizes differ by so much from one trajectory to the next.
_JITTER = 0.2


@dataclass(frozen=True)
class GroupedDraws:
    """Draws of all groups after warm-up.

    Attributes:
        draws: Positions, shape (groups, chains, n, dim).
        log_density: Log densities of these, shape (groups, chains, n).
        acceptance: Mean acceptance probability of each group, shape (groups,).
        step_size: Step size that each group settled on, shape (groups,).
        divergences: Divergent trajectories of each group, shape (groups,).
        gradients: Batched evaluations of density and gradient, warm-up included.
    """

    draws: Tensor
    log_density: Tensor
    acceptance: np.ndarray
    step_size: np.ndarray
    divergences: np.ndarray
    gradients: int


def run_hmc(
    log_density: LogDensity,
    starts: Tensor,
    *,
    warmup: int,
    draws: int,
    leapfrogs: int = 4,
    target_acceptance: float = 0.8,
    seed: int = 0,
    numbers: Sequence[int] | None = None,
) -> GroupedDraws:
    """Runs all chains of all groups.

    Arguments:
        log_density: Unnormalised log density of each row, differentiable, and of each row alone.
        starts: First positions, shape (groups, chains, dim), in coordinates of about unit scale.
        warmup: Iterations in which step sizes and scales adapt; not kept.
        draws: Iterations kept.
        leapfrogs: Mean number of steps of a trajectory, each of which is one batched gradient.
        target_acceptance: Mean acceptance probability that step sizes aim at.
        seed: Seed of all groups.
        numbers: Numbers of the groups, which their random numbers depend on, by default 0, 1, ...: a group of that
            number is the same alone and among others.

    Raises:
        InferenceError: if a log density or gradient is not finite at a start, or the numbers or lengths do not fit.
    """
    for name, value in (("warmup", warmup), ("draws", draws), ("leapfrogs", leapfrogs)):
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
    groups = _Groups(log_density, starts.detach().double(), [derive_seed("hmc group", seed, k) for k in labels])
    lengths = np.random.default_rng(derive_seed("trajectory lengths", seed))
    steps = [StepSize(target_acceptance) for _ in labels]
    for step in steps:
        # About what whitened coordinates ask for: a short warm-up could not forget bold steps.
        step.restart(starts.shape[2] ** -0.25, boldness=1.0)

    def iterate() -> tuple[np.ndarray, np.ndarray]:
        count = int(lengths.integers(math.ceil(leapfrogs / 2), leapfrogs + leapfrogs // 2 + 1))
        jitter = lengths.uniform(1 - _JITTER, 1 + _JITTER)
        return groups.move(jitter * np.array([step.now for step in steps]), count)

    # Scales are learned from the middle of warm-up, when chains have left their starts.
    learned: list[Tensor] = []
    first, last = warmup // 4, warmup - warmup // 3
    for done in tracked(range(warmup), "warm-up", unit="iteration"):
        accepted, _ = iterate()
        for step, probability in zip(steps, accepted.mean(1).tolist(), strict=True):
            step.learn(probability)
        if first <= done < last:
            learned.append(groups.position)
        if done + 1 == last and len(learned) > 1:
            groups.learn_scales(torch.stack(learned, 2))
            for step in steps:
                step.restart(step.now, boldness=1.0)
    for step in steps:
        step.settle()
    kept, values = [], []
    acceptance, divergences = np.zeros(len(labels)), np.zeros(len(labels), dtype=np.int64)
    for _ in tracked(range(draws), "draws", unit="iteration"):
        accepted, diverged = iterate()
        kept.append(groups.position)
        values.append(groups.value)
        acceptance += accepted.mean(1) / draws
        divergences += diverged.sum(1)
    return GroupedDraws(
        draws=torch.stack(kept, 2),
        log_density=torch.stack(values, 2),
        acceptance=acceptance,
        step_size=np.array([step.now for step in steps]),
        divergences=divergences,
        gradients=groups.gradients,
    )


class _Groups:
    """Where all chains are: positions, log densities, gradients, scales, shapes (groups, chains, dim) or less."""

    def __init__(self, log_density: LogDensity, starts: Tensor, seeds: Sequence[int]) -> None:
        self._log_density = log_density
        self._streams = [np.random.default_rng(seed) for seed in seeds]
        self.gradients = 0
        self.position = starts
        self.scale = torch.ones(len(starts), 1, starts.shape[2], dtype=torch.float64)
        self.value, self._gradient = self._evaluate(starts)
        finite = self.value.isfinite() & self._gradient.isfinite().all(2)
        if not bool(finite.all()):
            group, chain = (~finite).nonzero()[0].tolist()
            raise InferenceError(
                f"start of chain {chain} of group {group}",
                "a finite log density and gradient",
                f"log density {float(self.value[group, chain]):g}",
                "start closer to the observations, or check that data and flow belong together",
            )

    def _evaluate(self, position: Tensor) -> tuple[Tensor, Tensor]:
        """Log densities and their gradients."""
        self.gradients += 1
        points = position.flatten(0, 1).requires_grad_(True)
        with torch.enable_grad():
            values = self._log_density(points)
            # Rows are independent: the gradient of the sum holds that of each.
            gradient = torch.autograd.grad(values.sum(), points)[0]
        return values.detach().double().view(position.shape[:2]), gradient.double().view_as(position)

    def move(self, step_size: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Takes a trajectory of every chain; acceptance probabilities and divergences, shape (groups, chains)."""
        chains, dim = self.position.shape[1:]
        drawn = np.stack([stream.standard_normal((chains, dim)) for stream in self._streams])
        level = np.stack([stream.random(chains) for stream in self._streams])
        step = torch.from_numpy(step_size)[:, None, None] * self.scale
        start = torch.from_numpy(drawn)
        position, value, gradient = self.position, self.value, self._gradient
        momentum = start + step * gradient / 2
        for number in range(count):
            position = position + step * momentum
            value, gradient = self._evaluate(position)
            momentum = momentum + (step if number + 1 < count else step / 2) * gradient
        error = momentum.square().sum(2) / 2 - value - start.square().sum(2) / 2 + self.value
        error = torch.nan_to_num(error, nan=torch.inf, posinf=torch.inf)
        probability = torch.exp(-error.clamp(min=0.0))
        goes = torch.from_numpy(level) < probability
        self.position = torch.where(goes[..., None], position, self.position)
        self.value = torch.where(goes, value, self.value)
        self._gradient = torch.where(goes[..., None], gradient, self._gradient)
        return probability.numpy(), (error > _MOST_ERROR).numpy()

    def learn_scales(self, draws: Tensor) -> None:
        """Takes standard deviations of draws, shape (groups, chains, n, dim), drawn towards 1 where they are few."""
        n = draws.shape[1] * draws.shape[2]
        variances = draws.flatten(1, 2).var(1)
        self.scale = ((n * variances + 10.0) / (n + 10.0)).sqrt()[:, None]
