r"""The probability-flow ODE in three coordinate systems.

With u the eigen coordinates, D the denoiser and r_i = gammadot_i / gamma_i the pfODE reads

    unscaled   du_i/dt = r_i (u_i - D_i(u, t)) / 2
    scaled     x = A(t) u:                  dx/dt = A du/dt + (d log A / dt) x
    whitened   y_i = u_i / sqrt(xi_i + gamma_i):   dy_i/dt = -F_i(y, t) r_i / (4 cosh(log(gamma_i / xi_i) / 2))

In whitened coordinates the linear parts cancel and dy = -F dtau: no division by small numbers, and no large numbers
even where gamma reaches exp(60).  All three describe the same curves.

Source: general pfODE of de Albuquerque and Pearson (2024) with the preconditioned denoiser inserted.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from inflationary_flows.mathematics.denoisers import Denoiser
from inflationary_flows.mathematics.grids import GridSettings, TimeGrid
from inflationary_flows.mathematics.schedules import Schedule

Coordinates = Literal["unscaled", "scaled", "whitened"]


def coordinate_factor(schedule: Schedule, coordinates: Coordinates, t: float | Tensor) -> Tensor:
    """Factor from whitened to other coordinates at t of shape (...), shape (..., D)."""
    if coordinates == "whitened":
        return torch.ones_like(schedule.total_std(t))
    if coordinates == "unscaled":
        return schedule.total_std(t)
    return schedule.scale(t) * schedule.total_std(t)


def convert(points: Tensor, schedule: Schedule, t: float, source: Coordinates, target: Coordinates) -> Tensor:
    """Expresses points at time t, shape (n, D), in other coordinates."""
    factor = coordinate_factor(schedule, target, t) / coordinate_factor(schedule, source, t)
    return points * factor.to(points)


# Cached: every batch and every gradient visits the same places on the grid, and for a few points these numbers would
# take as long as the network.
@lru_cache(maxsize=8192)
def whitened_speed(schedule: Schedule, settings: GridSettings, s: float) -> tuple[float, Tensor]:
    """Time at s, and -d tau/ds, shape (D,)."""
    grid = TimeGrid(schedule, settings)
    t = grid.time(s)
    return t, -grid.rate(s) * schedule.angle_rate(t)


@lru_cache(maxsize=8192)
def velocity_factors(
    schedule: Schedule, settings: GridSettings, coordinates: Coordinates, s: float
) -> tuple[float, Tensor, Tensor, Tensor]:
    """Time t at s, and a, b, c, shapes (D,), of the velocity dx/ds = a x + b F(c x, t) in these coordinates."""
    grid = TimeGrid(schedule, settings)
    t, rate = grid.time(s), grid.rate(s)
    half = schedule.log_gamma_rate(t) / 2
    # u - D with 1 - c_skip in closed form: no difference of nearly equal numbers.
    linear = half * torch.sigmoid(schedule.log_noise_ratio(t))
    gain = -half * schedule.c_out(t)
    if coordinates == "scaled":
        linear, gain = linear + schedule.log_scale_rate(t), schedule.scale(t) * gain
    return t, rate * linear, rate * gain, 1 / coordinate_factor(schedule, coordinates, t)


class VelocityField:
    """The right-hand side ds of the pfODE along a time grid, which counts its network evaluations.

    Arguments:
        denoiser: Denoiser, exact or trained.
        grid: Map from the solver's s in [0, 1] to time.
        coordinates: System in which points are given and moved.
    """

    def __init__(self, denoiser: Denoiser, grid: TimeGrid, coordinates: Coordinates = "whitened") -> None:
        self.denoiser = denoiser
        self.grid = grid
        self.coordinates = coordinates
        self.evaluations = 0

    def __call__(self, points: Tensor, s: float) -> Tensor:
        """d(points)/ds for points of shape (n, D)."""
        self.evaluations += 1
        if self.coordinates == "whitened":
            t, speed = whitened_speed(self.grid.schedule, self.grid.settings, s)
            return self.denoiser.raw(points, t) * speed.to(points)
        t, linear, gain, whiten = velocity_factors(self.grid.schedule, self.grid.settings, self.coordinates, s)
        return linear.to(points) * points + gain.to(points) * self.denoiser.raw(points * whiten.to(points), t)

    def with_jacobian(self, points: Tensor, s: float) -> tuple[Tensor, Tensor]:
        """d(y)/ds and its derivatives by y, shapes (n, D) and (n, D, D), in whitened coordinates."""
        self.evaluations += 1
        t, speed = whitened_speed(self.grid.schedule, self.grid.settings, s)
        values, jacobian = self.denoiser.raw_with_jacobian(points, t)
        speed = speed.to(points)
        return values * speed, jacobian * speed[:, None]
