r"""Solvers of dy/ds = f(y, s) on uniform steps in s, forwards or backwards.

Explicit Runge-Kutta methods (Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I), the explicit
multistep methods of Adams and Bashforth (one evaluation a step), and torchdiffeq's adaptive Dormand-Prince pair for
tolerance-driven use.  Solvers are independent of flows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.extras import needs

Field = Callable[[Tensor, float], Tensor]


class FixedStepSolver(ABC):
    """A method with a fixed number of uniform steps.

    Attributes:
        order: Order of convergence of the global error.
    """

    order: int

    @abstractmethod
    def evaluations(self, steps: int) -> int:
        """Evaluations of the field that `steps` steps cost."""

    @abstractmethod
    def path(self, field: Field, y: Tensor, start: float, end: float, steps: int) -> Iterator[tuple[float, Tensor]]:
        """The points after every step, as pairs (s, y); y itself is not changed."""


@dataclass(frozen=True)
class RungeKutta(FixedStepSolver):
    """An explicit Runge-Kutta method given by its Butcher tableau."""

    order: int
    nodes: tuple[float, ...]
    coefficients: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]

    def evaluations(self, steps: int) -> int:
        """One evaluation a stage and step."""
        return steps * len(self.weights)

    def step(self, field: Field, y: Tensor, s: float, h: float, slope_here: Tensor | None = None) -> Tensor:
        """One step of length h from s, where the slope at s may be known already."""
        slopes = [field(y, s) if slope_here is None else slope_here]
        for node, row in zip(self.nodes[1:], self.coefficients[1:], strict=True):
            slopes.append(field(_combine(y, h, row, slopes), s + node * h))
        return _combine(y, h, self.weights, slopes)

    def path(self, field: Field, y: Tensor, start: float, end: float, steps: int) -> Iterator[tuple[float, Tensor]]:
        """The points after every step."""
        h = (end - start) / steps
        for index in range(steps):
            y = self.step(field, y, start + index * h, h)
            yield start + (index + 1) * h, y


EULER = RungeKutta(1, (0.0,), ((),), (1.0,))
HEUN = RungeKutta(2, (0.0, 1.0), ((), (1.0,)), (0.5, 0.5))
RK4 = RungeKutta(
    4,
    (0.0, 0.5, 0.5, 1.0),
    ((), (0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)),
    (1 / 6, 1 / 3, 1 / 3, 1 / 6),
)
# Dormand and Prince (1980), the fifth-order weights with six stages.
RK5 = RungeKutta(
    5,
    (0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0),
    (
        (),
        (1 / 5,),
        (3 / 40, 9 / 40),
        (44 / 45, -56 / 15, 32 / 9),
        (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
        (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    ),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)


@dataclass(frozen=True)
class HeunThenEuler(FixedStepSolver):
    """Heun's method with a last step of Euler's, as Karras et al. (2022) run it: 256 steps cost 511 evaluations."""

    order: int = 2

    def evaluations(self, steps: int) -> int:
        """Two per step, one in the last."""
        return 2 * steps - 1

    def path(self, field: Field, y: Tensor, start: float, end: float, steps: int) -> Iterator[tuple[float, Tensor]]:
        """The points after every step."""
        h = (end - start) / steps
        for index in range(steps):
            method = HEUN if index < steps - 1 else EULER
            y = method.step(field, y, start + index * h, h)
            yield start + (index + 1) * h, y


HEUN_THEN_EULER = HeunThenEuler()


# Every step uses the same few formulae.
@lru_cache
def adams_weights(nodes: range) -> tuple[float, ...]:
    """Weights that integrate over [0, 1] the polynomial through values at the nodes, both in units of a step."""
    exponents = np.arange(len(nodes))
    # Exact for every monomial s^p, whose integral is 1 / (p + 1).
    moments = np.array(nodes, dtype=float)[None, :] ** exponents[:, None]
    return tuple(np.linalg.solve(moments, 1 / (exponents + 1.0)).tolist())


@dataclass(frozen=True)
class AdamsBashforth(FixedStepSolver):
    """Explicit multistep method of Adams and Bashforth: one evaluation per step, and five more to start.

    The first step is Runge-Kutta's.  The next two predict with the slopes so far and correct with the implicit formula
    of Adams and Moulton. Then the formula grows by one slope per step up to `memory` slopes. The start has order 4 for
    any memory. The velocity of a flow is small at both ends of its schedule, so that the longer formula in the middle
    determines the error.
    """

    memory: int
    order: int = 4

    _CORRECTED = 2

    def evaluations(self, steps: int) -> int:
        """One evaluation a step, three more for the first and one more for each of the next two."""
        return steps + (len(RK4.weights) - 1) + min(steps - 1, self._CORRECTED)

    def path(self, field: Field, y: Tensor, start: float, end: float, steps: int) -> Iterator[tuple[float, Tensor]]:
        """The points after every step."""
        h = (end - start) / steps
        past: deque[Tensor] = deque(maxlen=self.memory)
        for index in range(steps):
            s = start + index * h
            past.appendleft(field(y, s))
            if index == 0:
                y = RK4.step(field, y, s, h, past[0])
            else:
                before, y = y, _combine(y, h, adams_weights(range(0, -len(past), -1)), past)
                if index <= self._CORRECTED:
                    slopes = [field(y, s + h), *past]
                    y = _combine(before, h, adams_weights(range(1, 1 - len(slopes), -1)), slopes)
            yield s + h, y


def _combine(y: Tensor, h: float, weights: Sequence[float], slopes: Iterable[Tensor]) -> Tensor:
    """y + h sum_j b_j f_j, leaving out slopes of no weight."""
    for b, slope in zip(weights, slopes, strict=True):
        if b != 0:
            y = y + (h * b) * slope
    return y


FIXED_STEP: dict[str, FixedStepSolver] = {
    "euler": EULER,
    "heun": HEUN,
    "rk4": RK4,
    "rk5": RK5,
    "adams_bashforth4": AdamsBashforth(4),
    "adams_bashforth6": AdamsBashforth(6),
}


def solve(
    field: Field,
    y: Tensor,
    start: float,
    end: float,
    *,
    solver: FixedStepSolver,
    steps: int,
    at: list[float] | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """Integrates from start to end, optionally reading off points on the way.

    Points on the way come from cubic Hermite interpolation within the step that holds them, so that asking for them
    neither moves the steps nor changes the result; each such step costs two more evaluations.

    Arguments:
        field: dy/ds.
        y: Points at `start`, any shape; not changed.
        start, end: Range of s, in either direction.
        solver: Method.
        steps: Number of steps.
        at: Values of s to read off, ordered from start to end.

    Returns:
        The points at `end`, and one tensor for each value in `at`.
    """
    wanted = deque(at or [])
    seen: list[Tensor] = []
    forward = 1.0 if end > start else -1.0
    slack = 1e-9 * abs(end - start)
    while wanted and (wanted[0] - start) * forward <= slack:
        wanted.popleft()
        seen.append(y.clone())
    before, s_before = y, start
    for s, y_now in solver.path(field, y, start, end, steps):
        if wanted and (wanted[0] - s) * forward <= slack:
            h = s - s_before
            left, right = field(before, s_before) * h, field(y_now, s) * h
            while wanted and (wanted[0] - s) * forward <= slack:
                x = min(1.0, (wanted.popleft() - s_before) / h)
                rise = y_now - before
                cubic = (1 - x) * (left - rise) * (1 - x) * x + x * (rise - right) * (1 - x) * x
                seen.append(before + x * rise + cubic)
        before, s_before = y_now, s
    return before, seen


def solve_adaptive(
    field: Field, y: Tensor, start: float, end: float, *, tolerance: float, at: list[float] | None = None
) -> tuple[Tensor, list[Tensor]]:
    """Integrates by torchdiffeq's `dopri5`, with one relative and absolute tolerance.

    Step sizes depend on the whole batch, and so do results within the tolerance.
    """
    with needs("the solver dopri5", "solvers"):
        from torchdiffeq import odeint

    inside = [s for s in at or [] if min(start, end) < s < max(start, end)]
    times = torch.tensor([start, *inside, end], dtype=torch.float64)
    states = odeint(lambda s, inner: field(inner, float(s)), y, times, rtol=tolerance, atol=tolerance, method="dopri5")
    return states[-1], [states[int((times - s).abs().argmin())] for s in at or []]
