r"""Metrics of training: validation loss, and the error against the exact denoiser where it is known.

The excess denoising error is E |F(y, t) - F_exact(y, t)|^2 / D, the part of the loss that a perfect network would not
have, in the units of the target (variance 1).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.mathematics.denoisers import Denoiser, NetworkDenoiser
from inflationary_flows.mathematics.schedules import Schedule
from inflationary_flows.seeding import derive_seed
from inflationary_flows.training.shrinkage import Parabola
from inflationary_flows.training.targets import noisy_pair, stratified_clock, time_angles

# Numbers of a batch of validation: all points of a toy, 85 colour images.
_BATCH_NUMBERS = 2**18
EXCESS_POINTS = 1000
EXCESS_TIMES = 16


@torch.no_grad()
def _predictions(denoiser: NetworkDenoiser, w: Tensor, seed: int, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Outputs of the network and plain targets at noisy held-out points, shape (n, D) each, some points at a time.

    Points and noise are the same every time, so that only the network changes them. Point i is of row i modulo rows.

    Arguments:
        denoiser: Network and schedule.
        w: Held-out data in the eigenbasis over sqrt(xi), shape (n, D).
        seed: Seed of noise and times.
        size: Number of noisy points; held-out data are used repeatedly, or in part.
    """
    generator = torch.Generator().manual_seed(derive_seed("validation", seed))
    repeats = -(-size // len(w))
    points = w.repeat(repeats, 1)[:size]
    clock = stratified_clock(len(points), generator)
    # Points of a table may be ordered; times must not be tied to rows.
    clock = clock[torch.randperm(len(clock), generator=generator)]
    rows = max(64, _BATCH_NUMBERS // points.shape[1])
    for part, times in zip(points.split(rows), clock.split(rows), strict=True):
        angle = time_angles(denoiser.schedule, times).to(part)
        y, target = noisy_pair(part, angle, torch.randn(part.shape, generator=generator))
        predicted = denoiser.raw(y.to(denoiser.device), denoiser.schedule.time_at(times))
        yield predicted.double().cpu(), target.double()


def validation_loss(denoiser: NetworkDenoiser, w: Tensor, seed: int, size: int = 4096) -> float:
    """Mean squared error of the network against plain targets on held-out data; arguments as of `_predictions`."""
    total = torch.zeros((), dtype=torch.float64)
    for predicted, target in _predictions(denoiser, w, seed, size):
        total += (predicted - target).square().sum()
    return float(total / (size * w.shape[1]))


def measure_parabola(denoiser: NetworkDenoiser, w: Tensor, seed: int, size: int = 4096) -> Parabola:
    """The squared error on held-out data for all factors of F; arguments as of `_predictions`."""
    pairs = list(_predictions(denoiser, w, seed, size))
    product = torch.cat([(predicted * target).sum(1) for predicted, target in pairs])
    square = torch.cat([predicted.square().sum(1) for predicted, _ in pairs])
    rows = torch.arange(size) % len(w)
    least = min(len(w), size)
    return Parabola(torch.bincount(rows, product, least), torch.bincount(rows, square, least), size * w.shape[1])


def excess_times(schedule: Schedule, points: int = EXCESS_TIMES) -> np.ndarray:
    """Times at the middles of equal parts of the clock, shape (points,)."""
    return schedule.time_at((torch.arange(points) + 0.5) / points).numpy()


@torch.no_grad()
def excess_denoising_error(
    denoiser: Denoiser, exact: Denoiser, u0: np.ndarray | Tensor, seed: int, times: np.ndarray
) -> np.ndarray:
    """Mean squared difference of F to the exact one, for each time, shape (len(times),).

    Arguments:
        denoiser: The network.
        exact: The exact denoiser of the same schedule.
        u0: Held-out data, shape (n, D), eigen coordinates.
        seed: Seed of the noise.
        times: Times of the schedule, shape (k,).
    """
    schedule = denoiser.schedule
    w = torch.as_tensor(u0, dtype=torch.float64) / schedule.eigenvalues.sqrt()
    errors = []
    for index, t in enumerate(times):
        generator = torch.Generator().manual_seed(derive_seed("excess", seed, index))
        noise = torch.randn(w.shape, generator=generator, dtype=w.dtype)
        y, _ = noisy_pair(w, schedule.angle(float(t)).expand_as(w), noise)
        difference = denoiser.raw(y, float(t)) - exact.raw(y, float(t))
        errors.append(float(difference.square().mean()))
    return np.array(errors)


def mean_excess(schedule: Schedule, times: np.ndarray, errors: np.ndarray, above: float) -> float:
    """Average of the excess error over times whose largest kernel variance is above a bound."""
    kernel = schedule.gamma(torch.as_tensor(times)).max(1).values.numpy()
    return float(errors[kernel > above].mean())


@dataclass(frozen=True)
class Monitor:
    """Held-out data, and exact denoisers where there are some, that a training run is measured on.

    Attributes:
        w: Validation data in the eigenbasis over sqrt(xi), shape (n, D), float32.
        schedules: Schedules of the network.
        exact: Exact denoisers of these, or none.
        seed: Seed of all noise.
        size: Noisy points of a validation loss.
    """

    w: Tensor
    schedules: Sequence[Schedule]
    exact: Sequence[Denoiser]
    seed: int
    size: int = 4096

    def _each(self, denoiser: NetworkDenoiser) -> list[NetworkDenoiser]:
        """The network as denoisers of all schedules."""
        return [denoiser.of(schedule=schedule) for schedule in self.schedules]

    def parabola(self, denoiser: NetworkDenoiser) -> Parabola:
        """The squared error on held-out data for all factors of F, summed over schedules."""
        found = [measure_parabola(each, self.w, self.seed, self.size) for each in self._each(denoiser)]
        total = found[0]
        for other in found[1:]:
            total = Parabola(total.product + other.product, total.square + other.square, total.count + other.count)
        return total

    def measure(self, denoiser: NetworkDenoiser) -> dict[str, object]:
        """Validation loss and excess error, means over all times and schedules, and of each, as plain values."""
        each = self._each(denoiser)
        losses = [validation_loss(one, self.w, self.seed, self.size) for one in each]
        row: dict[str, object] = {"validation_loss": math.fsum(losses) / len(losses)}
        if len(losses) > 1:
            row["validation_by_schedule"] = losses
        if self.exact:
            errors = [self._excess(one, exact) for one, exact in zip(each, self.exact, strict=True)]
            row["excess_denoising_error"] = float(np.mean(errors))
            if len(errors) > 1:
                row["excess_by_schedule"] = [float(error.mean()) for error in errors]
            else:
                times = excess_times(self.schedules[0])
                row["excess_by_time"] = [[float(t), float(e)] for t, e in zip(times, errors[0], strict=True)]
        return row

    def _excess(self, denoiser: NetworkDenoiser, exact: Denoiser) -> np.ndarray:
        """Excess error for each time."""
        schedule = denoiser.schedule
        u0 = self.w[:EXCESS_POINTS].double() * schedule.eigenvalues.sqrt()
        return excess_denoising_error(denoiser, exact, u0, self.seed, excess_times(schedule))
