r"""Chains of the No-U-Turn sampler, side by side: independent of each other, evaluated together.

With momenta p ~ N(0, I) a chain moves at constant energy

    H(theta, p) = -log density(theta) + |p|^2 / 2

in coordinates divided by the scales that warm-up has learned.  Leapfrog steps double the trajectory, to either side at
random, until its ends turn towards each other.  The next draw is a point of the trajectory, with weight exp(-H).

A chain is a generator: it yields the position whose density and gradient it needs next. All positions that chains wait
for are evaluated as one batch, because a flow carries many points for little more than the price of one. Each chain
has random numbers of its own, and learns step size and scales from its own draws.  What it computes depends on the
others by rounding alone, if the log density takes each row alone: a network rounds differently in another batch.
Rounding grows along trajectories, so that one chain of four and the same chain alone end as different draws of the same
posterior; the same four chains are the same bytes again.

Sources: Hoffman and Gelman (2014) for trees and step size; Betancourt (2017), A Conceptual Introduction to Hamiltonian
Monte Carlo, A.3.2 and A.4.2, for multinomial weights and the criterion of turning; Stan for the windows of warm-up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.errors import InferenceError
from inflationary_flows.inference.chains import Chain
from inflationary_flows.inference.step_size import StepSize
from inflationary_flows.progress import Progress

LogDensity = Callable[[Tensor], Tensor]
# A position in exchange for its log density and gradient.
_Step = Generator[np.ndarray, tuple[float, np.ndarray], "_Point"]

# A trajectory that gains this much energy has left the region where leapfrog steps are stable.
_MOST_ERROR = 1000.0


def run_nuts(
    log_density: LogDensity,
    starts: Tensor,
    *,
    seeds: Sequence[int],
    warmup: int,
    draws: int,
    target_acceptance: float = 0.8,
    max_tree_depth: int = 10,
    step_size: float = 0.1,
    adapt_mass: bool = True,
) -> list[Chain]:
    """Runs chains.

    Arguments:
        log_density: Unnormalised log density of each row, shape (m, dim) to (m,), differentiable; m is the number of
            chains that ask at that moment.
        starts: First positions, shape (chains, dim).
        seeds: Seeds of momenta and trajectories, one a chain.
        warmup: Iterations in which step size and diagonal mass matrix adapt; not kept.
        draws: Iterations kept.
        target_acceptance: Mean acceptance probability that the step size aims at.
        max_tree_depth: Most doublings of a trajectory.
        step_size: First step size.
        adapt_mass: Whether the mass matrix adapts; the identity otherwise.

    Raises:
        InferenceError: if a log density or its gradient is not finite at the start of a chain, there is not one start
            for each seed, or warmup or draws is below 1.
    """
    for name, value in (("warmup", warmup), ("draws", draws)):
        if value < 1:
            raise InferenceError(name, "an integer >= 1", str(value), "give the chains some iterations")
    if starts.ndim != 2 or len(starts) != len(seeds):
        raise InferenceError(
            "starts of the chains",
            f"shape ({len(seeds)}, dim), one row a seed",
            f"shape {tuple(starts.shape)}",
            "give each chain its own start and seed",
        )
    samplers = [
        _Sampler(number, seed, warmup, draws, target_acceptance, max_tree_depth, step_size, adapt_mass)
        for number, seed in enumerate(seeds)
    ]
    running = [sampler.run(start) for sampler, start in zip(samplers, starts.detach().double().numpy(), strict=True)]
    asked = {number: next(chain) for number, chain in enumerate(running)}
    finished: dict[int, Chain] = {}
    bar = Progress(warmup + draws, "slowest chain", unit="iteration")
    while asked:
        numbers = list(asked)
        positions = torch.from_numpy(np.stack(list(asked.values()))).requires_grad_(True)
        values = log_density(positions)
        # Rows are independent: the gradient of the sum holds that of each.
        gradients = torch.autograd.grad(values.sum(), positions)[0].numpy()
        for number, value, gradient in zip(numbers, values.tolist(), gradients, strict=True):
            try:
                asked[number] = running[number].send((value, gradient))
            except StopIteration as end:
                del asked[number]
                finished[number] = end.value
        bar.reach(min(sampler.iteration for sampler in samplers))
    bar.close()
    return [finished[number] for number in range(len(samplers))]


class _Point(NamedTuple):
    """A place in phase space."""

    position: np.ndarray
    momentum: np.ndarray
    log_density: float
    gradient: np.ndarray

    @property
    def energy(self) -> float:
        energy = float(self.momentum @ self.momentum) / 2 - self.log_density
        return math.inf if math.isnan(energy) else energy


@dataclass(frozen=True)
class _Tree:
    """A part of a trajectory, built outwards from its first point."""

    first: _Point
    last: _Point
    proposal: _Point
    momentum: np.ndarray  # summed over the points
    log_weight: float
    acceptance: float  # likewise
    points: int
    diverged: bool = False
    turned: bool = False


class _Sampler:
    """One chain; `run` is its generator."""

    def __init__(
        self,
        number: int,
        seed: int,
        warmup: int,
        draws: int,
        target_acceptance: float,
        max_tree_depth: int,
        step_size: float,
        adapt_mass: bool,
    ) -> None:
        self.number = number
        self.random = np.random.default_rng(seed)
        self.warmup, self.draws = warmup, draws
        self.max_tree_depth = max_tree_depth
        self.first_step_size = step_size
        self.steps = StepSize(target_acceptance)
        self.windows = _windows(warmup) if adapt_mass else range(0)
        self.scale: np.ndarray = np.ones(1)
        self.iteration = self.leapfrogs = 0

    def run(self, start: np.ndarray) -> Generator[np.ndarray, tuple[float, np.ndarray], Chain]:
        """Yields positions, is sent their log densities and gradients, and returns the chain."""
        value, gradient = yield start
        if not (math.isfinite(value) and np.isfinite(gradient).all()):
            raise InferenceError(
                f"start of chain {self.number}",
                "a finite log density and gradient",
                f"log density {value:g}",
                "start closer to the observations, or check that data and flow belong together",
            )
        here = _Point(start, np.zeros_like(start), value, gradient)
        yield from self._find_step_size(here, self.first_step_size)
        learned: list[np.ndarray] = []
        for done in range(1, self.warmup + 1):
            here, acceptance, *_ = yield from self._move(here)
            self.steps.learn(acceptance)
            if self.windows and done > self.windows[0]:
                learned.append(here.position)
            if done in self.windows[1:]:
                self.scale = _scales(np.array(learned))
                learned = []
                yield from self._find_step_size(here, self.steps.now)
        self.steps.settle()
        records = []
        for _ in range(self.draws):
            here, *statistics = yield from self._move(here)
            records.append((here.position, *statistics))
        positions, acceptances, energies, depths, diverging = zip(*records, strict=True)
        return Chain(
            draws=np.stack(positions),
            diverging=np.array(diverging),
            energy=np.array(energies),
            tree_depth=np.array(depths, dtype=np.int64),
            acceptance=np.array(acceptances),
            step_size=self.steps.now,
            leapfrogs=self.leapfrogs,
        )

    def _move(
        self, here: _Point
    ) -> Generator[np.ndarray, tuple[float, np.ndarray], tuple[_Point, float, float, int, bool]]:
        """One trajectory: next point, mean acceptance probability, energy, doublings, whether it diverged."""
        self.iteration += 1
        start = here._replace(momentum=self.random.standard_normal(len(here.position)))
        energy = start.energy
        ends = {-1: start, 1: start}
        momentum, log_weight = start.momentum, 0.0
        acceptance, points, depth, diverged = 0.0, 0, 0, False
        while depth < self.max_tree_depth:
            direction = 1 if self.random.random() < 0.5 else -1
            tree = yield from self._grow(ends[direction], direction * self.steps.now, depth, energy)
            depth += 1
            ends[direction] = tree.last
            acceptance, points = acceptance + tree.acceptance, points + tree.points
            diverged = tree.diverged
            if tree.diverged or tree.turned:
                break
            # The new half is preferred: this keeps the distribution, and moves further.
            if self.random.random() < math.exp(min(0.0, tree.log_weight - log_weight)):
                here = tree.proposal
            momentum = momentum + tree.momentum
            if _turned(ends[-1], ends[1], momentum):
                break
            log_weight = float(np.logaddexp(log_weight, tree.log_weight))
        return here, acceptance / points, energy, depth, diverged

    def _grow(
        self, start: _Point, step: float, depth: int, energy: float
    ) -> Generator[np.ndarray, tuple[float, np.ndarray], _Tree]:
        """The 2^depth points that follow `start`, or fewer where it turns or diverges."""
        if depth == 0:
            point = yield from self._leap(start, step)
            error = point.energy - energy
            accepted = math.exp(min(0.0, -error))
            return _Tree(point, point, point, point.momentum, -error, accepted, 1, diverged=error > _MOST_ERROR)
        near = yield from self._grow(start, step, depth - 1, energy)
        if near.diverged or near.turned:
            return near
        far = yield from self._grow(near.last, step, depth - 1, energy)
        log_weight = float(np.logaddexp(near.log_weight, far.log_weight))
        chosen = far if self.random.random() < math.exp(far.log_weight - log_weight) else near
        momentum = near.momentum + far.momentum
        return _Tree(
            near.first,
            far.last,
            chosen.proposal,
            momentum,
            log_weight,
            near.acceptance + far.acceptance,
            near.points + far.points,
            far.diverged,
            far.turned or _turned(near.first, far.last, momentum),
        )

    def _leap(self, start: _Point, step: float) -> _Step:
        """One leapfrog step."""
        self.leapfrogs += 1
        half = start.momentum + step / 2 * self.scale * start.gradient
        position = start.position + step * self.scale * half
        value, gradient = yield position
        return _Point(position, half + step / 2 * self.scale * gradient, value, gradient)

    def _find_step_size(self, here: _Point, step: float) -> Generator[np.ndarray, tuple[float, np.ndarray], None]:
        """Doubles or halves the step size until one step is accepted about as often as not."""
        grows = None
        while 1e-10 < step < 1e10:
            start = here._replace(momentum=self.random.standard_normal(len(here.position)))
            end = yield from self._leap(start, step)
            accepted = start.energy - end.energy > math.log(0.8)
            if grows is None:
                grows = accepted
            elif grows != accepted:
                break
            step *= 2.0 if grows else 0.5
        self.steps.restart(step)


def _windows(warmup: int) -> Sequence[int]:
    """Iterations between which scales are learned, as in Stan: windows double, with buffers before and after them."""
    if warmup < 20:
        return []
    first, last, width = 75, warmup - 50, 25
    if first + width > last:
        first, last = int(0.15 * warmup), warmup - int(0.1 * warmup)
        width = last - first
    edges = [first]
    while edges[-1] < last:
        # The last window takes what would be too short for one of its own.
        edges.append(edges[-1] + width if 3 * width <= last - edges[-1] else last)
        width *= 2
    return edges


def _scales(positions: np.ndarray) -> np.ndarray:
    """Standard deviations of draws, shape (n, dim) to (dim,), drawn towards a small number where they are few."""
    n = len(positions)
    variances: np.ndarray = n / (n + 5.0) * positions.var(0, ddof=1) + 1e-3 * 5.0 / (n + 5.0)
    return np.sqrt(variances)


def _turned(first: _Point, last: _Point, momentum: np.ndarray) -> bool:
    """Whether the ends of a trajectory move towards each other; `momentum` is summed over its points."""
    along = momentum - (first.momentum + last.momentum) / 2
    return bool(first.momentum @ along <= 0 or last.momentum @ along <= 0)
