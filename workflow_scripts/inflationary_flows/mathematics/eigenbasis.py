r"""The eigenbasis of the data covariance, in which kernels and coordinates are diagonal.

    Sigma_0 = W diag(xi) W^T,   xi_1 >= ... >= xi_D,   u = W^T ((x - mean) / scale)

Source: de Albuquerque and Pearson (2024), section on the general pfODE.  The mean is subtracted, and `scale` holds a
table's per-coordinate units, so that all callers use data units.  Columns that are positive, bounded or whole come
first as unbounded coordinates r (`mathematics.columns`), of which the basis is: then u = W^T ((r(x) - mean) / scale).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.errors import DataError
from inflationary_flows.mathematics.columns import ColumnTransforms

Arrays = Mapping[str, np.ndarray]

BASIS_NAMES = ("mean", "scale", "vectors", "eigenvalues")
# A basis has these numbers only if there are transforms.
_TRANSFORMS = "transforms"
NO_TRANSFORMS = ColumnTransforms()
# Rows that are float64 at one time: 100 MB at 3,072 dimensions.
_ROWS = 4096


class Rows(Protocol):
    """Points that are indexed by rows: arrays, tensors, images stored as grey levels."""

    @property
    def shape(self) -> Any: ...

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any, /) -> Any: ...


def participation_ratio_of(points: np.ndarray) -> float:
    """The participation ratio (tr C)^2 / tr C^2 of points, whose sampling error has no bias in tr C^2.

    The ratio of a sample covariance is too small, by a factor of 1 + D / n for white data. A product of two points has
    the mean square tr C^2, so that pairs of different points do without it.

    Arguments:
        points: Shape (n, D), n at least 3.
    """
    centred = np.asarray(points, dtype=np.float64)
    centred = centred - centred.mean(0)
    n, products = len(centred), centred @ centred.T
    trace = np.trace(products)
    pairs = (np.sum(products**2) - np.sum(np.diag(products) ** 2)) / (n * (n - 1))
    # Of points that are all equal nothing is left to be compared.
    return float((trace / (n - 1)) ** 2 / pairs) if pairs > 0 else 0.0


def participation_ratio(variances: np.ndarray | Tensor) -> float:
    r"""Effective dimension tr(Sigma)^2 / tr(Sigma^2) of a spectrum, between 1 and D.

    Arguments:
        variances: Eigenvalues of a covariance, shape (D,).
    """
    spectrum = torch.as_tensor(variances, dtype=torch.float64)
    # Normalised first: the square of a kernel variance near exp(60) is harmless, its fourth power is not.
    share = spectrum / spectrum.sum()
    return float(1.0 / share.square().sum())


def cut_angle(eigenvalues: np.ndarray | Tensor, kept_dims: int, rows: int) -> float:
    r"""Standard error of the turn between the last kept and the first compressed direction, radians, at most pi / 2.

    Of Gaussian data the angle between an eigenvector and that of another sample has the variance
    xi_d xi_{d+1} / (n (xi_d - xi_{d+1})^2) towards the other direction (Anderson, Ann. Math. Stat. 34, 1963).

    Arguments:
        eigenvalues: Variances, shape (D,), descending.
        kept_dims: Number d of kept directions; the angle is 0 if all are kept.
        rows: Number n of rows that the eigenbasis was fitted to.
    """
    if kept_dims >= len(eigenvalues):
        return 0.0
    last, first = float(eigenvalues[kept_dims - 1]), float(eigenvalues[kept_dims])
    if last <= first:
        return math.pi / 2
    return min(math.pi / 2, math.sqrt(last * first / rows) / (last - first))


@dataclass(frozen=True, eq=False)
class Eigenbasis:
    """The map between data units and eigen coordinates: affine, after the transforms of columns, if there are any.

    Attributes:
        mean: Mean of the training data, shape (D,), data units, or those of transformed columns.
        scale: Units of each coordinate, shape (D,); ones where the data have one common unit.
        vectors: Orthonormal directions as columns, shape (D, D); the largest entry of each is positive.
        eigenvalues: Variances xi along the columns, shape (D,), descending, in units of scale squared.
        transforms: Columns that are positive, bounded or whole.
    """

    mean: Tensor
    scale: Tensor
    vectors: Tensor
    eigenvalues: Tensor
    transforms: ColumnTransforms = NO_TRANSFORMS

    @classmethod
    def fit(
        cls, x: Rows, scale: np.ndarray | Tensor | None = None, transforms: ColumnTransforms = NO_TRANSFORMS
    ) -> Eigenbasis:
        """Diagonalises the covariance of a data set.

        Arguments:
            x: Training data, shape (n, D), data units: an array, a tensor, or anything whose slices are
                arrays, of which some thousands of rows at a time become float64.
            scale: Per-coordinate units, shape (D,), of columns that are transformed those of `column_scale`; ones if
                absent.
            transforms: Those of the columns. Mean and covariance are then of transformed rows, whole numbers as points
                of their cells.

        Raises:
            DataError: if x is not a finite matrix with more than one row, or a scale is not positive, or a value is not
                of its column's kind.
        """
        if len(x.shape) != 2 or len(x) < 2:
            raise _unfit(x)
        if transforms:
            rows = torch.as_tensor(np.asarray(x), dtype=torch.float64)
            transforms.check(rows)
            x = transforms.forward(transforms.dequantised(rows))
        units = torch.ones(x.shape[1], dtype=torch.float64)
        if scale is not None:
            units = torch.as_tensor(np.asarray(scale), dtype=torch.float64)
        if units.shape != (x.shape[1],) or not bool((units > 0).all()):
            raise DataError(
                "eigenbasis.scale",
                f"{x.shape[1]} positive numbers",
                f"{units.tolist()}",
                "drop constant columns or set standardise: false",
            )
        mean, covariance = _moments(x, units)
        eigenvalues, vectors = torch.linalg.eigh(covariance)
        eigenvalues, vectors = eigenvalues.flip(0).clamp(min=0.0), vectors.flip(1)
        # In rows, as a file has them: products of matrices round by layout.
        vectors = vectors.contiguous()
        # The signs of eigh depend on LAPACK; a rule makes runs and machines agree.
        largest = vectors.abs().argmax(0)
        sign = torch.sign(vectors[largest, torch.arange(len(largest))])
        return cls(mean, units, vectors * sign, eigenvalues, transforms)

    @property
    def dimension(self) -> int:
        """Number of coordinates D."""
        return len(self.mean)

    @property
    def participation_ratio(self) -> float:
        """Participation ratio of the data."""
        return participation_ratio(self.eigenvalues)

    def to_eigen(self, x: Tensor) -> Tensor:
        """Data units to eigen coordinates, shape (n, D) to (n, D), float64."""
        return self.standardised(x) @ self.vectors

    def from_eigen(self, u: Tensor) -> Tensor:
        """Eigen coordinates to data units, shape (n, D) to (n, D), float64; whole numbers as points of their cells."""
        return self.transforms.inverse((u.double() @ self.vectors.T) * self.scale + self.mean)

    def standardised(self, x: Tensor) -> Tensor:
        """Data units to centred coordinates in units of `scale`, shape (n, D), float64: those of W."""
        return (self.transforms.forward(x) - self.mean) / self.scale

    def require_affine(self, what: str) -> None:
        """Raises `DataError` if columns are transformed, for what does without."""
        if self.transforms:
            raise DataError(
                what,
                "columns of real numbers",
                "columns that are positive, bounded or whole",
                "use a data set without `positive`, `bounded`, `integer` and `columns: auto`",
            )

    def to(self, device: torch.device | str) -> Eigenbasis:
        """The same basis on another device."""
        return Eigenbasis(
            self.mean.to(device),
            self.scale.to(device),
            self.vectors.to(device),
            self.eigenvalues.to(device),
            self.transforms,
        )


def _chunks(x: Rows) -> Iterator[Tensor]:
    """The rows in order, some thousands at a time, float64."""
    for first in range(0, len(x), _ROWS):
        yield torch.as_tensor(x[first : first + _ROWS], dtype=torch.float64)


def _moments(x: Rows, units: Tensor) -> tuple[Tensor, Tensor]:
    """Mean, and covariance in units of `units` squared, in two passes over the rows: one would cancel digits."""
    total = torch.zeros(len(units), dtype=torch.float64)
    for rows in _chunks(x):
        total += rows.sum(0)
    # A sum is finite only if all its terms are.
    if not bool(torch.isfinite(total).all()):
        raise _unfit(x)
    mean = total / len(x)
    covariance = torch.zeros(len(units), len(units), dtype=torch.float64)
    for rows in _chunks(x):
        centred = (rows - mean) / units
        covariance.addmm_(centred.T, centred)
    return mean, covariance / (len(x) - 1)


def _unfit(x: Rows) -> DataError:
    return DataError(
        "eigenbasis",
        "a finite matrix with at least 2 rows",
        f"shape {tuple(x.shape)}",
        "check the training split for NaN, infinities or too few rows",
    )


def basis_tensors(basis: Eigenbasis) -> dict[str, Tensor]:
    """Mean, scale, directions and eigenvalues; and the transforms of columns, if there are any."""
    tensors = {name: getattr(basis, name) for name in BASIS_NAMES}
    return {**tensors, _TRANSFORMS: basis.transforms.as_tensor()} if basis.transforms else tensors


def basis_from(arrays: Arrays, prefix: str = "") -> Eigenbasis:
    """The inverse of `basis_tensors`, of names that begin with a prefix; KeyError or TypeError if it is not whole."""
    mean, scale, vectors, eigenvalues = (torch.from_numpy(arrays[prefix + name]) for name in BASIS_NAMES)
    kinds = arrays.get(prefix + _TRANSFORMS)
    transforms = NO_TRANSFORMS if kinds is None else ColumnTransforms.from_tensor(torch.from_numpy(kinds))
    if transforms and len(transforms.kinds) != len(mean):
        raise TypeError(f"kinds of {len(transforms.kinds)} columns of {len(mean)}")
    return Eigenbasis(mean, scale, vectors, eigenvalues, transforms)
