r"""Training pairs: whitened noisy points and the unit-variance targets that a network regresses.

With w = u_0 / sqrt(xi), standard normal n and the angle tau(t) = arctan sqrt(gamma / xi),

    y = cos(tau) w + sin(tau) n,        F* = sin(tau) w - cos(tau) n,

which is the preconditioned denoising target (method of de Albuquerque and Pearson, 2024) without any cancellation.
Replacing w by its posterior mean over a reference batch keeps the minimiser and lowers the variance of F*. So does
antithetic noise: examples that are neighbours in time share w and have opposite n. Where there is little noise, the
network sees nearly the same point twice, and what n adds to the targets cancels.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from inflationary_flows.mathematics.denoisers import weighted_mean
from inflationary_flows.mathematics.schedules import Schedule


def stratified_clock(n: int, generator: torch.Generator) -> Tensor:
    """One clock position in each of n equal parts of [0, 1], float64: uniform, with less variance than n draws."""
    return (torch.arange(n) + torch.rand(n, generator=generator, dtype=torch.float64)) / n


def antithetic_twins(n: int) -> Tensor:
    """The clean point of each of n examples: neighbours on the clock share one, 0, 0, 1, 1, and so on."""
    return torch.arange(n) // 2


def noisy_pair(w: Tensor, angle: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Noisy points y and plain targets F*, shape (n, D) each.

    Arguments:
        w: Data in the eigenbasis over sqrt(xi), shape (n, D).
        angle: tau for each example and direction, shape (n, D).
        noise: Standard normal n, shape (n, D).
    """
    cos, sin = torch.cos(angle), torch.sin(angle)
    # A direction without noise has nothing to denoise: F = 0 there.
    target = torch.where(angle > 0, sin * w - cos * noise, 0.0)
    return cos * w + sin * noise, target


def posterior_mean_target(y: Tensor, angle: Tensor, references: Tensor) -> Tensor:
    """F* with the posterior mean over reference examples (stable target field), shape (n, D).

    Arguments:
        y: Noisy points, shape (n, D).
        angle: tau, shape (n, D), all positive.
        references: Reference examples over sqrt(xi), shape (m, D), the clean ones of y among them.
    """
    cot = 1 / torch.tan(angle)
    # The likelihood of y under a reference w is a Gaussian of u = y / cos(tau) around w with precision cot(tau)^2.
    mean = weighted_mean(y / torch.cos(angle), references, cot.square())
    return (mean - torch.cos(angle) * y) / torch.sin(angle)


def time_angles(schedule: Schedule, clock: Tensor) -> Tensor:
    """tau at clock positions, shape (n, D), float64."""
    return schedule.angle(schedule.time_at(clock))


# Points on the clock that weights are averaged over.
_CLOCK_POINTS = 65


def data_weights(schedule: Schedule, t: Tensor) -> Tensor:
    """Those of `flow_weights`, times the data's standard deviation along each direction over its mean, shape (n, D).

    Most directions of images vary too little to be seen. Whitening makes them equal to the others.
    """
    std = schedule.eigenvalues.sqrt()
    return flow_weights(schedule, t) * std / std.mean()


def flow_weights(schedule: Schedule, t: Tensor) -> Tensor:
    """Weights of squared errors by how far the flow moves along each direction, shape (n, D).

    An error of F moves a point by |d tau_i / dt|.  Where the spectrum is wide, only the directions whose variance is
    near that of the kernel move at a time: the others would add noise to the loss that does not affect the flow. The
    average over directions and the whole clock is 1, not at each time: otherwise the few directions that move at late
    times would dominate these. The floor of 0.1 trains every direction at all times.

    Arguments:
        schedule: Kernel.
        t: Times, shape (n,).
    """

    return 0.1 + 0.9 * _speed(schedule, t) / _mean_speed(schedule)


def _speed(schedule: Schedule, t: Tensor) -> Tensor:
    """How far the flow moves along each direction while the clock runs, up to a factor, shape (n, D)."""
    return 1 / torch.cosh(schedule.log_noise_ratio(t) / 2)


# Cached: the same number at every step.
@lru_cache(maxsize=8)
def _mean_speed(schedule: Schedule) -> float:
    """Average over directions and the clock."""
    return float(_speed(schedule, schedule.time_at(torch.linspace(0, 1, _CLOCK_POINTS, dtype=torch.float64))).mean())
