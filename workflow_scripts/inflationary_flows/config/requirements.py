"""What several checks of the configuration ask for: names that exist, values that stand once, parts that fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from inflationary_flows.config.messages import did_you_mean, listing
from inflationary_flows.config.models import Schedule
from inflationary_flows.errors import ConfigError


def require_fit(schedule: Schedule, schedule_name: str, dataset: str, dimension: int) -> None:
    """Raises `ConfigError` if a schedule cannot be used with data of D dimensions."""
    kept = schedule.kept_dims
    if kept is None:
        return
    about = f'(data set "{dataset}" has D = {dimension})'
    elsewhere = f"list {dataset} under another one."
    if kept >= dimension:
        expected = f"an integer from 1 to {dimension - 1}" if dimension > 1 else "no kept_dims"
        raise ConfigError(
            f"schedules.{schedule_name}.kept_dims",
            f"{expected} {about}",
            str(kept),
            f"name a schedule with fewer kept dimensions, or {elsewhere}",
        )


def require_known(name: str, known: Iterable[str], where: str, what: str) -> None:
    """Raises `ConfigError` if a name refers to nothing."""
    known = list(known)
    if name in known:
        return
    near = did_you_mean(name, known)
    raise ConfigError(
        where,
        f"one of the {what} {listing(known)}",
        f'the unknown name "{name}"',
        f'did you mean "{near}"?' if near else f"define it under {what.split()[0]}, or use one of these.",
    )


def require_normalised(weights: Sequence[float], where: str) -> None:
    """Raises `ConfigError` if weights do not add up to 1."""
    if abs(sum(weights) - 1) > 1e-9:
        raise ConfigError(where, "weights that add up to 1", f"{sum(weights):.6g}", "normalise them.")


def require_unique(values: Sequence[Any], where: str, what: str) -> None:
    """Raises `ConfigError` if a value stands in a list twice."""
    for index, value in enumerate(values):
        if value in values[:index]:
            raise ConfigError(where, f"every {what} once", f"{value} twice", "remove one of them.")
