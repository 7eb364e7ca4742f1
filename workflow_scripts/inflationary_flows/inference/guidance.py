r"""Guidance by the likelihood of the denoised point (DPS): no posterior, and therefore a control.

The reverse diffusion of the flow's own schedule draws from the prior.  Diffusion posterior sampling adds a pull towards
what was observed.  With the kernel variances gamma > gamma' of two times, u = u_t and the denoised D = D(u, t),

    u' = D + (gamma' / gamma) (u - D) + sqrt(gamma' (gamma - gamma') / gamma) n,        n ~ N(0, I)
    y' = c_in' u' - zeta / |r| * d |r|^2 / dy,       r = (y_obs - A(D)) / noise

The likelihood of u is that of many clean points; here that of their mean stands for it.  The pull is in whitened
coordinates, which are those of a variance preserving diffusion, and over the length of the residual, both as in the
source: Chung, Kim, Mccann, Klasky and Ye, Diffusion Posterior Sampling for General Noisy Inverse Problems (ICLR 2023),
algorithm 1.  Its one free number is the strength zeta.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from inflationary_flows.errors import ScheduleError
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.grids import TimeGrid
from inflationary_flows.mathematics.points import standard_normal
from inflationary_flows.seeding import derive_seed

# Squared residuals, shape (rows, draws), of points of that shape and D coordinates, data units.
Misfit = Callable[[Tensor], Tensor]
# Residuals below this have no direction.
_NONE = 1e-12


def guide(
    flow: Flow, misfit: Misfit, rows: int, *, draws: int, strength: float, steps: int = 100, seed: int = 0
) -> Tensor:
    """Draws points for many observations at once.

    Arguments:
        flow: The flow, whose denoiser and schedule are used.
        misfit: Squared length |r|^2 of the residual in units of the noise, a function of points, shape (rows, draws,
            D), to shape (rows, draws), differentiable: -2 log p(y | x), up to a constant by which it is never negative.
        rows: Number of observations.
        draws: Draws of each.
        strength: zeta; 0 draws from the prior.
        steps: Steps of the reverse diffusion, uniform on the grid of the flow's solver.
        seed: Seed of the noise.

    Returns:
        Points, shape (rows, draws, D), data units.

    Raises:
        ScheduleError: if a kernel narrows with time.
    """
    schedule, grid = flow.schedule, TimeGrid(flow.schedule, flow.solver.grid)
    times = [grid.time(1 - step / steps) for step in range(steps + 1)]
    gammas = [schedule.gamma(t) for t in times]
    if any(bool((after > before).any()) for before, after in pairwise(gammas)):
        expected, hint = (
            "kernels that widen in every direction",
            "noise cannot be taken away: only the pfODE exists there",
        )
        raise ScheduleError("schedule.gap", expected, "one that narrows", hint)
    noise = [standard_normal(rows * draws, flow.dimension, derive_seed("guidance", seed, n)) for n in range(steps + 1)]
    size = max(1, flow.batch_size // rows)
    done = []
    for first in range(0, draws, size):
        normals = [of_step.view(rows, draws, -1)[:, first : first + size] for of_step in noise]
        u = schedule.total_std(times[0]) * normals[0]
        for step, (t, after) in enumerate(pairwise(times)):
            clean, pull = _denoised(flow, u, t, misfit)
            gamma, less = gammas[step], gammas[step + 1]
            u = clean + less / gamma * (u - clean) + (less * (gamma - less) / gamma).sqrt() * normals[step + 1]
            u = u - strength * schedule.total_std(after) * pull
        done.append(flow.basis.from_eigen(u.flatten(0, 1)).view(u.shape))
    return torch.cat(done, 1)


def _denoised(flow: Flow, u: Tensor, t: float, misfit: Misfit) -> tuple[Tensor, Tensor]:
    """Denoised points, eigen coordinates, and the slope of the misfit in whitened ones, over the residual's length."""
    with torch.enable_grad():
        points = u.detach().requires_grad_()
        clean = flow.denoiser(points.flatten(0, 1), t)
        squares = misfit(flow.basis.from_eigen(clean).view(u.shape))
        (slope,) = torch.autograd.grad(squares.sum(), points)
    length = squares.detach().sqrt().clamp(min=_NONE)
    return clean.detach().view(u.shape), flow.schedule.total_std(t) * slope / length[..., None]
