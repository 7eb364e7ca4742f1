r"""The Fokker-Planck equation of the forward SDE on a line, by conservative finite volumes.

In scaled coordinates the density q of x = A(t) u obeys

    dq/dt = -dJ/dx,      J = a x q - d dq/dx,      a = d log A / dt,   d = A^2 gammadot / 2

Cells hold masses. The flux out of a cell enters its neighbour and vanishes at the outer faces, so that the mass is
conserved up to rounding.  The flux through a face is that of Chang and Cooper (1970), which is also Scharfetter and
Gummel's (1969),

    J = (d / h) (B(-w) q_left - B(w) q_right),      w = a x h / d,      B(z) = z / (exp z - 1)

which is centred where diffusion dominates, preserves the Gaussian equilibrium, and is of second order in the width h.
Time steps use the implicit midpoint rule (Crank and Nicolson), also of second order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from inflationary_flows.errors import ScheduleError
from inflationary_flows.extras import needs
from inflationary_flows.mathematics.schedules import Schedule
from inflationary_flows.mathematics.sde import diffusion, drift_rate

with needs("the Fokker-Planck equation", "metrics"):
    from scipy.linalg import solve_banded


@dataclass(frozen=True)
class Cells:
    """Equal cells from -half_width to half_width.

    Attributes:
        half_width: Half the width of all of them, scaled units.
        count: Their number J.
    """

    half_width: float
    count: int

    @property
    def width(self) -> float:
        """Width h of a cell."""
        return 2 * self.half_width / self.count

    @property
    def faces(self) -> np.ndarray:
        """Ends of cells, shape (J + 1,)."""
        return np.linspace(-self.half_width, self.half_width, self.count + 1)

    @property
    def centres(self) -> np.ndarray:
        """Middles of cells, shape (J,)."""
        faces = self.faces
        return (faces[:-1] + faces[1:]) / 2


def bernoulli(z: np.ndarray) -> np.ndarray:
    """B(z) = z / (exp(z) - 1), 1 at z = 0."""
    safe = np.where(np.abs(z) < 1e-10, 1.0, z)
    return np.where(np.abs(z) < 1e-10, 1 - z / 2, safe / np.expm1(safe))


def flux_rates(schedule: Schedule, cells: Cells, t: float) -> tuple[np.ndarray, np.ndarray]:
    """Shares of mass that pass each inner face per unit of time: to the right and to the left, shapes (J - 1,)."""
    drift = float(drift_rate(schedule, t))
    spread = float(diffusion(schedule, t)) ** 2 / 2
    h = cells.width
    w = drift * h / spread * cells.faces[1:-1]
    return spread / h**2 * bernoulli(-w), spread / h**2 * bernoulli(w)


def step_masses(masses: np.ndarray, right: np.ndarray, left: np.ndarray, step: float) -> np.ndarray:
    """One step of the midpoint rule for rates of `flux_rates`.

    Arguments:
        masses: Masses of cells, shape (J,).
        right, left: Rates through inner faces at the middle of the step, shapes (J - 1,).
        step: Length of the step.
    """
    half = step / 2
    bands = np.zeros((3, len(masses)))
    bands[0, 1:], bands[2, :-1] = -half * left, -half * right
    bands[1] = 1.0
    bands[1, :-1] += half * right
    bands[1, 1:] += half * left
    flux = right * masses[:-1] - left * masses[1:]
    change = np.zeros_like(masses)
    change[:-1] -= flux
    change[1:] += flux
    # The increment instead of the new masses: its columns sum to zero up to rounding, so that mass is conserved.
    return masses + solve_banded((1, 1), bands, step * change)


def solve_fokker_planck(
    schedule: Schedule, cells: Cells, masses: np.ndarray, times: Sequence[float], *, steps: int
) -> Iterator[np.ndarray]:
    """Evolves masses of cells through the marginals of a schedule.

    Arguments:
        schedule: Kernel and scale, of one dimension.
        cells: Cells in scaled coordinates; no flux through the outer faces.
        masses: Masses at the first time, shape (J,).
        times: Times to read off, ascending.
        steps: Equal steps between two of these times.

    Yields:
        Masses at each time, shape (J,), the first ones as they were given.

    Raises:
        ScheduleError: if the schedule has more dimensions, or a kernel narrows with time.
    """
    if schedule.dimension != 1:
        raise ScheduleError(
            "schedule", "one dimension", f"{schedule.dimension}", "a grid in more dimensions is out of reach: sample"
        )
    yield masses
    for start, end in pairwise(times):
        h = (end - start) / steps
        for step in range(steps):
            right, left = flux_rates(schedule, cells, start + (step + 0.5) * h)
            masses = step_masses(masses, right, left, h)
        yield masses
