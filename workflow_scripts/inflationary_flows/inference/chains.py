"""Draws and statistics of a sampler."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from inflationary_flows.errors import InferenceError
from inflationary_flows.extras import needs

with needs("posteriors of chains", "inference"):
    import xarray as xr

# Axes of what is drawn, after chain and draw.
_AXES = {"weights": ("component",), "latents": ("observation", "coordinate")}


@dataclass(frozen=True)
class Chain:
    """Draws of one chain after warm-up, with their sampler statistics.

    Attributes:
        draws: Positions, shape (n, dim).
        diverging: Whether the trajectory diverged, shape (n,).
        energy: Hamiltonian at the start of the trajectory, shape (n,); its jumps give the BFMI.
        tree_depth: Doublings of the trajectory, shape (n,).
        acceptance: Mean acceptance probability along the trajectory, shape (n,).
        step_size: Step size that warm-up settled on.
        leapfrogs: Gradients of the log density spent, warm-up included.
    """

    draws: np.ndarray
    diverging: np.ndarray
    energy: np.ndarray
    tree_depth: np.ndarray
    acceptance: np.ndarray
    step_size: float
    leapfrogs: int

    @property
    def statistics(self) -> dict[str, Any]:
        """What a table of diagnostics says of the chain."""
        names = ("diverging", "energy", "tree_depth", "acceptance", "step_size", "leapfrogs")
        return {name: getattr(self, name) for name in names}


class HasStatistics(Protocol):
    """A chain of any sampler."""

    @property
    def statistics(self) -> dict[str, Any]:
        """Values of each draw, shape (draws,), or of the whole chain, by name."""


def posterior_dataset(chains: Sequence[HasStatistics], **draws: Sequence[np.ndarray]) -> xr.Dataset:
    """Joins chains to one data set.

    Arguments:
        chains: The chains, for their statistics.
        draws: For each of them weights, shape (draws, K), and latents, shape (draws, n, D), if they are sampled.

    Returns:
        Variables with dimensions chain, draw, component, observation, coordinate.

    Raises:
        InferenceError: if there are fewer than two chains, or chains of different lengths.
    """
    if len(chains) < 2:
        raise InferenceError("chains", "at least 2", str(len(chains)), "one chain cannot show that it has converged")
    lengths = {len(each) for values in draws.values() for each in values}
    if len(lengths) > 1:
        raise InferenceError("chains", "the same number of draws", str(sorted(lengths)), "run all of them again")
    variables: dict[str, Any] = {
        name: (("chain", "draw", *_AXES[name]), np.stack(values)) for name, values in draws.items()
    }
    for name in chains[0].statistics:
        values = np.stack([chain.statistics[name] for chain in chains])
        variables[name] = (("chain", "draw")[: values.ndim], values)
    return xr.Dataset(variables, {"chain": range(len(chains)), "draw": range(lengths.pop())})
