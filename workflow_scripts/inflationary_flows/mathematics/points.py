"""What callers give: points and numbers, checked; points are copied, and returned in the caller's kind of container."""

from __future__ import annotations

import math
import operator
import textwrap
from array import array
from collections.abc import Iterable, Sequence
from decimal import Decimal
from numbers import Integral, Real
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.masked import MaskedTensor

from inflationary_flows.errors import DataError, shorten
from inflationary_flows.seeding import derive_seed

if TYPE_CHECKING:
    import pandas as pd

Points = TypeVar("Points", np.ndarray, Tensor, "pd.DataFrame")
# The same without names.
Rows = TypeVar("Rows", np.ndarray, Tensor)

# Standard deviations beyond which the squares of a network in float32 overflow.
_FARTHEST = 1e18
# More rows fit into no memory.
_MOST_ROWS = 2**31


def names_of(points: Any, name: str) -> tuple[str, ...]:
    """Names of the columns of a caller's table; none for arrays, and for data frames whose columns are numbered.

    Raises:
        DataError: if some are no texts, or one stands twice.
    """
    labels = _labels(points) if hasattr(points, "columns") else None
    if not labels or all(isinstance(label, Integral) for label in labels):
        return ()
    wrong = [label for label in labels if not isinstance(label, str) or labels.count(label) > 1]
    if wrong:
        got = f"{shorten(wrong[0])}{' twice' if isinstance(wrong[0], str) else ''}"
        raise DataError(name, "a text as the name of each column, once", got, "rename the columns")
    return tuple(labels)


def checked(
    points: Any,
    dimension: int | None,
    name: str,
    *,
    columns: Sequence[str] = (),
    single: bool = False,
    holes: bool = False,
    hint: str = "drop or repair that row",
) -> Tensor:
    """A float64 copy of the caller's points, shape (n, D).

    Arguments:
        points: Real numbers: a tensor, an array of any layout, lists or tuples of numbers or arrays, or a data frame.
            What else has names, such as tables of pyarrow and lists of dicts, is refused, not read by position.
        dimension: D; None for any number of coordinates.
        name: Name of the points in messages.
        columns: Names of the D coordinates, if they have names: data frames are read by them, whatever their order;
            those whose columns are numbered are read by position.
        single: Whether one point may come without its row, shape (D,).
        holes: Whether numbers may be missing; they are NaN then.
        hint: What to do about a point that is not finite.

    Raises:
        DataError: if they are no real numbers, have another shape or other columns, or are not finite.
    """
    try:
        chosen = _by_name(points, columns, name)
        tensor = _tensor(chosen) if isinstance(chosen, Tensor) else _array(chosen)
        if tensor is None:
            raise _unreal(name, _kind_of(chosen))
    except (TypeError, ValueError, OverflowError, RuntimeError) as problem:
        # Ragged lists, sparse tensors in lists, integers beyond a float, ...
        raise _unreal(name, f"what cannot be read as them ({shorten(str(problem), 90)})") from problem
    if single and tensor.ndim == 1:
        tensor = tensor[None]
    if tensor.ndim != 2 or tensor.shape[1] != (dimension or tensor.shape[1] or 1):
        raise DataError(
            name,
            f"an array of shape (n, {dimension or 'D'})",
            f"shape {tuple(tensor.shape)}",
            "pass one row per point: of a single one x[None], of a data frame df.iloc[[0]]",
        )
    known = torch.where(tensor.isnan(), 0.0, tensor) if holes else tensor
    require_finite(known, name, "finite numbers", hint, "infinity" if holes else "NaN or infinity")
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
        number = None if isinstance(value, bool | np.bool_) or _is_masked(value) else operator.index(value)
    except TypeError:
        number = None
    if number is None or (least is not None and not least <= number <= most):
        bounds = "" if least is None else f" from {least} to {most}"
        raise DataError(name, f"a whole number{bounds}", shorten(value), "pass an integer such as 100")
    return number


def real(value: Any, name: str, low: float, high: float, hint: str, *, ends: bool = False) -> float:
    """A number of the caller between two others, or, to rounding, one of these if the `ends` count; else DataError."""
    single = isinstance(value, np.ndarray | np.generic | Tensor) and math.prod(value.shape) == 1
    single = single and not _is_masked(value)
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


def like(values: Tensor, template: Any, names: Sequence[str] = ()) -> Any:
    """Values in the kind of container that the caller gave, float32 if it held float32 alone, else float64.

    Arguments:
        values: Shape (n,), (n, D) or (k, n, D).
        template: Points of the caller, shape (n, ...). Of a data frame of pandas, rows become a data frame, numbers a
            series, both with its index; what has three axes stays an array.
        names: Names of the D columns of a data frame; x0, x1, ... without.
    """
    values = values.to(torch.float32 if _is_single(template) else torch.float64)
    if isinstance(template, Tensor):
        return values
    numbers = values.numpy()
    if not (hasattr(template, "iloc") and hasattr(template, "columns")) or values.ndim > 2:
        return numbers
    # Through the caller's own objects: pandas is not imported here.
    if values.ndim == 1:
        return type(template.iloc[:, 0])(numbers, index=template.index)
    names = names or column_names(values.shape[1])
    return type(template)(numbers, index=template.index, columns=list(names))


def column_names(dimension: int) -> tuple[str, ...]:
    """Names of columns that have none: x0, x1, ..."""
    return tuple(f"x{place}" for place in range(dimension))


