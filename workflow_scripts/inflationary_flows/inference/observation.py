r"""What is observed of points, and how likely points make it.

Points come as transformed columns r, unbounded coordinates (`mathematics.columns`), x = x(r) being their data units.
Three kinds of observation are least squares, -log L = |e(r)|^2 / 2 + constant, of whitened residuals e:

    noise       e = F^-1 (x - x_obs), for C = F F^T; of a row with holes for the covariance of the cells that are seen
    operator    e = F^-1 (h(x) - y_obs), h a matrix or any differentiable function
    cells       e = (r - r_obs) / width in seen cells: these are known, and held to within a tenth of what the other
                columns leave unknown of theirs, or to within their cell if they hold whole numbers

and any other log-likelihood is a function of x.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from inflationary_flows.errors import InferenceError
from inflationary_flows.mathematics.columns import ColumnTransforms
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.noise import Noise

# A function of points, shape (n, D), to (n, m) or (n,).
PointFunction = Callable[[Tensor], Tensor]
# Seen cells are held to within this share of the standard deviation that all other columns leave to theirs.
_CELL_WIDTH = 0.1
# Standard deviation of a uniform number in a cell of width 1.
_UNIFORM = 1 / math.sqrt(12)


@dataclass(frozen=True, eq=False)
class Observation:
    """What is observed of `rows` points.

    Attributes:
        rows: Number of points.
        transforms: Those of the columns.
        weights: G, shape (rows or 1, m, D) or (rows or 1, m, m) before an operator; none without residuals.
        target: G times what is observed, shape (rows, m).
        operator: h, if it is no matrix.
        on_transformed: Whether residuals are of transformed columns: seen cells are.
        seen: Which cells are known exactly, shape (rows, D); none if noise is everywhere.
        log_function: Any log-likelihood of x, shape (n, D) to (n,), instead of residuals.
    """

    rows: int
    transforms: ColumnTransforms
    weights: Tensor | None = None
    target: Tensor | None = None
    operator: PointFunction | None = None
    on_transformed: bool = False
    seen: Tensor | None = None
    log_function: PointFunction | None = None

    @property
    def has_residuals(self) -> bool:
        """Whether this is least squares."""
        return self.log_function is None

    @property
    def known(self) -> Tensor:
        """Transformed columns of cells that are known exactly, shape (rows, D), NaN in the others."""
        assert self.seen is not None
        assert self.weights is not None
        assert self.target is not None
        return torch.where(self.seen, self.target / self.weights.diagonal(dim1=1, dim2=2), torch.nan)

    def of(self, chosen: Tensor) -> Observation:
        """That of some of the points, by their numbers."""
        if self.log_function is not None:
            return replace(self, rows=len(chosen))
        assert self.weights is not None
        assert self.target is not None
        weights = self.weights if len(self.weights) == 1 else self.weights[chosen]
        seen = None if self.seen is None else self.seen[chosen]
        return replace(self, rows=len(chosen), weights=weights, target=self.target[chosen], seen=seen)

    def residuals(self, r: Tensor) -> Tensor:
        """Whitened residuals of points of each row, shape (rows, k, D) to (rows, k, m)."""
        assert self.weights is not None
        assert self.target is not None
        x = r if self.on_transformed else self.transforms.inverse(r)
        if self.operator is not None:
            x = operated(self.operator, x.flatten(0, 1), self.weights.shape[2]).unflatten(0, x.shape[:2])
        return x @ self.weights.mT - self.target[:, None]

    def log_likelihood(self, r: Tensor) -> Tensor:
        """log p(observed | r) up to a constant of each row, shape (rows, k, D) to (rows, k), differentiable."""
        if self.log_function is None:
            return -self.residuals(r).square().sum(-1) / 2
        x = self.transforms.inverse(r).flatten(0, 1)
        values = self.log_function(x)
        if not isinstance(values, Tensor) or values.shape != (len(x),):
            raise InferenceError(
                "log_likelihood",
                f"a tensor of shape ({len(x)},) for points of shape {tuple(x.shape)}",
                f"shape {tuple(values.shape)}" if isinstance(values, Tensor) else type(values).__name__,
                "use functions of torch, columns being x[:, 0], x[:, 1], ..., and sum over the last axis alone",
            )
        # Where it is undefined it is zero probability.
        return torch.nan_to_num(values.double(), nan=-math.inf, neginf=-math.inf).view(r.shape[:2])

    def require_somewhere(self, levels: Tensor) -> None:
        """Raises InferenceError for log-likelihoods, shape (rows, n), of draws of the prior that are nowhere finite."""
        if not bool(levels.isfinite().any(1).all()):
            hint = "such points must be possible under the flow: check its units, and that no logarithm is of 0"
            got = f"none at {levels.shape[1]} draws of the flow"
            raise InferenceError("log_likelihood", "finite values somewhere", got, hint)

    def derivatives(self, r: Tensor) -> tuple[Tensor, Tensor]:
        """Residuals and their derivatives by transformed columns, shapes (rows, k, m) and (rows, k, m, D)."""
        assert self.weights is not None
        if self.operator is None and self.on_transformed:
            return self.residuals(r), self.weights[:, None]
        points = r.detach().requires_grad_(True)
        if self.operator is None:
            x = self.transforms.inverse(r)
            slopes = torch.exp(-self.transforms.log_slopes(x)) if self.transforms else torch.ones_like(x)
            return self.residuals(r), self.weights[:, None] * slopes[:, :, None]
        with torch.enable_grad():
            errors = self.residuals(points)
            count = errors.shape[-1]
            rows = [
                torch.autograd.grad(errors[..., place].sum(), points, retain_graph=place + 1 < count)[0]
                for place in range(count)
            ]
        return errors.detach(), torch.stack(rows, 2)


def operated(operator: PointFunction, x: Tensor, m: int | None = None) -> Tensor:
    """What a caller's operator makes of points, shape (n, D) to (n, m), if it is m numbers for each, or as many."""
    values = operator(x)
    if isinstance(values, Tensor) and values.shape == (len(x),) and m in (1, None):
        values = values[:, None]
    fits = isinstance(values, Tensor) and values.ndim == 2 and values.shape == (len(x), m or values.shape[1])
    if not fits:
        got = f"shape {tuple(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
        hint = "the operator takes points, shape (n, D), and gives what is observed of each, shape (n, m)"
        raise InferenceError("operator", f"a tensor of shape ({len(x)}, {m or 'm'})", got, hint)
    return values.double()


