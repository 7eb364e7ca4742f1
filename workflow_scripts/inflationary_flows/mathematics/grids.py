r"""Time grids: where along the schedule a solver spends its steps.

Solvers take uniform steps in s in [0, 1]; a grid is the smooth map from s to the log noise ratio
v = log(gamma_* / xi_max) of the fastest direction and thereby to time.

    uniform   v = v_0 + s (v_1 - v_0)
    sinh      v = centre + width sinh(alpha + s (beta - alpha)),   dense within `width` of `centre`, sparse in the tails
    time      t = t_min + s (t_max - t_min), as the authors run it (the same as uniform for kernels with a floor)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from inflationary_flows.mathematics.schedules import Schedule

GridKind = Literal["uniform", "sinh", "time"]


@dataclass(frozen=True)
class GridSettings:
    """Settings of a time grid.

    Attributes:
        kind: `uniform`, `sinh` or `time`.
        centre, width: Where a `sinh` grid is dense, in units of log(gamma / xi).
    """

    kind: GridKind = "uniform"
    centre: float = 0.0
    width: float = 4.0


class TimeGrid:
    """The map s -> t of one schedule, with its derivative."""

    def __init__(self, schedule: Schedule, settings: GridSettings) -> None:
        self.schedule = schedule
        self.settings = settings
        self._start, self._end = schedule.clock_range
        if settings.kind == "sinh":
            self._alpha = math.asinh((self._start - settings.centre) / settings.width)
            self._beta = math.asinh((self._end - settings.centre) / settings.width)

    def _ratio(self, s: float) -> tuple[float, float]:
        """v(s) and dv/ds."""
        if self.settings.kind == "sinh":
            stretch = self._beta - self._alpha
            inner = self._alpha + s * stretch
            width = self.settings.width
            return (
                self.settings.centre + width * math.sinh(inner),
                width * math.cosh(inner) * stretch,
            )
        return self._start + s * (self._end - self._start), self._end - self._start

    def time(self, s: float) -> float:
        """Time at s."""
        schedule = self.schedule
        if self.settings.kind == "time":
            return schedule.t_min + s * (schedule.t_max - schedule.t_min)
        clock = (self._ratio(s)[0] - self._start) / (self._end - self._start)
        return float(schedule.time_at(clock))

    def rate(self, s: float) -> float:
        """dt/ds at s."""
        schedule = self.schedule
        if self.settings.kind == "time":
            return schedule.t_max - schedule.t_min
        fastest = float(schedule.log_gamma_rate(self.time(s))[int(schedule.exponents.argmax())])
        return self._ratio(s)[1] / fastest

    def position(self, t: float | Tensor) -> float:
        """s at time t, the inverse of `time`."""
        schedule = self.schedule
        if self.settings.kind == "time":
            return float((t - schedule.t_min) / (schedule.t_max - schedule.t_min))
        clock = float(schedule.clock(t))
        if self.settings.kind == "uniform":
            return clock
        ratio = self._start + clock * (self._end - self._start)
        inner = math.asinh((ratio - self.settings.centre) / self.settings.width)
        return (inner - self._alpha) / (self._beta - self._alpha)
