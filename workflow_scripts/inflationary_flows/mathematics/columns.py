r"""Columns of tables as unbounded coordinates r, in which a flow is fitted, and the change of variables.

    positive    r = log x                              bounded    r = log(x - low) - log(high - x)
    integer     x + v, v uniform on (-1/2, 1/2), in the coordinate of the cells' support

A density of r is one of x by log p(x) = log p(r) + sum log |dr/dx|. The probability of whole numbers is the integral of
that over their cells, here the mean over some points of a Sobol sequence: over all whole numbers these are a
lattice, whose sums are those of the integral, almost.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from inflationary_flows.mathematics.column_kinds import (
    Bounds,
    ColumnKind,
    Names,
    as_named,
    check_values,
    find_kinds,
    named_kinds,
)
from inflationary_flows.seeding import derive_seed

# Points of a cell by the number of whole columns, powers of two: all coordinates have one in each part. Up to four
# columns of two values that depend on each other add up to 1 within .01, six within .02.
_CELL_POINTS = (1, 32, 64, 128, 256)


@dataclass(frozen=True)
class ColumnTransforms:
    """The map between columns and unbounded coordinates; false, and the identity, if all columns are real.

    Attributes:
        kinds: What each of the D columns holds; none if all are real.
    """

    kinds: tuple[ColumnKind, ...] = ()

    @classmethod
    def of(cls, kinds: Sequence[ColumnKind]) -> ColumnTransforms:
        """The transforms of columns."""
        return cls() if all(kind.is_real for kind in kinds) else cls(tuple(kinds))

    def __bool__(self) -> bool:
        return bool(self.kinds)

    @classmethod
    def from_dict(cls, names: Names, values: Mapping[str, Any]) -> ColumnTransforms:
        """The inverse of `as_dict`."""
        return cls.of(named_kinds(names, **values))

    def as_dict(self, names: Names) -> dict[str, Any]:
        """Plain values: `positive`, `bounded` and `integer` as in the configuration, without those that are empty."""
        return as_named(self.kinds, names) if self else {}

    @property
    def integers(self) -> list[int]:
        """Positions of the columns of whole numbers."""
        return [position for position, kind in enumerate(self.kinds) if kind.integer]

    def check(self, x: Tensor, names: Names = (), *, whole: bool = True) -> None:
        """Raises `DataError` for the first value that is not of its column's kind, or lies outside its cells."""
        if self:
            check_values(x.detach().cpu().numpy(), self.kinds, names, whole=whole)

    def forward(self, x: Tensor) -> Tensor:
        """Columns, shape (n, D), to unbounded coordinates, shape (n, D), float64; differentiable."""
        return self._by_column(x, _forward)

    def inverse(self, r: Tensor) -> Tensor:
        """Unbounded coordinates to columns, always within their open support; whole numbers come as points of cells."""
        return self._by_column(r, _inverse)

    def log_slopes(self, x: Tensor) -> Tensor:
        """Logarithms of dr/dx, shape (n, D)."""
        return self._by_column(x, _log_slope)

    def log_slope(self, x: Tensor) -> Tensor:
        """Logarithm of the volume that x's columns gain as coordinates, sum log dr/dx, shape (n,)."""
        return self.log_slopes(x).sum(-1) if self else x.new_zeros(len(x))

    def rounded(self, x: Tensor) -> Tensor:
        """Points with whole numbers in the columns that have them; others stay in the support in single precision."""
        return self._by_column(x, _rounded)

    def dequantised(self, x: Any) -> Any:
        """Rows with uniform noise of their cells in columns of whole numbers, a tensor; the same rows if all are real.

        Noise is always the same, that of fewer rows the first of that of more.
        """
        if not self.integers:
            return x
        rows = torch.as_tensor(np.asarray(x), dtype=torch.float64)
        # The seed is part of the flow: its basis, and the compressed latents that it holds, are of these rows.
        uniform = np.random.default_rng(derive_seed("dequantisation")).random((len(rows), len(self.integers)))
        return self.spread(rows, torch.from_numpy(uniform))

    def spread(self, x: Tensor, uniform: Tensor) -> Tensor:
        """Whole numbers as points of their cells, by uniform numbers in [0, 1), shape (n, number of such columns)."""
        rows = x.double().clone()
        rows[:, self.integers] += uniform - 0.5
        return self._by_column(rows, _clipped)

    @property
    def cell_points(self) -> int:
        """Number of points that a row has in `cells`."""
        return _CELL_POINTS[min(len(self.integers), len(_CELL_POINTS) - 1)]

    def cells(self, x: Tensor) -> Tensor:
        """Points of the cells of whole numbers, shape (n, D) to (n cell_points, D), those of a row together."""
        if not self.integers:
            return x
        count = self.cell_points
        # Scrambled: the plain sequence begins in the corner of all coordinates, where correlated columns have a spike.
        engine = SobolEngine(len(self.integers), scramble=True, seed=derive_seed("cells") % 2**32)
        points = engine.draw(count, dtype=torch.float64)
        return self.spread(x.repeat_interleave(count, 0), points.repeat(len(x), 1).to(x.device))

    def over_cells(self, log_density: Tensor, error: Tensor) -> tuple[Tensor, Tensor]:
        """Log densities at the points of `cells`, with errors, to log probabilities of cells, with errors, (n,)."""
        if not self.integers:
            return log_density, error
        each = log_density.view(-1, self.cell_points)
        share = each.softmax(1)
        return each.logsumexp(1) - math.log(self.cell_points), (share * error.view_as(each)).square().sum(1).sqrt()

    def _by_column(self, values: Tensor, function: Any) -> Tensor:
        if not self:
            return values.double()
        columns = values.double().unbind(-1)
        return torch.stack([function(column, kind) for column, kind in zip(columns, self.kinds, strict=True)], -1)

    def as_tensor(self) -> Tensor:
        """Finite numbers that a file can hold, shape (D, 5): has low, low, has high, high, integer."""
        rows = [
            (low > -math.inf, max(low, -1e300), high < math.inf, min(high, 1e300), integer)
            for low, high, integer in ((kind.low, kind.high, kind.integer) for kind in self.kinds)
        ]
        return torch.tensor(rows, dtype=torch.float64)

    @classmethod
    def from_tensor(cls, numbers: Tensor) -> ColumnTransforms:
        """The inverse of `as_tensor`; TypeError for numbers of another shape."""
        if numbers.ndim != 2 or numbers.shape[1] != 5:
            raise TypeError(f"kinds of columns of shape {tuple(numbers.shape)}")
        return cls(
            tuple(
                ColumnKind(low if has_low else -math.inf, high if has_high else math.inf, bool(integer))
                for has_low, low, has_high, high, integer in numbers.tolist()
            )
        )


