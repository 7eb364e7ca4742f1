"""Round-trip errors of a flow as users get it: a test of the solver, which flows of shuffled weights pass as well."""

from __future__ import annotations

from typing import Any

import numpy as np

from inflationary_flows.data.splits import Splits
from inflationary_flows.experiments.measured import Measured
from inflationary_flows.mathematics.eigenbasis import Rows
from inflationary_flows.mathematics.flow import ADAPTIVE, EULER_SCALED, Flow
from inflationary_flows.metrics.controls import shuffle_weights
from inflationary_flows.metrics.integration import carry_data, carry_latents

ROUNDTRIP_COLUMNS = ("solver", "steps", "evaluations", "mse", "max_error", "n")

# Points of the control.
_CONTROL_SAMPLES = 200


def measure_roundtrip(
    flow: Flow, points: Rows, *, samples: int = 10_000, paper_steps: int = 700
) -> list[dict[str, Any]]:
    """Measures the round-trip error of the flow's own solver and of the paper's setting.

    Arguments:
        flow: Trained flow; its network runs in its own precision.
        points: Held-out points, shape (n, D), data units.
        samples: Points used, the first ones.
        paper_steps: Uniform Euler steps in scaled coordinates.

    Returns:
        Rows of solver, steps, evaluations (one way), mse (over points and coordinates, data units
        squared), max_error (over points and coordinates, data units), n.  `dopri5` chooses its own
        steps: both counts are then the evaluations that inflation took.
    """
    x = np.asarray(points[:samples], dtype=np.float64)
    rows = []
    for solver, steps in ((flow.solver.method, flow.solver.steps), (EULER_SCALED, paper_steps)):
        settings = flow.settings(solver, steps)
        latents, evaluations = carry_data(flow, x, settings)
        error = carry_latents(flow, latents, settings)[0] - x
        rows.append(
            {
                "solver": solver,
                "steps": evaluations if solver == ADAPTIVE else steps,
                "evaluations": evaluations,
                "mse": float(np.mean(error**2)),
                "max_error": float(np.abs(error).max()),
                "n": len(x),
            }
        )
    return rows


def measure(flow: Flow, *, splits: Splits, **settings: Any) -> Measured:
    """Rows of `measure_roundtrip`, of held-out points, and by the flow's own solver those of shuffled weights."""
    rows = measure_roundtrip(flow, splits.test, **settings)
    # Of the two solvers, the control is of the first.
    fewer = settings | {"samples": min(settings["samples"], _CONTROL_SAMPLES), "paper_steps": 1}
    control = measure_roundtrip(shuffle_weights(flow, 0), splits.test, **fewer)
    kinds = (("learned", rows), ("shuffled", control[:1]))
    return Measured({"roundtrip": [{"weights": kind, **row} for kind, of in kinds for row in of]})
