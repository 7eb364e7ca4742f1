"""Which schedule a flow has: chosen before it is fitted, or after, of a network that knows several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any, Literal, get_args

from inflationary_flows.errors import DataError, shorten
from inflationary_flows.mathematics.denoisers import NetworkDenoiser
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.points import whole
from inflationary_flows.mathematics.prior import CompressedPrior, can_be_smoothed, require_prior
from inflationary_flows.mathematics.schedules import Kernel, ScheduleSettings, make_schedule
from inflationary_flows.networks.kernel_range import KernelRange
from inflationary_flows.training.assembly import assemble
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
    if schedule not in get_args(Kernel):
        expected = f"{' or '.join(get_args(Kernel))}, or ScheduleSettings"
        raise DataError("schedule", expected, shorten(schedule), "floor is the default; kept_dims reduces dimensions")
    return ScheduleSettings(kernel=schedule, kept_dims=kept)


def choose_kernels(schedule: Any, kept_dims: KeptDims, dimension: int) -> dict[str, Any]:
    """What a network is trained on, as of `kernels_from`, from what the caller gave.

    Arguments:
        schedule: As of `choose_schedule`; or `any`, both kernels, of a network of several schedules.
        kept_dims: As of `Flow.fit`.
        dimension: Number of coordinates D.

    Raises:
        DataError: as `choose_schedule`, or if there are no such dimensions, or settings of one schedule for several.
    """
    if kept_dims is None or isinstance(kept_dims, Integral):
        if schedule == "any":
            raise DataError("schedule", "one kernel for one schedule", "any", 'set kept_dims="any" as well')
        return {"schedules": [choose_schedule(schedule, None if kept_dims is None else int(kept_dims)).arguments()]}
    ends = [1, dimension - 1] if isinstance(kept_dims, str) and kept_dims == "any" else kept_dims
    if not isinstance(ends, list | tuple) or len(ends) != 2:
        hint = "3 keeps three dimensions, None all; any leaves it open, (1, 5) within bounds"
        raise DataError("kept_dims", "a number, None, any, or a pair of numbers", shorten(kept_dims), hint)
    low, high = (whole(end, "kept_dims", 1) for end in ends)
    if not low <= high < dimension:
        got = f"{low} to {high}"
        raise DataError("kept_dims", f"numbers from 1 to {dimension - 1} (D = {dimension})", got, "any has all of them")
    gap, kernels = None, (schedule,)
    if isinstance(schedule, ScheduleSettings):
        kernels, gap = (schedule.kernel,), schedule.inflation_gap
        own = replace(schedule, kernel="floor", gap="orig", inflation_gap=None)
        if own != ScheduleSettings():
            hint = "give kernel and inflation_gap alone: rates and ends of time are the usual ones then"
            raise DataError("schedule", "settings for any number of kept dimensions", shorten(schedule), hint)
    elif schedule == "any":
        kernels = get_args(Kernel)
    elif schedule not in get_args(Kernel):
        choose_schedule(schedule, None)
    return {"range": KernelRange((low, high), None if gap is None else (0.0, float(gap)), kernels).as_dict()}


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
    kernels, denoiser = record.get("kernels"), flow.denoiser
    if kernels is None or flow.rows is None or not isinstance(denoiser, NetworkDenoiser):
        hint = 'fit one that knows all: Flow.fit(table, kept_dims="any")'
        raise DataError("with_schedule", "a flow whose network knows several schedules", "one of its own", hint)
    wanted = choose_schedule(flow.schedule.kernel if schedule is None else schedule, kept_dims).arguments()
    # Of a list of schedules each is known by what it keeps.
    same = [one for one in kernels.get("schedules", ()) if _named(one) == _named(wanted)]
    settings = dict(same[0]) if same else wanted
    problem = schedule_problem(kernels, settings)
    if problem is not None:
        key, expected, got = problem
        raise DataError(f"schedule.{key}".rstrip("."), expected, got, "choose one of these, or fit a network for it")
    smallest = {"least_variance": kernels["least_variance"]} if "least_variance" in kernels else {}
    made = make_schedule(flow.basis.eigenvalues, **{**smallest, **settings})
    require_seen(kernels, made)
    rows = record.get("split", {}).get("sizes", {}).get("train", len(flow.rows))
    warn_of_ties(made, flow.basis, rows)
    prior = require_prior(compressed_prior or choose_prior(rows, made.dimension - made.kept_dims))
    twin = assemble(
        denoiser.of(schedule=made),
        flow.rows.numpy(),
        solver=flow.solver,
        compressed_prior=prior,
        device=str(denoiser.device),
    )
    twin.columns = flow.columns
    own = {key: value for key, value in record.items() if key not in ("summary", "compressed_prior")}
    return twin, {**own, "schedule": settings}


def _named(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    """What schedules of a list are told apart by."""
    defaults = {"kernel": "floor", "kept_dims": None, "gap": "orig", "inflation_gap": None}
    return tuple(settings.get(key, default) for key, default in defaults.items())
