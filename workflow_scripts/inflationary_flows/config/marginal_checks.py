"""Checks of the mixture on the line whose marginals are described in three ways."""

from __future__ import annotations

from inflationary_flows.config.models import Config
from inflationary_flows.config.requirements import require_normalised
from inflationary_flows.errors import ConfigError


def check_marginals(config: Config) -> None:
    """Raises `ConfigError` for the first contradiction."""
    marginals, where = config.experiments.marginals, "experiments.marginals"
    components = len(marginals.weights)
    require_normalised(marginals.weights, f"{where}.weights")
    for key in ("means", "stds"):
        values = getattr(marginals, key)
        if len(values) != components:
            raise ConfigError(
                f"{where}.{key}",
                f"{components} numbers, one for each of the weights",
                str(len(values)),
                "give every component a mean, a standard deviation and a weight.",
            )
    if marginals.checks > marginals.times:
        raise ConfigError(
            f"{where}.checks",
            f"at most times ({marginals.times})",
            str(marginals.checks),
            "draw more times, or check fewer.",
        )
