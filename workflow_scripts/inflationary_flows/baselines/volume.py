r"""Volume change of a map into more dimensions: products with its Jacobian, and its log determinant.

For x = g(z), z in R^d, x in R^D, with J = dg/dz and the metric tensor G = J^T J, a density on the latents becomes

    log p(x) = log p(z) - 1/2 log det G

on the manifold.  With d numbers of products J e_i the determinant is exact.  Above that only its gradient is
estimated (Caterini, Loaiza-Ganem, Pleiss and Cunningham, 2021):

    d/dtheta 1/2 log det G = tr(G^-1 J^T dJ/dtheta) = E[ (J v)^T (dJ/dtheta) e ],   G v = e,   E e e^T = I

where v comes from conjugate gradients, which need products with G alone.  The paper's estimate is
v^T (dG/dtheta) e / 2, of the same mean; its other half, (dJ v)^T J e, has a variance that grows with the square of G's
condition.

J v is taken by differentiating w -> J^T w, which is linear, once more: that costs half of forward-mode derivatives,
which have to be differentiated once more as well.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


class LocalMap:
    """A map at some points, with products of its Jacobian.

    Arguments:
        decode: The map of rows, (n, d) to (n, D).
        z: Points, shape (n, d); a graph behind them stays connected.
        differentiable: Whether products are to be differentiated, with respect to weights and z.
    """

    def __init__(self, decode: Callable[[Tensor], Tensor], z: Tensor, *, differentiable: bool) -> None:
        self.differentiable = differentiable
        with torch.enable_grad():
            self.z = z if differentiable and z.requires_grad else z.detach().requires_grad_()
            self.x = decode(self.z)
            self.covector = torch.zeros_like(self.x, requires_grad=True)
            (self.pulled,) = torch.autograd.grad(self.x, self.z, self.covector, create_graph=True)

    def push(self, v: Tensor, *, differentiable: bool | None = None) -> Tensor:
        """J v for v of shape (n, d): shape (n, D)."""
        kept = self.differentiable if differentiable is None else differentiable
        (product,) = torch.autograd.grad(self.pulled, self.covector, v, retain_graph=True, create_graph=kept)
        return product

    def pull(self, w: Tensor, *, differentiable: bool | None = None) -> Tensor:
        """J^T w for w of shape (n, D): shape (n, d)."""
        kept = self.differentiable if differentiable is None else differentiable
        (product,) = torch.autograd.grad(self.x, self.z, w, retain_graph=True, create_graph=kept)
        return product

    def jacobian(self) -> Tensor:
        """J, shape (n, D, d), one product a column."""
        directions = torch.eye(self.z.shape[1], dtype=self.z.dtype, device=self.z.device)
        return torch.stack([self.push(direction.expand_as(self.z)) for direction in directions], 2)


def metric_tensor(jacobian: Tensor) -> Tensor:
    """G = J^T J for J of shape (n, D, d): shape (n, d, d)."""
    return jacobian.mT @ jacobian


def log_volume(metric: Tensor) -> Tensor:
    """1/2 log det G, shape (n,)."""
    return torch.linalg.slogdet(metric).logabsdet / 2


def conjugate_gradients(
    product: Callable[[Tensor], Tensor], target: Tensor, *, iterations: int, tolerance: float
) -> Tensor:
    """Solves G v = e for symmetric positive G, row by row.

    Arguments:
        product: v to G v, both of shape (n, d).
        target: Right-hand sides e, shape (n, d).
        iterations: Most products; d of them are exact up to rounding.
        tolerance: Largest norm of a residual, relative to its target's, at which to stop.

    Returns:
        Solutions v, shape (n, d).
    """
    solution = torch.zeros_like(target)
    residual, direction = target.clone(), target.clone()
    square = residual.square().sum(1, keepdim=True)
    bound = tolerance**2 * square
    for _ in range(min(iterations, target.shape[1])):
        if bool((square <= bound).all()):
            break
        image = product(direction)
        curvature = (direction * image).sum(1, keepdim=True)
        # Rows that have converged stay where they are: 0 / 0 is no step.
        step = torch.where(square > 0, square / curvature.clamp_min(torch.finfo(square.dtype).tiny), 0.0)
        solution = solution + step * direction
        residual = residual - step * image
        new = residual.square().sum(1, keepdim=True)
        direction = residual + torch.where(square > 0, new / square, 0.0) * direction
        square = new
    return solution


def log_volume_surrogate(
    local: LocalMap, probes: int, generator: torch.Generator, *, iterations: int, tolerance: float
) -> Tensor:
    """A surrogate whose gradient is an unbiased estimate of that of 1/2 log det G; its value has no meaning.

    Arguments:
        local: The map, with differentiable products.
        probes: Random vectors e, of signs.
        generator: Source of these, on the CPU.
        iterations, tolerance: As of `conjugate_gradients`.

    Returns:
        Shape (n,).
    """
    terms = []
    for _ in range(probes):
        signs = torch.randint(0, 2, local.z.shape, generator=generator).to(local.z) * 2 - 1

        def product(v: Tensor) -> Tensor:
            return local.pull(local.push(v, differentiable=False), differentiable=False)

        solution = conjugate_gradients(product, signs, iterations=iterations, tolerance=tolerance)
        terms.append((local.push(solution, differentiable=False) * local.push(signs)).sum(1))
    return torch.stack(terms).mean(0)


def off_diagonal(metric: Tensor) -> Tensor:
    """Sum of |G_ij| over i != j, shape (n,)."""
    return metric.abs().sum((1, 2)) - metric.diagonal(dim1=1, dim2=2).abs().sum(1)


def off_diagonal_estimate(local: LocalMap, probes: int, generator: torch.Generator) -> Tensor:
    """An unbiased estimate of `off_diagonal` from random columns of G, shape (n,).

    Arguments:
        local: The map, with differentiable products.
        probes: Columns, drawn with replacement, the same for all rows.
        generator: Source of their numbers, on the CPU.
    """
    size = local.z.shape[1]
    numbers = torch.randint(size, (probes,), generator=generator).tolist()
    sums = []
    for number in numbers:
        direction = torch.zeros_like(local.z)
        direction[:, number] = 1
        column = local.pull(local.push(direction)).abs()
        sums.append(column.sum(1) - column[:, number])
    return size * torch.stack(sums).mean(0)
