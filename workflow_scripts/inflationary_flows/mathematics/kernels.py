r"""What networks are told of the noise of points: a place on a clock, or the kernel where schedules share a network.

With whitened points y and the angles tau_i = arctan sqrt(gamma_i / xi_i) of all directions, the target of a denoiser

    F = (E[w | y] - cos(tau) y) / sin(tau),        y = cos(tau) w + sin(tau) n

does not depend on the schedule in any other way: whoever knows y and tau knows the answer for every schedule. One
schedule passes through a curve of angles, on which a clock tells the place.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from inflationary_flows.mathematics.schedules import Schedule

# `clock`: one number, of one schedule; `angles`: D numbers, of any; `levels`: four numbers, of those with two rates.
Told = Literal["clock", "angles", "levels"]
# Beyond a ratio of exp(8) between noise and data, either way, an angle is 0 or a right one to within .02.
_MARGIN = 8.0


def noise_seen(schedule: Schedule, told: Told, t: float | Tensor) -> Tensor:
    """What a network is told at times t of shape (...): (...) of a clock, (..., D) of angles, (..., 4) of levels."""
    if told == "clock":
        return schedule.clock(t)
    return schedule.angle(t) if told == "angles" else levels(schedule, t)


# Integration uses the same few times repeatedly.
@lru_cache(maxsize=8192)
def noise_seen_at(schedule: Schedule, told: Told, t: float) -> Tensor:
    """The same at one time, kept."""
    return noise_seen(schedule, told, t)


def levels(schedule: Schedule, t: float | Tensor) -> Tensor:
    """A kernel of two rates in four numbers from 0 to 1, shape (..., 4), for data whose spectrum is known.

    They are the noise of kept directions and that of compressed ones, the share log d / log D, and the family. Noise is
    told as the place of log gamma, of the family `proportional` of log (gamma / xi), between what is small next to the
    least variance of the data and what is large next to the largest one.
    """
    spectrum, floor = schedule.eigenvalues[schedule.spanned].log(), schedule.kernel == "floor"
    low, high = (float(spectrum.min()), float(spectrum.max())) if floor else (0.0, 0.0)
    noise = schedule.log_gamma(t) if floor else schedule.log_noise_ratio(t)
    # Rates are equal in each of the two groups, so that any of its directions tells the noise of a group.
    ends = noise[..., [0, -1]].clamp(low - _MARGIN, high + _MARGIN)
    place = (ends - low + _MARGIN) / (high - low + 2 * _MARGIN)
    share = math.log(schedule.kept_dims) / math.log(max(schedule.dimension, 2))
    described = torch.tensor([share, float(floor)], dtype=place.dtype, device=place.device)
    return torch.cat([place, described.expand(*place.shape[:-1], 2)], -1)