def require_support(x: Tensor, basis: Eigenbasis, columns: Sequence[str]) -> None:
    """Raises DataError for the first known value of rows, shape (rows, D), that is not of its column's kind."""
    filled = torch.where(x.isnan(), basis.transforms.rounded(_any_values(x, basis)), x)
    basis.transforms.check(filled, columns)


def _any_values(x: Tensor, basis: Eigenbasis) -> Tensor:
    """Values of the support of each column, in the shape of x."""
    return basis.transforms.inverse(basis.mean.expand_as(x))


def known_cells(x: Tensor, basis: Eigenbasis) -> Observation:
    """Rows with holes, shape (rows, D), NaN where nothing is known; the other cells are known exactly."""
    seen = ~x.isnan()
    transforms = basis.transforms
    # Any number of the support stands for what is unknown.
    filled = torch.where(seen, x, _any_values(x, basis))
    # The conditional variances of a Gaussian: one over the diagonal of its precision.
    least = 1e-6 * basis.eigenvalues.mean()
    precision = (basis.vectors / basis.eigenvalues.clamp(min=least)) @ basis.vectors.T
    width = (_CELL_WIDTH * basis.scale / precision.diagonal().sqrt()).expand_as(x).clone()
    if transforms.integers:
        slopes = transforms.log_slopes(filled).exp() if transforms else torch.ones_like(x)
        for column in transforms.integers:
            width[:, column] = torch.maximum(width[:, column], _UNIFORM * slopes[:, column])
    weights = torch.where(seen, 1 / width, 0.0)
    r = transforms.forward(filled)
    return Observation(len(x), transforms, torch.diag_embed(weights), weights * r, on_transformed=True, seen=seen)


def noisy_numbers(
    y: Tensor, noise: Noise, transforms: ColumnTransforms, operator: Tensor | PointFunction | None = None
) -> Observation:
    """Observations with Gaussian noise, shape (rows, m), NaN where nothing is observed.

    Arguments:
        y: What is observed of each point: its columns, or what the operator makes of them.
        noise: Of m numbers.
        transforms: Those of the columns.
        operator: A matrix, shape (m, D), or a function.
    """
    seen = ~y.isnan()
    if bool(seen.all()):
        weights = noise.whiten(torch.eye(y.shape[1], dtype=torch.float64)).mT[None]
    else:
        covariance = noise.covariance
        weights = y.new_zeros(len(y), y.shape[1], y.shape[1])
        for pattern in seen.unique(dim=0):
            places = pattern.nonzero()[:, 0]
            if not len(places):
                continue
            root = torch.linalg.cholesky(covariance[places][:, places])
            whitener = torch.linalg.solve_triangular(root, torch.eye(len(places), dtype=torch.float64), upper=False)
            embedded = y.new_zeros(y.shape[1], y.shape[1])
            embedded[places[:, None], places] = whitener
            weights[(seen == pattern).all(1)] = embedded
    target = torch.einsum("nij,nj->ni", weights.expand(len(y), -1, -1), y.nan_to_num(0.0))
    if isinstance(operator, Tensor):
        return Observation(len(y), transforms, weights @ operator, target)
    return Observation(len(y), transforms, weights, target, operator=operator)
