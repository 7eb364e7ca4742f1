r"""Gaussian noise of points: one standard deviation, one a column, or a covariance.

    x_obs = x + N(0, C),      C = scale^2 F F^T

F is the identity for one standard deviation, diagonal for one a column, else lower triangular.  Residuals r are made
spherical by F^-1 r, whose noise is scale^2 I, so that what is written for one standard deviation holds for all, with
the same bits for one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn, TypeAlias

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.errors import DataError, shorten
from inflationary_flows.mathematics.points import Rows, checked, real, standard_normal

# Standard deviations between which squares are far from the ends of floats.
_LEAST, _MOST = 1e-100, 1e100
# Least eigenvalue of correlations: below it a column follows from the others, to rounding.
_INDEPENDENT = 1e-12
# Difference of two correlations that are the same to rounding, in single precision too.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Noise:
    """The law N(0, C) of noise in D columns; arrays and tensors are taken, and returned as what they are.

    Attributes:
        dimension: D.
        scale: A standard deviation.
        factor: F: nothing for the identity, its diagonal, shape (D,), or all of it, lower triangular, shape (D, D).
    """

    dimension: int
    scale: float
    factor: Tensor | None = None

    @property
    def std(self) -> float | np.ndarray:
        """The standard deviation of all columns, or of each, shape (D,)."""
        if self.factor is None:
            return self.scale
        deviations = self.factor if self.factor.ndim == 1 else self.factor.square().sum(1).sqrt()
        result: np.ndarray = (self.scale * deviations).numpy()
        return result

    @property
    def covariance(self) -> Tensor:
        """C, shape (D, D), float64."""
        identity = torch.eye(self.dimension, dtype=torch.float64)
        factor = self.scaled(identity)
        return factor.mT @ factor

    def times(self, factor: float) -> Noise:
        """Noise so many times as wide."""
        return replace(self, scale=self.scale * factor)

    def spherical(self, residuals: Rows) -> Rows:
        """F^-1 r for residuals r of shape (..., D): their noise is `scale` in every direction."""
        if self.factor is None:
            return residuals
        rows = _tensor(residuals)
        factor = self.factor.to(rows)
        if factor.ndim == 1:
            return _like(rows / factor, residuals)
        flat = rows.reshape(-1, self.dimension)
        solved = torch.linalg.solve_triangular(factor.mT, flat, upper=True, left=False)
        return _like(solved.reshape(rows.shape), residuals)

    def whiten(self, residuals: Rows) -> Rows:
        """Residuals, shape (..., D), in coordinates in which the noise is standard normal."""
        return self.spherical(residuals) / self.scale

    def scaled(self, normals: Rows) -> Rows:
        """Noise made of standard normals of shape (..., D): the inverse of `whiten`."""
        if self.factor is None:
            return self.scale * normals
        rows = _tensor(normals)
        factor = self.factor.to(rows)
        return _like(self.scale * (rows * factor if factor.ndim == 1 else rows @ factor.mT), normals)

    def sample(self, n: int, seed: int) -> Tensor:
        """Noise of n points, shape (n, D), float64; less is the first of more."""
        return self.scaled(standard_normal(n, self.dimension, seed))

    def log_likelihood(self, residuals: Tensor) -> Tensor:
        """log N(r; 0, C), summed over the last axis of residuals of shape (..., D)."""
        square = self.whiten(residuals).square().sum(-1)
        density = -square / 2 - self.dimension * (math.log(2 * math.pi) / 2 + math.log(self.scale))
        if self.factor is None:
            return density
        diagonal = self.factor if self.factor.ndim == 1 else self.factor.diagonal()
        return density - float(diagonal.log().sum())

    def information(self, jacobian: Tensor) -> Tensor:
        """J^T C^-1 J of derivatives of points, shape (..., D, k): what an observation tells of k coordinates."""
        white = self.spherical(jacobian.mT).mT
        return white.mT @ white / self.scale**2

    def describe(self, columns: Sequence[str] = ()) -> str:
        """The standard deviations in words."""
        if self.factor is None:
            return f"standard deviation {self.scale:g} in each of {self.dimension} columns"
        names = columns or [f"column {number}" for number in range(self.dimension)]
        deviations = zip(names, np.asarray(self.std), strict=True)
        kind = "a covariance with standard deviations" if self.factor.ndim == 2 else "standard deviations"
        return f"{kind} {', '.join(f'{name} {value:g}' for name, value in deviations)}"


# What callers give: a number, one a column, by name perhaps, a covariance, or the law itself. Series are rows by name.
NoiseLevel: TypeAlias = (
    float | np.ndarray | Tensor | Mapping[str, float] | Sequence[float] | Sequence[Sequence[float]] | Noise
)


def noise_of(value: Any, dimension: int, name: str = "noise_std", columns: Sequence[str] = ()) -> Noise:
    """The noise that a caller gives.

    Arguments:
        value: A positive number, the standard deviation of every column; D of them, one a column, as a row, or by name
            as a mapping or a series; or a covariance, shape (D, D), symmetric and positive definite, by names as a data
            frame.
        dimension: D.
        name: Name of the noise in messages.
        columns: Names of the D columns, if they have names.

    Raises:
        DataError: if it is none of these, or does not fit.
    """
    if isinstance(value, Noise):
        if value.dimension != dimension:
            raise DataError(
                name, f"noise of {dimension} columns", value.describe(), "make it with noise_of for these points"
            )
        return value
    expected = "a number > 0"
    if dimension > 1:
        expected += f", {dimension} of them, or a covariance of shape ({dimension}, {dimension})"
    try:
        return _read(value, dimension, columns)
    except DataError as problem:
        raise DataError(name, expected, problem.got, problem.hint) from problem.__cause__


def _read(value: Any, dimension: int, columns: Sequence[str]) -> Noise:
    if isinstance(value, Mapping):
        return Noise(dimension, 1.0, _positive(_named(value, columns), columns))
    shape = _shape_of(value)
    if not shape or (math.prod(shape) == 1 and dimension > 1):
        hint = "give the standard deviation of the noise, in the units of the data"
        return Noise(dimension, real(value, "", _LEAST, _MOST, hint))
    by_name = bool(columns) and hasattr(value, "iloc")
    if len(shape) > 2 or (len(shape) == 1 and not by_name and shape != (dimension,)):
        _refuse(f"{shape[0]} numbers" if len(shape) == 1 else f"shape {shape}", "give each column one number")
    if by_name and len(shape) == 2:
        value = _with_rows_by_name(value, columns)
    try:
        rows = checked(value, dimension, "", columns=columns, single=True)
    except DataError as problem:
        got = problem.got if len(shape) == 2 else problem.got.removesuffix(" in row 0")
        raise DataError("", "", got, "give each column one number, or two columns their covariance") from problem
    if len(shape) == 1:
        return Noise(dimension, 1.0, _positive(rows[0], columns))
    if rows.shape != (dimension, dimension):
        _refuse(f"shape {tuple(rows.shape)}", "a row for each column, as of numpy.cov(x.T)")
    return Noise(dimension, 1.0, _factor(rows, columns))


def _named(value: Mapping[Any, Any], columns: Sequence[str]) -> Tensor:
    """Numbers by name, in the order of the columns."""
    if not columns:
        _refuse("numbers by name", "the columns have no names here: give the numbers in their order")
    known = ", ".join(columns)
    for column in columns:
        if column not in value:
            _refuse(f"none for {column!r}", f"give each of the columns {known} one")
    for column in value:
        if column not in columns:
            _refuse(f"one for {shorten(column)}, which is no column", f"the columns are {known}")
    numbers = []
    for column in columns:
        try:
            numbers.append(real(value[column], "", 0.0, math.inf, "give its standard deviation, in its own unit"))
        except DataError as problem:
            _refuse(f"{problem.got} for {column!r}", problem.hint)
    return torch.tensor(numbers, dtype=torch.float64)


def _positive(numbers: Tensor, columns: Sequence[str]) -> Tensor:
    """Standard deviations, shape (D,), if they are any."""
    for place, number in enumerate(numbers.tolist()):
        if not _LEAST < number < _MOST:
            _refuse(f"{number:g} for {_called(place, columns)}", "give its standard deviation, in its own unit")
    return numbers


def _factor(covariance: Tensor, columns: Sequence[str]) -> Tensor:
    """The lower triangular factor of a covariance, if it is one, whatever the units of its columns."""
    for place, variance in enumerate(covariance.diagonal().tolist()):
        if not _LEAST**2 < variance < _MOST**2:
            got = f"a variance of {variance:g} for {_called(place, columns)}"
            _refuse(got, "the diagonal of a covariance holds variances")
    deviations = covariance.diagonal().sqrt()
    correlations = covariance / deviations / deviations[:, None]
    apart = (correlations - correlations.mT).abs()
    if float(apart.max()) > _ROUNDING:
        i, j = divmod(int(apart.argmax()), len(apart))
        got = f"{covariance[i, j]:g} in row {i} of column {j}, {covariance[j, i]:g} in row {j} of column {i}"
        _refuse(got, "a covariance is symmetric: what two columns share stands twice")
    correlations = (correlations + correlations.mT) / 2
    least = float(torch.linalg.eigvalsh(correlations)[0])
    if least < _INDEPENDENT:
        got = f"a matrix that is not positive definite: its correlations have the eigenvalue {least:.2g}"
        _refuse(got, "no column may follow from others: raise the diagonal, or give one number a column")
    return deviations[:, None] * torch.linalg.cholesky(correlations)


def _with_rows_by_name(frame: Any, columns: Sequence[str]) -> Any:
    """A data frame with its rows in the order of the columns."""
    if sorted(map(str, frame.index)) != sorted(map(str, frame.columns)):
        _refuse("a data frame whose rows are not called as its columns", "table.cov() names both")
    return frame.loc[[column for column in columns if column in frame.index]]


def _shape_of(value: Any) -> tuple[int, ...]:
    try:
        return tuple(np.shape(value))
    except (TypeError, ValueError, RuntimeError):
        # Ragged lists, which are refused as such.
        return (0, 0)


def _called(place: int, columns: Sequence[str]) -> str:
    return repr(columns[place]) if columns else f"column {place}"


def _refuse(got: str, hint: str) -> NoReturn:
    raise DataError("", "", got, hint)


def _tensor(points: Rows) -> Tensor:
    return points if isinstance(points, Tensor) else torch.from_numpy(np.array(points))


def _like(values: Tensor, template: Rows) -> Rows:
    return values if isinstance(template, Tensor) else values.numpy()
