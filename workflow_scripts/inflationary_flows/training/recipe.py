"""Network and training for a table, chosen from its size, with what the caller wants otherwise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, get_args, get_type_hints

from inflationary_flows.errors import DataError, shorten
from inflationary_flows.mathematics.points import real, whole
from inflationary_flows.requirements import suggest
from inflationary_flows.training.settings import TrainingSettings

# Columns up to which random Fourier features help: beyond, the network becomes too wiggly.
_FEW_COLUMNS = 3
# Rows from which on there is more to learn than 2,000 steps can.
_MANY_ROWS = 100_000
# Coordinates up to which the posterior mean over a batch is better than the one point: beyond, no two are near.
_NEAR = 20
# Numbers that may be 0; all others of TrainingSettings are above.
_FROM_ZERO = {"weight_decay", "augment"}
_NETWORK = {"width": 1, "blocks": 1, "frequencies": 0, "time_features": 1}
_SPACES = ("eigen", "wiener", "ambient")


def _require_mapping(name: str, wanted: Any, example: str) -> None:
    if not isinstance(wanted, Mapping):
        raise DataError(name, "a mapping of settings", shorten(wanted), f"such as {example}")


def choose_network(dimension: int, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a network for tables, arguments of `build_network`.

    Arguments:
        dimension: Number of coordinates D.
        wanted: Settings that the caller chose: `width`, `blocks`, `frequencies`, `bandwidth`, `time_features`, `space`.

    Raises:
        DataError: if one of these is unknown, or no value that it can have.
    """
    _require_mapping("network", wanted, '{"width": 128}')
    few = dimension <= _FEW_COLUMNS
    chosen: dict[str, Any] = {
        "kind": "mlp",
        "space": "eigen",
        "width": 64 if few else 128 if dimension <= 32 else 256,
        "blocks": 3,
        "frequencies": 64 if few else 0,
        "bandwidth": 1.0,
    }
    for key, value in wanted.items():
        where = f"network.{key}"
        if key in _NETWORK:
            chosen[key] = whole(value, where, _NETWORK[key], 100_000)
        elif key == "bandwidth":
            chosen[key] = real(value, where, 0.0, math.inf, "1 is usual")
        elif key == "space" and value in _SPACES:
            chosen[key] = value
        else:
            known = [*_NETWORK, "bandwidth", "space"]
            got = f"space {shorten(value)}" if key == "space" else f"the key {shorten(key)}"
            expected = f"one of {', '.join(_SPACES)}" if key == "space" else f"one of the keys {', '.join(known)}"
            raise DataError("network", expected, got, suggest(key, known, "leave it out for the default"))
    return chosen


def choose_training(
    rows: int, dimension: int, wanted: Mapping[str, Any], *, noiseless: bool = False
) -> TrainingSettings:
    """Hyper-parameters of training for a table.

    Arguments:
        rows: Rows to train on.
        dimension: Number of coordinates D.
        wanted: Fields of `TrainingSettings` that the caller chose; the warm-up is at most a tenth of the steps.
        noiseless: Whether the schedule leaves directions without noise.

    Raises:
        DataError: if one of these is unknown, or no value that it can have.
    """
    _require_mapping("training", wanted, '{"steps": 2000}')
    near = dimension <= _NEAR
    default = TrainingSettings(
        steps=4000 if rows >= _MANY_ROWS else 2000,
        learning_rate=5e-3 if near else 3e-3,
        targets="posterior_mean" if near and not noiseless else "sample",
        antithetic=noiseless or not near,
        weighting="flow",
    )
    checked: dict[str, Any] = {key: _checked(key, value) for key, value in wanted.items()}
    steps = checked.get("steps", default.steps)
    settings = replace(default, **{"warmup_steps": min(200, steps // 10), **checked})
    if settings.warmup_steps >= settings.steps:
        raise DataError(
            "training.warmup_steps", f"fewer than steps ({steps})", str(settings.warmup_steps), "shorten it"
        )
    if settings.batch_size % settings.accumulate:
        got = str(settings.batch_size)
        raise DataError("training.batch_size", f"a multiple of accumulate ({settings.accumulate})", got, "change it")
    return settings


def _checked(key: str, value: Any) -> Any:
    """A value of a field of `TrainingSettings`, if it can have it."""
    types, where = get_type_hints(TrainingSettings), f"training.{key}"
    if key not in types:
        known = [field.name for field in fields(TrainingSettings)]
        hint = suggest(key, known, "leave it out for the default")
        raise DataError("training", f"keys of {', '.join(known)}", f"the key {shorten(key)}", hint)
    if types[key] is int:
        return whole(value, where, 0 if key == "warmup_steps" else 1)
    if types[key] is float:
        least = -1e-300 if key in _FROM_ZERO else 0.0
        return real(value, where, least, 1.0 + 1e-12 if key == "augment" else math.inf, "leave it out for the default")
    choices: list[Any] = [True, False] if types[key] is bool else list(get_args(types[key]))
    if type(value) is not type(choices[0]) or value not in choices:
        raise DataError(where, f"one of {', '.join(map(str, choices))}", shorten(value), "check the spelling")
    return value
