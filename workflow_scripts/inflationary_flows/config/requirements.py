"""What several checks of the configuration ask for: names that exist, values that stand once, weights of a mixture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from inflationary_flows.config.messages import did_you_mean, listing
from inflationary_flows.errors import ConfigError


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
