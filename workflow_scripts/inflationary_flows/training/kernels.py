"""The schedules that a network is trained on: one, several, or any of a range."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from inflationary_flows.errors import DataError
from inflationary_flows.mathematics.schedules import Schedule, make_schedule
from inflationary_flows.networks.kernel_range import KernelRange
from inflationary_flows.requirements import usual_signal_left
from inflationary_flows.seeding import derive_seed

# Schedules in a batch that are drawn at random: a few examples each.
_DRAWN = 8


class Kernels:
    """Schedules of one data set, all of which are in every batch.

    Attributes:
        schedules: Those that a training is measured on, at least one.
        chosen: Whether somebody has asked for these.
    """

    chosen = True

    def __init__(self, schedules: Sequence[Schedule]) -> None:
        self.schedules = tuple(schedules)

    def draw(self, seed: int, step: int) -> Sequence[Schedule]:
        """Schedules that the examples of a step take in turns."""
        return self.schedules


class RangeOfKernels(Kernels):
    """Schedules that are drawn at random for each step.

    Arguments:
        eigenvalues: Data variances, shape (D,), descending.
        given: The range that they are drawn from.
        least_variance: As of `make_schedule`.
    """

    chosen = False

    def __init__(self, eigenvalues: Tensor, given: KernelRange, least_variance: float = 0.0) -> None:
        self.eigenvalues = eigenvalues
        self.range = given
        self.least_variance = least_variance
        super().__init__([self._made(arguments) for arguments in given.examples()])

    def _made(self, arguments: dict[str, object]) -> Schedule:
        made: Callable[..., Schedule] = make_schedule
        return made(self.eigenvalues, **arguments, least_variance=self.least_variance)

    def draw(self, seed: int, step: int) -> Sequence[Schedule]:
        """Schedules that belong to this seed and step."""
        chance = random.Random(derive_seed("kernels", seed, step))
        return [self._made(self.range.draw(chance)) for _ in range(_DRAWN)]


def kernels_from(values: Mapping[str, Any], eigenvalues: Tensor) -> Kernels:
    """Kernels from plain values: `schedules`, arguments of `make_schedule`, or a `range` of them."""
    if "range" in values:
        given = KernelRange.from_dict(values["range"])
        return RangeOfKernels(eigenvalues, given, values.get("least_variance", 0.0))
    return Kernels([make_schedule(eigenvalues, **arguments) for arguments in values["schedules"]])


def schedule_problem(values: Mapping[str, Any], schedule: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Key, expectation and what was got, of arguments of a schedule that such kernels do not hold; else none."""
    if "range" in values:
        return KernelRange.from_dict(values["range"]).problem(schedule)
    known = values["schedules"]
    if any(dict(schedule) == dict(one) for one in known):
        return None
    kept = ", ".join(str(one.get("kept_dims", "all")) for one in known)
    got = ", ".join(
        f"{key} {value}" for key, value in schedule.items() if key in ("kernel", "kept_dims", "inflation_gap")
    )
    return "", f"a schedule that the network was trained for (kept_dims: {kept})", got


def require_seen(values: Mapping[str, Any], schedule: Schedule) -> None:
    """Raises DataError if a schedule of a range goes on to more noise than the network has seen."""
    least = usual_signal_left(None if schedule.kept_dims == schedule.dimension else schedule.kept_dims)
    if "range" in values and schedule.signal_left < least * (1 - 1e-6):
        hint = "end earlier, or fit a network for this schedule"
        expected = f"a time at which {least:g} of the signal or more is left, as the network was trained for"
        raise DataError("schedule.t_max", expected, f"{schedule.signal_left:.2g}", hint)


def in_turns(
    drawn: Sequence[Schedule], turn: Tensor, clock: Tensor, of: Callable[[Schedule, Tensor], Tensor]
) -> Tensor:
    """A function of schedule and times for examples that take schedules in turns.

    Arguments:
        drawn: Schedules.
        turn: Number of the schedule of each example, shape (n,).
        clock: Positions on the schedules' clocks, shape (n,).
        of: Maps a schedule and times, shape (k,), to values, shape (k, ...).

    Returns:
        Values, shape (n, ...).
    """
    if len(drawn) == 1:
        return of(drawn[0], drawn[0].time_at(clock))
    groups = [torch.nonzero(turn == place)[:, 0] for place in range(len(drawn))]
    parts = [of(schedule, schedule.time_at(clock[rows])) for schedule, rows in zip(drawn, groups, strict=True)]
    values = torch.cat(parts)
    return torch.empty_like(values).index_copy_(0, torch.cat(groups).to(values.device), values)
