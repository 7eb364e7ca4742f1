"""What callers give: points and numbers, checked; points are copied, and returned in the caller's kind of container."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.errors import DataError, shorten
from inflationary_flows.seeding import derive_seed

Points = TypeVar("Points", np.ndarray, Tensor)

# Standard deviations beyond which the squares of a network in float32 overflow.
_FARTHEST = 1e18
# More rows fit into no memory.
_MOST_ROWS = 2**31


def checked(points: Any, dimension: int, name: str, *, columns: Sequence[str] = (), single: bool = False) -> Tensor:
    """A float64 copy of the caller's points, shape (n, D).

    Arguments:
        points: A tensor, or what numpy takes for an array of real numbers: lists, arrays of any layout, data frames.
        dimension: D.
        name: Name of the points in messages.
        columns: Names of the D coordinates, if they have names: data frames are read by them, whatever their order.
        single: Whether one point may come without its row, shape (D,).

    Raises:
        DataError: if they are no real numbers, have another shape or other columns, or are not finite.
    """
    try:
        tensor = _tensor(points) if isinstance(points, Tensor) else _array(_by_name(points, columns, name))
    except (TypeError, ValueError, OverflowError, RuntimeError) as problem:
        # Ragged lists, sparse tensors, values without a float, ...
        raise _unreal(name, f"what cannot be read as them ({shorten(str(problem), 90)})") from problem
    if tensor is None:
        raise _unreal(name, _kind_of(points))
    if single and tensor.ndim == 1:
        tensor = tensor[None]
    if tensor.ndim != 2 or tensor.shape[1] != dimension:
        raise DataError(
            name,
            f"an array of shape (n, {dimension})",
            f"shape {tuple(tensor.shape)}",
            "pass one row per point: of a single one x[None], of a data frame df.iloc[[0]]",
        )
    require_finite(tensor, name, "finite numbers", "drop or repair that row")
    return tensor


def require_near(whitened: Tensor, name: str) -> Tensor:
    """Whitened points, if a network can take them; DataError if one lies too far out."""
    near = torch.where(whitened.abs() < _FARTHEST, whitened, math.inf)
    expected = f"points within {_FARTHEST:g} standard deviations of the data"
    require_finite(near, name, expected, "check the units of that row, or leave it out", "a point far outside")
    return whitened


def require_finite(values: Tensor, name: str, expected: str, hint: str, got: str = "NaN or infinity") -> None:
    """Raises DataError unless values, shape (n,), (n, D) or (m, n, D), are finite; it names the first row."""
    wrong = ~torch.isfinite(values)
    if bool(wrong.any()):
        rows = wrong if values.ndim == 1 else wrong.any(-1).reshape(-1, values.shape[-2]).any(0)
        raise DataError(name, expected, f"{got} in row {int(rows.nonzero()[0])}", hint)


def whole(value: Any, name: str, least: int | None = None, most: int = _MOST_ROWS) -> int:
    """A whole number of the caller, from `least` to `most` if there is a least; DataError if it is another value."""
    try:
        number = None if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        number = None
    if number is None or (least is not None and not least <= number <= most):
        bounds = "" if least is None else f" from {least} to {most}"
        raise DataError(name, f"a whole number{bounds}", shorten(value), "pass an integer such as 100")
    return number


def real(value: Any, name: str, low: float, high: float, hint: str, *, ends: bool = False) -> float:
    """A number of the caller between two others, or, to rounding, one of these if the `ends` count; else DataError."""
    single = isinstance(value, np.ndarray | np.generic | Tensor) and math.prod(value.shape) == 1
    plain: Any = value.item() if single else value
    number = float(plain) if isinstance(plain, Real) and plain is not True and plain is not False else math.nan
    slack = 1e-9 * (high - low)
    if not (low - slack <= number <= high + slack if ends else low < number < high):
        expected = f"a number between {low:g} and {high:g}" if high < math.inf else f"a number > {low:g}"
        raise DataError(name, expected, shorten(value), hint)
    return number


def reals(values: Any, name: str, low: float, high: float, hint: str, *, ends: bool = False) -> list[float]:
    """Numbers of the caller, each as `real` has it; DataError if they are no row of numbers."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise DataError(name, "a row of numbers", shorten(values), hint)
    return [real(value, name, low, high, hint, ends=ends) for value in values]


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


def _by_name(points: Any, columns: Sequence[str], name: str) -> Any:
    """The columns of a data frame, or entries of a series, in the order of the flow's; other points as they are."""
    labels = getattr(points, "columns", None) if hasattr(points, "columns") else getattr(points, "index", None)
    if not columns or labels is None or callable(labels):
        return points
    labels = list(labels)
    if not any(isinstance(label, str) for label in labels):
        # Numbered columns say nothing about what they hold.
        return points
    missing = [column for column in columns if labels.count(column) != 1]
    if missing:
        raise DataError(
            name,
            f"the columns {', '.join(columns)}"[:200],
            f"{', '.join(map(str, labels))}, where {missing[0]!r} is not there, or not once"[:200],
            "rename the columns as those of the data set, or pass an array in their order",
        )
    return points[list(columns)]


def _tensor(points: Tensor) -> Tensor | None:
    fit = points.layout is torch.strided and not (points.is_complex() or points.is_meta or points.is_quantized)
    return points.detach().to(torch.float64, copy=True) if fit else None


def _array(points: Any) -> Tensor | None:
    if np.ma.is_masked(points):
        return None
    array = np.asarray(points)
    if array.dtype.kind not in "biuf":
        return None
    # What exceeds a float64 becomes infinite, and is refused as that.
    with np.errstate(over="ignore"):
        return torch.from_numpy(np.array(array, dtype=np.float64, order="C"))


def _kind_of(points: Any) -> str:
    if np.ma.is_masked(points):
        return "an array with masked entries"
    if hasattr(points, "dtypes") and hasattr(points, "columns"):
        foreign = [
            str(name) for name, kind in zip(points.columns, points.dtypes, strict=True) if kind.kind not in "biuf"
        ]
        return (
            shorten(f"a data frame whose column {foreign[0]!r} holds none")[1:-1]
            if foreign
            else "a data frame of others"
        )
    kind = getattr(points, "dtype", None)
    layout = getattr(points, "layout", torch.strided)
    return shorten(points) if kind is None else f"an array of type {kind if layout is torch.strided else layout}"


def _unreal(name: str, got: str) -> DataError:
    return DataError(name, "real numbers", got, "pass an array of integers or floats, one row per point")