def make_transforms(
    x: np.ndarray,
    names: Names,
    columns: Any = None,
    positive: Names = (),
    bounded: Mapping[str, Bounds] | None = None,
    integer: Names = (),
) -> ColumnTransforms:
    """The transforms of a table's columns, as of `find_kinds`; false if all are real.

    Example:
        >>> table = np.array([[0.5, 0.0], [2.0, 1.0], [8.0, 0.0]])
        >>> transforms = make_transforms(table, ["price", "sold"], positive=["price"], bounded={"sold": [0, 1]},
        ...     integer=["sold"])
        >>> transforms.as_dict(["price", "sold"])
        {'positive': ['price'], 'bounded': {'sold': [0.0, 1.0]}, 'integer': ['sold']}
    """
    return ColumnTransforms.of(find_kinds(x, names, columns, positive=positive, bounded=bounded, integer=integer))


def column_scale(x: np.ndarray, transforms: ColumnTransforms) -> np.ndarray:
    """Standard deviations of the columns as a flow sees them, shape (D,): what standardised tables are divided by."""
    if transforms:
        x = transforms.forward(torch.as_tensor(transforms.dequantised(x))).numpy()
    scale: np.ndarray = x.std(axis=0, ddof=1)
    return scale


def _forward(x: Tensor, kind: ColumnKind) -> Tensor:
    low, high = kind.edges
    if low == -math.inf:
        return x
    return torch.log(x - low) - (0.0 if high == math.inf else torch.log(high - x))


def _inverse(r: Tensor, kind: ColumnKind) -> Tensor:
    low, high = kind.edges
    if low == -math.inf:
        return r
    x = low + (torch.exp(r) if high == math.inf else (high - low) * torch.sigmoid(r))
    return _clipped(x, kind)


def _log_slope(x: Tensor, kind: ColumnKind) -> Tensor:
    low, high = kind.edges
    if low == -math.inf:
        return torch.zeros_like(x)
    if high == math.inf:
        return -torch.log(x - low)
    return math.log(high - low) - torch.log(x - low) - torch.log(high - x)


def _clipped(x: Tensor, kind: ColumnKind) -> Tensor:
    """Values that rounding has taken to the ends of the support, or beyond, just within it."""
    low, high = kind.edges
    if low > -math.inf:
        x = x.clamp(min=math.nextafter(low, math.inf))
    return x.clamp(max=math.nextafter(high, -math.inf)) if high < math.inf else x


def _rounded(x: Tensor, kind: ColumnKind) -> Tensor:
    if kind.integer:
        # Adding zero makes 0 of -0.
        return x.round().clamp(kind.low, kind.high) + 0.0
    low, high = _single_edges(*kind.edges)
    return x.clamp(low, high) if low > -math.inf else x


def _single_edges(low: float, high: float) -> tuple[float, float]:
    """The outermost numbers of single precision inside an interval; its ends, if such numbers are coarse there."""
    if high == math.inf:
        return _single_inside(low, high), high
    inside = _single_inside(low, high), _single_inside(high, low)
    fine = inside[0] - low + high - inside[1] < 1e-6 * (high - low)
    return inside if fine else (low, high)


def _single_inside(edge: float, other: float) -> float:
    """The number of single precision next to an end of an interval, on the side of the other end."""
    single = np.float32(edge)
    beyond = float(single) <= edge if other > edge else float(single) >= edge
    return float(np.nextafter(single, np.float32(other))) if beyond else float(single)
