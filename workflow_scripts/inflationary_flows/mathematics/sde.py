r"""The forward SDE whose marginals the pfODE shares, by the method of Euler and Maruyama.

In the eigenbasis du_i = sqrt(gammadot_i) dW_i, and in scaled coordinates x = A(t) u

    dx_i = (d log A / dt) x_i dt + A sqrt(gammadot_i) dW_i,       gammadot_i = r_i gamma_i

an Ornstein-Uhlenbeck process whose coefficients depend on time.  The method has weak order 1 (Kloeden and Platen,
Numerical Solution of Stochastic Differential Equations).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from inflationary_flows.errors import ScheduleError
from inflationary_flows.mathematics.points import standard_normal
from inflationary_flows.mathematics.schedules import Schedule
from inflationary_flows.seeding import derive_seed


def drift_rate(schedule: Schedule, t: float) -> Tensor:
    """d log A / dt, the factor of x in the drift, shape (1,)."""
    return schedule.log_scale_rate(t)


def diffusion(schedule: Schedule, t: float) -> Tensor:
    """A sqrt(gammadot), the factor of dW, shape (D,).

    Raises:
        ScheduleError: if a kernel narrows with time.
    """
    rate = schedule.log_gamma_rate(t)
    if float(rate.min()) < 0:
        raise ScheduleError(
            "schedule.gap",
            "kernels that widen in every direction",
            f"a rate of {float(rate.min()):.3g}",
            "noise cannot be taken away: only the pfODE exists there; use gap: orig or inflation_gap <= 1",
        )
    # From logarithms: gamma may be large where A is small.
    return schedule.scale(t) * torch.exp(schedule.log_gamma(t) / 2) * rate.sqrt()


def euler_maruyama(
    schedule: Schedule, points: Tensor, times: Sequence[float], *, steps: int, seed: int
) -> Iterator[Tensor]:
    """Follows paths of the forward SDE.

    Arguments:
        schedule: Kernel and scale.
        points: Points at the first time, shape (n, D), scaled coordinates of the eigenbasis.
        times: Times to read off, ascending.
        steps: Equal steps between two of these times.
        seed: Seed of the noise; fewer paths are the first ones of more.

    Yields:
        Points at each time, shape (n, D), the first ones as they were given.

    Raises:
        ScheduleError: if a kernel narrows with time, where there is no forward SDE.
    """
    x = points.double()
    yield x
    for interval, (start, end) in enumerate(pairwise(times)):
        h = (end - start) / steps
        for step in range(steps):
            t = start + step * h
            noise = standard_normal(len(x), x.shape[1], derive_seed("forward noise", seed, interval, step))
            x = x + h * drift_rate(schedule, t) * x + h**0.5 * diffusion(schedule, t) * noise
        yield x
