"""Error against cost of every solver, on one trained network in float64.

Generation is compared with a fine solution on the same grid, the round trip with the points themselves. Network,
schedule and latents are the same for all solvers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from inflationary_flows.data.splits import Splits
from inflationary_flows.experiments.measured import Measured
from inflationary_flows.mathematics.eigenbasis import Rows
from inflationary_flows.mathematics.flow import ADAPTIVE, Flow, SolverSettings
from inflationary_flows.metrics.integration import (
    carry_data,
    carry_latents,
    root_mean_square,
)

SOLVER_COLUMNS = ("solver", "steps", "evaluations", "generation_rmse", "roundtrip_rmse")

REFERENCE = "reference"
# After 365 evaluations its error was at most 8e-8 on the 13 flows of the default configuration that were tried, against
# its own 4,000 steps. That of Runge-Kutta of order 5 is then 2e-5 on digits, more than multistep methods err with 140.
REFERENCE_METHOD = "adams_bashforth6"


def compare_solvers(
    flow: Flow,
    points: Rows,
    *,
    steps: Mapping[str, Sequence[int]],
    samples: int = 1_000,
    numbers: int = 64_000,
    seed: int = 0,
    tolerances: Sequence[float] = (),
    reference_steps: int = 400,
) -> list[dict[str, Any]]:
    """Measures generation and round-trip error of all solvers over a range of steps.

    Arguments:
        flow: Trained flow; it is evaluated in float64.
        points: Held-out points, shape (n, D), data units; with kernel noise they become the latents
            that are generated from.
        steps: Numbers of steps for each solver.
        samples: Points used, the first ones.
        numbers: Coordinates of all points at most; the mean over many coordinates of a point needs fewer points.
        seed: Seed of the kernel noise.
        tolerances: Tolerances of `dopri5`.
        reference_steps: Steps of the reference; half as many are taken too, and their difference is
            the row named `reference`: what is not well above it is not resolved.

    Returns:
        Rows of solver, steps, evaluations (one way), generation_rmse and roundtrip_rmse (root mean
        square over points and coordinates, data units).  For `dopri5` steps and evaluations both
        are the evaluations that it took.
    """
    flow = flow.double()
    x = np.asarray(points[: min(samples, max(1, numbers // flow.dimension))], dtype=np.float64)
    z = flow.noised_latents(x, seed)

    def carry(settings: SolverSettings) -> tuple[np.ndarray, np.ndarray, int]:
        """What becomes of z and of points that go there and back, in one batch, and evaluations of one way."""
        latents, _ = carry_data(flow, x, settings)
        both, evaluations = carry_latents(flow, np.concatenate([z, latents]), settings)
        return both[: len(z)], both[len(z) :], evaluations

    def measure(settings: SolverSettings) -> dict[str, Any]:
        generated, back, evaluations = carry(settings)
        return {
            "solver": settings.method,
            "steps": evaluations if settings.method == ADAPTIVE else settings.steps,
            "evaluations": evaluations,
            "generation_rmse": root_mean_square(generated - fine),
            "roundtrip_rmse": root_mean_square(back - x),
        }

    finest = flow.settings(REFERENCE_METHOD, reference_steps)
    fine, fine_back, fine_evaluations = carry(finest)
    coarse, _ = carry_latents(flow, z, flow.settings(REFERENCE_METHOD, max(1, reference_steps // 2)))
    rows: list[dict[str, Any]] = [
        {
            "solver": REFERENCE,
            "steps": finest.steps,
            "evaluations": fine_evaluations,
            "generation_rmse": root_mean_square(coarse - fine),
            "roundtrip_rmse": root_mean_square(fine_back - x),
        }
    ]
    rows += [measure(flow.settings(solver, count)) for solver, counts in steps.items() for count in counts]
    return rows + [measure(flow.settings(ADAPTIVE, tolerance=value)) for value in tolerances]


def measure(flow: Flow, *, splits: Splits, **settings: Any) -> Measured:
    """Rows of `compare_solvers`, of held-out points."""
    return Measured({"solver_comparison": compare_solvers(flow, splits.test, **settings)})
