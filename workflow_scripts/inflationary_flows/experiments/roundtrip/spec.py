"""What is measured and shown of round trips."""

from __future__ import annotations

from pydantic import Field

from inflationary_flows.experiments.registry import FLOW_COLUMNS, Experiment, Measurement, Table
from inflationary_flows.fields import Count, Section


class Roundtrip(Section):
    """Data to latents and back."""

    samples: Count = Field(10_000, description="Points (or as many as the test split has).")
    paper_steps: Count = Field(700, description="Scaled Euler steps of the paper's setting.")


EXPERIMENT = Experiment(
    settings=Roundtrip,
    measurement=Measurement(
        minutes=0.3, environment="metrics", flows=lambda study: study.point_flows, needs=("splits",)
    ),
    stage="metrics",
    shown=(
        Table(
            "roundtrip",
            "B16",
            "Errors of round trips",
            "Training and solvers",
            """
            Data to latents and back: mean squared and largest error in data units, with the configured solver and with
            that of the paper, and the network evaluations of one direction. The map is invertible whatever the network, so
            the error is that of the solver: the flow of shuffled weights, which has learned nothing, is a control.
            """,
            columns={
                **FLOW_COLUMNS,
                "weights": "`learned`, or the control, `shuffled` within each tensor of the network",
                "solver": "the configured solver, or the paper's setting, `euler_scaled`",
                "steps": "solver steps of one direction",
                "evaluations": "network evaluations of one direction",
                "mse": "mean squared error over points and coordinates, data units squared",
                "max_error": "largest error of a coordinate, data units",
                "n": "points",
            },
        ),
    ),
)
