r"""What columns of a table hold: real, positive or bounded numbers, whole or not; said by name, or recognised.

A positive column is modelled by log x, a bounded one by logit((x - low) / (high - low)), whole numbers by the cells
(k - 1/2, k + 1/2), which tile their support. Real columns, log and logit are compared by the log-likelihood of the
Gaussian that fits best, the Jacobian included (Box and Cox, 1964, at the exponents 1 and 0),

    l(r) = -n/2 log var r(x) + sum log |dr/dx| .

No torch here: configurations are checked with this.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inflationary_flows.errors import DataError, cut, shorten

Names = Sequence[str]
Bounds = Sequence[float | None]

# What columns may hold besides real numbers, as arguments and keys of the configuration.
COLUMN_KINDS = ("positive", "bounded", "integer")

# What a transformed column must gain over a real one, nats: in all, so that chance does not do it, and for each row, so
# that what thousands of rows can tell, but nobody sees, does not do it either.
_GAIN, _GAIN_A_ROW = 10.0, 0.01
# Bounds that columns are recognised to have, and the share of the interval at each end that some row must reach.
_INTERVALS, _REACHED = ((0.0, 1.0), (0.0, 100.0)), 0.1
# Whole numbers up to here are bounded by the least and the largest one, if both are common; two values always are.
_FEW, _COMMON = 10, 0.01
# Beyond these a float64 holds whole numbers only.
_WHOLE = 2.0**53


@dataclass(frozen=True)
class ColumnKind:
    """The values that a column may have.

    Attributes:
        low: What lies below all values; of whole numbers the least one. Infinite if there is no such bound.
        high: What lies above all values; of whole numbers the largest one. Finite only if `low` is.
        integer: Whether values are whole numbers.
    """

    low: float = -math.inf
    high: float = math.inf
    integer: bool = False

    @property
    def edges(self) -> tuple[float, float]:
        """The ends of the support, an open interval; that of whole numbers holds their cells."""
        half = 0.5 if self.integer else 0.0
        return self.low - half, self.high + half

    @property
    def is_real(self) -> bool:
        """Whether the column is modelled as it is."""
        return self == ColumnKind()

    def describe(self) -> str:
        """What values are, as the object of "expected"."""
        number = "a whole number" if self.integer else "a number"
        if self.low == -math.inf:
            return number
        if self.high == math.inf:
            return f"{number} {'>=' if self.integer else '>'} {self.low:.10g}"
        if self.integer:
            return f"{number} from {self.low:.10g} to {self.high:.10g}"
        return f"{number} between {self.low:.10g} and {self.high:.10g}, these excluded"


def named_kinds(
    names: Names,
    *,
    positive: Names = (),
    bounded: Mapping[str, Bounds] | None = None,
    integer: Names = (),
) -> tuple[ColumnKind, ...]:
    """Kinds of columns, as they are said by name; the others are real.

    Arguments:
        names: Names of all columns, in their order.
        positive: Those of numbers > 0, or of whole numbers >= 1.
        bounded: Low and high of those between two numbers; None instead of high is no such bound. Of whole numbers
            both belong to the values.
        integer: Those of whole numbers.

    Raises:
        DataError: if a name is not there, a column is both positive and bounded, or bounds do not fit.
    """
    if bounded is not None and not isinstance(bounded, Mapping):
        raise DataError("bounded", "bounds by name, {name: (low, high)}", shorten(bounded), "such as {'share': (0, 1)}")
    bounded = {} if bounded is None else dict(bounded)
    positive, integer = _listed(positive, "positive"), _listed(integer, "integer")
    for key, asked in (("positive", positive), ("bounded", bounded), ("integer", integer)):
        for name in asked:
            if name not in names:
                some = cut(", ".join(map(str, names)))
                raise DataError(f"{key}", f"names among {some}", shorten(name), "capitals and blanks count")
    both = [name for name in positive if name in bounded]
    if both:
        hint = "a column between bounds is not named as positive, too"
        raise DataError("positive", "columns that are not among `bounded`", shorten(both[0]), hint)
    return tuple(_kind(name, name in positive, bounded.get(name), name in integer) for name in names)


def _listed(asked: Any, key: str) -> tuple[str, ...]:
    """Names of the caller as a tuple: what gives them once only is read once."""
    if asked is None:
        return ()
    if isinstance(asked, str) or not isinstance(asked, Iterable):
        hint = f"write [{cut(asked, 40)}]" if isinstance(asked, str) else "such as ['price']"
        raise DataError(key, "a list of names of columns", shorten(asked), hint)
    return tuple(asked)


def as_named(kinds: Sequence[ColumnKind], names: Names) -> dict[str, Any]:
    """The inverse of `named_kinds` as plain values: its arguments, without those that are empty."""
    found: dict[str, Any] = {"positive": [], "bounded": {}, "integer": []}
    for name, kind in zip(names, kinds, strict=True):
        if kind.integer:
            found["integer"].append(name)
        if kind.high == math.inf and kind.low == (1.0 if kind.integer else 0.0):
            found["positive"].append(name)
        elif kind.low > -math.inf:
            found["bounded"][name] = [kind.low, None if kind.high == math.inf else kind.high]
    return {key: value for key, value in found.items() if value}


def find_kinds(
    x: np.ndarray,
    names: Names,
    columns: Any = None,
    *,
    positive: Names = (),
    bounded: Mapping[str, Bounds] | None = None,
    integer: Names = (),
    first_row: int = 0,
) -> tuple[ColumnKind, ...]:
    """Kinds of columns by name, or recognised where nothing is said of a column, and checked against all rows.

    Arguments:
        x: The table, shape (n, D).
        names: Names of its columns.
        columns: "auto" recognises the kinds of columns of which nothing is said; all else does not.
        positive, bounded, integer: As of `named_kinds`.
        first_row: Number of the first row in messages.

    Raises:
        DataError: as of `named_kinds`, or if a value is not of its column's kind.
    """
    if isinstance(columns, str) and columns != "auto":
        raise DataError("columns", 'a list of names, or "auto"', shorten(columns), f"write [{cut(columns, 40)}]")
    positive, integer = _listed(positive, "positive"), _listed(integer, "integer")
    kinds = named_kinds(names, positive=positive, bounded=bounded, integer=integer)
    if isinstance(columns, str):
        said = {*positive, *(bounded or ()), *integer}
        seen = recognise(x, names)
        kinds = tuple(kind if name in said else other for name, kind, other in zip(names, kinds, seen, strict=True))
    check_values(x, kinds, names, first_row=first_row)
    return kinds


def recognise(x: np.ndarray, names: Names) -> tuple[ColumnKind, ...]:
    """Kinds of the columns of a table, shape (n, D), by its values.

    - Whole numbers throughout are whole. They are bounded by the least and the largest if these are all the values, or
      if there are at most ten between them and each end has a hundredth of the rows.
    - Positive are numbers > 0 of which the logarithm is more Gaussian, by 10 nats and .01 nats a row; so are whole
      numbers from 1 on. If they begin with 0, it is the logarithm of the number plus one half, and 0 is their bound; it
      is so too if a hundredth of them is 0.
    - Numbers that lie within (0, 1), or else (0, 100), and reach the first and last tenth of it, are bounded, if the
      logit is more Gaussian than the numbers and their logarithm, by as much.
    """
    return tuple(_recognised(column) for column in np.asarray(x, dtype=np.float64).T)


def check_values(
    x: np.ndarray, kinds: Sequence[ColumnKind], names: Names, *, whole: bool = True, first_row: int = 0
) -> None:
    """Raises `DataError` for the first value that is not of its column's kind.

    Arguments:
        x: Shape (n, D).
        kinds, names: Kinds and names of the columns; without names they are numbered.
        whole: Whether values of whole columns must be whole, or may lie anywhere in their cells.
        first_row: Number of the first row in messages.
    """
    for position, kind in enumerate(kinds):
        if kind.is_real:
            continue
        column = x[:, position]
        low, high = kind.edges
        fit = (column > low) & (column < high)
        if kind.integer and whole:
            fit &= (column == np.round(column)) & (np.abs(column) <= _WHOLE)
        if not fit.all():
            row = int(np.argmin(fit))
            name = cut(str(names[position]), 40) if len(names) else str(position)
            value = float(column[row])
            got, hint = f"{value:.10g}", _advice(kind, value)
            raise DataError(f"column {name}, row {row + first_row}", kind.describe(), got, hint)


def _advice(kind: ColumnKind, value: float) -> str:
    low, high = kind.edges
    if kind.integer and low < value < high:
        return "round such values, or take the column out of `integer`"
    if not kind.integer and value in (low, high) and high < math.inf:
        return "widen the bounds a little: values at them have no logit"
    where = "`positive`" if kind.high == math.inf else "`bounded`, or widen its bounds"
    return f"correct or drop such rows, or take the column out of {where}"


def _kind(name: str, positive: bool, bounds: Bounds | None, integer: bool) -> ColumnKind:
    if positive:
        return ColumnKind(low=1.0 if integer else 0.0, integer=integer)
    if bounds is None:
        return ColumnKind(integer=integer)
    low, high = _numbers(bounds)
    whole = low.is_integer() and (high.is_integer() or high == math.inf)
    if not -math.inf < low < high or (integer and not whole):
        expected = f"two {'whole ' if integer else ''}numbers [low, high], low < high"
        hint = "write [0, 100], or [0, null] without an upper bound"
        raise DataError(f"bounded, column {cut(name, 40)}", expected, shorten(bounds), hint)
    return ColumnKind(low, high, integer)


def _numbers(bounds: Any) -> tuple[float, float]:
    """Two numbers, without a second one infinity; NaN if they are none."""
    try:
        low, high = bounds
        return float(low), math.inf if high is None else float(high)
    except (TypeError, ValueError):
        return math.nan, math.nan


def _recognised(x: np.ndarray) -> ColumnKind:
    whole = bool((x == np.round(x)).all() and np.abs(x).max() <= _WHOLE)
    least, largest = float(x.min()), float(x.max())
    if least == largest:
        return ColumnKind(integer=whole)
    if whole:
        ends = min((x == least).sum(), (x == largest).sum())
        between = set(np.unique(x[:1000])) - {least, largest} or ((x != least) & (x != largest)).any()
        if not between or (largest - least < _FEW and ends >= max(2, _COMMON * len(x))):
            return ColumnKind(least, largest, integer=True)
    best, kind = _gaussian(x, np.zeros(1)), ColumnKind(integer=whole)
    above = ColumnKind(low=1.0 if whole and least >= 1 else 0.0, integer=whole)
    if least > above.edges[0]:
        logarithm = np.log(x - above.edges[0])
        if (value := _gaussian(logarithm, -logarithm)) > _clear(best, len(x)):
            best, kind = value, above
    for low, high in () if whole else _INTERVALS:
        if low < least and largest < high:
            share = (x - low) / (high - low)
            slope = np.log(share) + np.log1p(-share)
            logit = np.log(share) - np.log1p(-share)
            reached = share.min() < _REACHED and share.max() > 1 - _REACHED
            if reached and _gaussian(logit, -slope - math.log(high - low)) > _clear(best, len(x)):
                kind = ColumnKind(low, high)
            break
    if kind == ColumnKind(integer=True) and least == 0 and (x == 0).sum() >= max(2, _COMMON * len(x)):
        # Counts: what is often 0 and never below never is.
        return ColumnKind(low=0.0, integer=True)
    return kind


def _clear(value: float, n: int) -> float:
    """What a log-likelihood of n rows must exceed to be better than this one beyond doubt."""
    return value + max(_GAIN, _GAIN_A_ROW * n)


def _gaussian(r: np.ndarray, log_slope: np.ndarray) -> float:
    """Largest log-likelihood of a Gaussian of r(x), as a density of x, less what all have in common; nats."""
    variance = float(r.var())
    return (
        -math.inf
        if variance == 0
        else -len(r) / 2 * math.log(variance) + float(np.broadcast_to(log_slope, r.shape).sum())
    )
