"""Which schedule a flow has: chosen before it is fitted, or after, of a network that knows several."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, cast, get_args

from inflationary_flows.errors import DataError, shorten
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.points import whole
from inflationary_flows.mathematics.prior import CompressedPrior, can_be_smoothed, require_prior
from inflationary_flows.mathematics.schedules import Kernel, ScheduleSettings, make_schedule
from inflationary_flows.networks.kernel_range import KernelRange
from inflationary_flows.training.assembly import with_schedule
from inflationary_flows.training.fit import warn_of_ties
from inflationary_flows.training.kernels import require_seen, schedule_problem

# Resampled compressed latents are near copies of rows where these are few, unless their density can be smoothed.
_MANY_ROWS = 5000
# One number of dimensions, none for all, or several of which one is chosen later.
KeptDims = int | Literal["any"] | Sequence[int] | None


def choose_schedule(schedule: Any, kept_dims: int | None) -> ScheduleSettings:
    """Settings of a schedule from what the caller gave: a kernel's name, or settings.

    Raises:
        DataError: if it is neither, or both name kept dimensions, other ones.
    """
    kept = None if kept_dims is None else whole(kept_dims, "kept_dims", 1)
    if isinstance(schedule, ScheduleSettings):
        if kept is not None and schedule.kept_dims not in (None, kept):
            got = f"{kept}, and {schedule.kept_dims} in the schedule"
            raise DataError("kept_dims", "one number of dimensions", got, "give it once")
        return schedule if kept is None else replace(schedule, kept_dims=kept)
    if not isinstance(schedule, str) or schedule not in get_args(Kernel):
        expected = f"{' or '.join(get_args(Kernel))}, or ScheduleSettings"
        raise DataError("schedule", expected, shorten(schedule), "floor is the default; kept_dims reduces dimensions")
    return ScheduleSettings(kernel=cast(Kernel, schedule), kept_dims=kept)


def choose_kernels(schedule: Any, kept_dims: KeptDims, dimension: int) -> dict[str, Any]:
    """What a network is trained on, as of `kernels_from`, from what the caller gave.

    Arguments:
        schedule: As of `choose_schedule`; or `any`, both kernels, of a network of several schedules.
        kept_dims: As of `Flow.fit`.
        dimension: Number of coordinates D.

    Raises:
        DataError: as `choose_schedule`, or if there are no such dimensions, or settings of one schedule for several.
    """
    asked: Any = kept_dims
    open_kernel = isinstance(schedule, str) and schedule == "any"
    if isinstance(asked, str) and asked != "any":
        hint = "3 keeps three dimensions, None all; any leaves it open, (1, 5) within bounds"
        raise DataError("kept_dims", "a whole number, None, any, or a pair of numbers", shorten(asked), hint)
    if not isinstance(asked, list | tuple | str):
        if open_kernel:
            raise DataError("schedule", "one kernel for one schedule", "any", 'set kept_dims="any" as well')
        return {"schedules": [choose_schedule(schedule, asked).arguments()]}
    ends = [1, dimension - 1] if isinstance(asked, str) else [whole(end, "kept_dims", 1) for end in asked]
    if len(ends) != 2:
        raise DataError("kept_dims", "two numbers, the least d and the most", shorten(asked), "(1, 5) for example")
    # Settings of one schedule tell kernel and largest gap; the floor comes first, as it is the default.
    kernels: tuple[str, ...] = ("floor", "proportional")
    gap: tuple[float, float] | None = None
    if isinstance(schedule, ScheduleSettings):
        if replace(schedule, kernel="floor", gap="orig", inflation_gap=None) != ScheduleSettings():
            hint = "give kernel and inflation_gap alone: rates and ends of time are the usual ones then"
            raise DataError("schedule", "settings for any number of kept dimensions", shorten(schedule), hint)
        if schedule.gap == "constant" and schedule.inflation_gap is None:
            hint = "1.02 is the gap of the paper's tables"
            raise DataError("schedule.inflation_gap", "the largest gap, since gap is constant", "nothing", hint)
        kernels = (schedule.kernel,)
        gap = None if schedule.inflation_gap is None else (0.0, float(schedule.inflation_gap))
    elif not open_kernel:
        kernels = (choose_schedule(schedule, None).kernel,)
    given = KernelRange((ends[0], ends[1]), gap, kernels)
    if (fault := given.fault(dimension)) is not None:
        key, expected, got, hint = fault
        raise DataError(key if key == "kept_dims" else f"schedule.{key}", expected, got, hint)
    return {"range": given.as_dict()}


def choose_prior(rows: int, compressed: int) -> CompressedPrior:
    """How compressed latents are drawn: from training rows where these are many or can be smoothed, else a Gaussian."""
    return "empirical" if can_be_smoothed(rows, compressed) or rows >= _MANY_ROWS else "gaussian"


def of_schedule(
    flow: Flow,
    record: Mapping[str, Any],
    schedule: Any,
    kept_dims: int | None,
    compressed_prior: CompressedPrior | None,
) -> tuple[Flow, dict[str, Any]]:
    """The flow of another schedule with the same network, and its record; arguments as of `Flow.with_schedule`.

    Raises:
        DataError: if the network is of one schedule alone, or does not know this one.
    """
    kernels = record.get("kernels")
    if kernels is None or flow.rows is None:
        hint = 'fit one that knows all: Flow.fit(table, kept_dims="any")'
        raise DataError("with_schedule", "a flow whose network knows several schedules", "one of its own", hint)
    asked = choose_schedule(flow.schedule.kernel if schedule is None else schedule, kept_dims)
    settings = asked.arguments() if "range" in kernels else _listed(kernels["schedules"], asked, record["schedule"])
    problem = schedule_problem(kernels, settings)
    if problem is not None:
        key, expected, got = problem
        hint = "choose one of these, leave kept_dims out to keep all, or fit a network for it"
        raise DataError(f"schedule.{key}".rstrip("."), expected, got, hint)
    smallest = {"least_variance": kernels["least_variance"]} if "least_variance" in kernels else {}
    made = make_schedule(flow.basis.eigenvalues, **{**smallest, **settings})
    require_seen(kernels, made)
    rows = record.get("split", {}).get("sizes", {}).get("train", len(flow.rows))
    warn_of_ties(made, flow.basis, rows)
    if compressed_prior is None:
        # One that somebody has chosen stays.
        reduces = flow.schedule.kept_dims < flow.dimension
        compressed_prior = flow.compressed_prior if reduces else record.get("chosen_prior")
    usual = choose_prior(rows, made.dimension - made.kept_dims)
    prior = usual if compressed_prior is None else require_prior(compressed_prior)
    twin = with_schedule(flow, made, flow.rows.numpy(), prior)
    twin.columns, twin.held_out = flow.columns, flow.held_out
    own = {key: copy.deepcopy(value) for key, value in record.items() if key not in ("summary", "compressed_prior")}
    return twin, {**own, "schedule": settings}


def _listed(known: Sequence[Mapping[str, Any]], asked: ScheduleSettings, own: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of the schedule of a list that settings mean: what they leave open is as it is there.

    Raises:
        DataError: if there is none, or more than one and not the flow's own.
    """
    usual = ScheduleSettings()
    told = ("kernel", "kept_dims", "gap")
    said = {key: value for key, value in vars(asked).items() if key in told or value != getattr(usual, key)}
    fitting = [one for one in known if all(one.get(key, getattr(usual, key)) == said[key] for key in said)]
    if len(fitting) > 1 and dict(own) in [dict(one) for one in fitting]:
        return dict(own)
    if len(fitting) != 1:
        several = [", ".join(f"{key} {value}" for key, value in one.items()) for one in known]
        got = f"{'none' if not fitting else 'more than one'} of them that fits"
        expected = f"one of the schedules that the network was trained for ({'; '.join(several)})"
        raise DataError("schedule", expected, got, "pass ScheduleSettings that name one, or fit a network for it")
    return dict(fitting[0])