def _is_single(points: Any) -> bool:
    """Whether points are of float32, all columns of a data frame too."""
    kinds = getattr(points, "dtypes", None)
    if kinds is not None and hasattr(points, "columns"):
        return len(kinds) > 0 and all(str(kind) == "float32" for kind in kinds)
    return str(getattr(points, "dtype", "")).removeprefix("torch.") == "float32"


def _labels(points: Any) -> list[Any] | None:
    """Names of the columns of a data frame, or of the entries of a series of pandas; None for all else."""
    if hasattr(points, "columns") and hasattr(points, "dtypes"):
        return list(points.columns)
    return list(points.index) if hasattr(points, "iloc") and hasattr(points, "dtype") else None


def _by_name(points: Any, columns: Sequence[str], name: str) -> Any:
    """The columns of a data frame, or entries of a series, in the order of the flow's; other points as they are."""
    labels = _labels(points)
    # Numbered columns say nothing about what they hold, unless this is one column of a data frame and no point.
    numbered = all(isinstance(label, Integral) for label in labels or ())
    called = getattr(points, "name", None)
    if numbered and labels is not None and hasattr(points, "columns") and sorted(labels) == list(range(len(labels))):
        # 0, 1, ... in any order, as pandas numbers columns.
        return points[list(range(len(labels)))]
    if not columns or labels is None or (numbered and not (isinstance(called, str) and called in columns)):
        return points
    missing = [column for column in columns if labels.count(column) != 1]
    if missing:
        named = textwrap.shorten(", ".join(map(str, labels)), 120, placeholder=" ...")
        raise DataError(
            name,
            f"the columns {', '.join(columns)}"[:200],
            f"{named}, where {missing[0]!r} is not there, or not once",
            "rename the columns as those of the data set, or pass an array in their order",
        )
    return points[list(columns)]


def _tensor(points: Tensor) -> Tensor | None:
    fit = points.layout is torch.strided and not (
        points.is_complex() or points.is_meta or points.is_quantized or points.is_nested or _is_masked(points)
    )
    return points.detach().to(torch.float64, copy=True) if fit else None


def _array(points: Any) -> Tensor | None:
    if _labels(points) is None and _foreign(points) is not None:
        return None
    numbers = _floats(np.asarray(points))
    return None if numbers is None else torch.from_numpy(numbers)


def _floats(values: np.ndarray) -> np.ndarray | None:
    """A copy as float64, with NaN where a value is missing; None if an entry is no real number."""
    if values.dtype.kind in "biuf":
        # What exceeds a float64 becomes infinite, and is refused as that.
        with np.errstate(over="ignore"):
            return np.array(values, dtype=np.float64, order="C")
    if values.dtype.kind != "O" or values.ndim == 0:
        return None
    kinds = set(map(type, values.flat))
    # What pandas has for a missing number is known by its name: pandas is not imported here.
    gaps = {kind for kind in kinds if kind is NoneType or kind.__name__ == "NAType"}
    if not all(map(_is_number, kinds - gaps)):
        return None
    entries = [math.nan if type(entry) in gaps else float(entry) for entry in values.flat]
    return np.array(entries, dtype=np.float64).reshape(values.shape)


def _is_number(kind: type) -> bool:
    # Spans of time count as integers of numpy.
    return issubclass(kind, Real | Decimal | np.bool_) and not issubclass(kind, np.timedelta64)


def _is_masked(values: Any) -> bool:
    """Whether entries of an array have a mask: what is under it must not be read."""
    return bool(np.ma.is_masked(values)) or isinstance(values, MaskedTensor)


def _foreign(points: Any) -> str | None:
    """What is among arrays and lists of numbers that has names or a mask, or is no number; None if nothing is."""
    if isinstance(points, list | tuple) and not hasattr(points, "_fields"):
        kinds = set(map(type, points))
        if kinds <= {float, int} or all(kind is NoneType or _is_number(kind) for kind in kinds):
            return None
        return next(filter(None, map(_foreign, points)), None)
    if _is_masked(points):
        return "an array with masked entries"
    # Arrays of all libraries can be handed over like this; tables, and arrays with names, cannot.
    plain = hasattr(points, "__dlpack__") or isinstance(points, np.generic | memoryview | array | None)
    if plain or _is_number(type(points)):
        return None
    return f"something of type {type(points).__name__}"


def _kind_of(points: Any) -> str:
    labels = _labels(points)
    if labels is not None and hasattr(points, "columns"):
        foreign = [str(label) for label in labels if _floats(np.asarray(points[label])) is None]
        return shorten(f"a data frame whose column {foreign[0]!r} holds none" if foreign else "a data frame")[1:-1]
    if labels is None and not isinstance(points, Tensor) and (found := _foreign(points)):
        return found
    kind = getattr(points, "dtype", None)
    layout = getattr(points, "layout", torch.strided)
    if getattr(points, "is_nested", False):
        return "a nested tensor"
    return shorten(points) if kind is None else f"an array of type {kind if layout is torch.strided else layout}"


def _unreal(name: str, got: str) -> DataError:
    hint = "pass an array of integers or floats or lists of them, one row per point, or a data frame"
    if got.startswith("a data frame whose column"):
        hint = (
            "of text or categories: leave it out, write ordered ones as whole numbers and name it in `integer`, "
            "or fit a flow to the rows of each"
        )
    return DataError(name, "real numbers", got, hint)
