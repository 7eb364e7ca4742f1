r"""The change of volume along the flow.

    dy/ds = v(y, s),      d log |det dy(s)/dy(0)| / ds = div v

with the divergence either exact, one gradient per coordinate, or estimated with Hutchinson's probes e as
mean_e e^T (dv/dy) e.  Source: instantaneous change of variables (Chen et al., 2018; Grathwohl et al., 2019).

In few dimensions the whole matrix M = dy(s)/dy(0) is integrated as well, dM/ds = (dv/dy) M. The solver's steps then
give the exact derivative of the discrete map.
"""

from __future__ import annotations

import torch
from torch import Tensor

from inflationary_flows.mathematics.pfode import VelocityField
from inflationary_flows.mathematics.solvers import Field, FixedStepSolver, solve
from inflationary_flows.seeding import derive_seed


def divergence_field(velocity: Field, probes: Tensor | None) -> Field:
    """Augments a field of shape (n, D) by its divergence, shape (n, D + 1), or an estimate a probe, shape (n, D + k).

    Arguments:
        velocity: dy/ds, acting on each row alone.
        probes: Rademacher vectors of each point, shape (k, n, D); none for the exact trace.
    """

    def augmented(state: Tensor, s: float) -> Tensor:
        columns = 1 if probes is None else len(probes)
        with torch.enable_grad():
            y = state[:, :-columns].detach().requires_grad_()
            v = velocity(y, s)
            if not v.requires_grad:  # a field that is constant in y, such as that of Gaussian data
                return torch.cat([v, v.new_zeros(len(v), columns)], 1)
            if probes is None:
                divergence = v.new_zeros(len(v), 1)
                for i in range(y.shape[1]):
                    (gradient,) = torch.autograd.grad(v[:, i].sum(), y, retain_graph=True)
                    divergence = divergence + gradient[:, i : i + 1]
            else:
                estimates = []
                for probe in probes:
                    (gradient,) = torch.autograd.grad((v * probe).sum(), y, retain_graph=True)
                    estimates.append((gradient * probe).sum(1))
                divergence = torch.stack(estimates, 1)
        return torch.cat([v.detach(), divergence.detach()], 1)

    return augmented


def rademacher(points: int, probes: int, dimension: int, generator: torch.Generator) -> Tensor:
    """Random signs, shape (k, n, D): each point has its own, the same however points are batched."""
    drawn = [torch.randint(0, 2, (probes, dimension), generator=generator) for _ in range(points)]
    return torch.stack(drawn, 1) * 2 - 1


def probe_generator(seed: int) -> torch.Generator:
    """The stream that probes of a seed are drawn from, point by point."""
    return torch.Generator().manual_seed(derive_seed("probes", seed))


def carry_volume(
    velocity: Field, y: Tensor, probes: Tensor | None, solver: FixedStepSolver, steps: int
) -> tuple[Tensor, Tensor]:
    """Carries points from s = 0 to 1 with the logarithm of the volume around them.

    Arguments:
        velocity: dy/ds, acting on each row alone.
        y: Points at s = 0, shape (n, D).
        probes: Rademacher vectors of each point, shape (k, n, D); none for the exact trace.
        solver, steps: Integration.

    Returns:
        Points at s = 1, shape (n, D), and log |det dy(1)/dy(0)|, exact, shape (n, 1), or as each probe estimates it,
        shape (n, k); float64 on the CPU.
    """
    signs = None if probes is None else probes.to(y)
    columns = 1 if signs is None else len(signs)
    state = torch.cat([y, y.new_zeros(len(y), columns)], 1)
    state, _ = solve(divergence_field(velocity, signs), state, 0.0, 1.0, solver=solver, steps=steps)
    return state[:, :-columns].double().cpu(), state[:, -columns:].double().cpu()


def jacobian_field(velocity: VelocityField) -> Field:
    """Augments the whitened field of shape (n, D) by the derivatives M of the flow, shape (n, D + D^2)."""

    def augmented(state: Tensor, s: float) -> Tensor:
        dimension = velocity.denoiser.schedule.dimension
        y, matrix = state[:, :dimension], state[:, dimension:].unflatten(1, (dimension, dimension))
        v, slope = velocity.with_jacobian(y, s)
        return torch.cat([v, (slope @ matrix).flatten(1)], 1)

    return augmented


def trace_field(velocity: VelocityField) -> Field:
    """Augments the whitened field of shape (n, D) by its divergence, shape (n, D + 1), without a graph."""

    def augmented(state: Tensor, s: float) -> Tensor:
        v, slope = velocity.with_jacobian(state[:, :-1], s)
        return torch.cat([v, slope.diagonal(dim1=1, dim2=2).sum(1, keepdim=True)], 1)

    return augmented
