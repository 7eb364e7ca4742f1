"""Points of callers: checked, copied, and returned in the caller's kind of container."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.errors import DataError
from inflationary_flows.seeding import derive_seed

Points = TypeVar("Points", np.ndarray, Tensor)


def checked(points: np.ndarray | Tensor, dimension: int, name: str) -> Tensor:
    """A float64 copy of the caller's points, shape (n, D).

    Raises:
        DataError: if they have another shape, or are not finite.
    """
    if isinstance(points, Tensor):
        tensor = points.detach().to(torch.float64, copy=True)
    else:
        tensor = torch.tensor(np.asarray(points), dtype=torch.float64)
    if tensor.ndim != 2 or tensor.shape[1] != dimension:
        raise DataError(
            name,
            f"an array of shape (n, {dimension})",
            f"shape {tuple(tensor.shape)}",
            "pass one row per point; for a single point use x[None]",
        )
    if not bool(torch.isfinite(tensor).all()):
        row = int((~torch.isfinite(tensor)).any(1).nonzero()[0])
        raise DataError(name, "finite numbers", f"NaN or infinity in row {row}", "drop or repair that row")
    return tensor


def standard_normal(n: int, dimension: int, seed: int) -> Tensor:
    """Standard normal rows, shape (n, D), float64; fewer rows of a seed are the first of more rows."""
    # numpy's stream has this property for every n, torch's has it only above 15 numbers.
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, dimension)))


def numbered_normal(first: int, count: int, dimension: int, *purpose: str | int) -> Tensor:
    """Standard normal rows number first ... first + count - 1, shape (count, D), float64.

    Each has its own stream, named by purpose and number: results do not depend on how rows are batched.
    """
    rows = [standard_normal(1, dimension, derive_seed(*purpose, number)) for number in range(first, first + count)]
    return torch.cat(rows) if rows else torch.empty(0, dimension, dtype=torch.float64)


def like(values: Tensor, template: Points) -> Points:
    """Values in the kind of container that the caller gave."""
    return values if isinstance(template, Tensor) else values.numpy()
