"""residuals."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Experiment, Figure, Measurement, Table

EXPERIMENT = Experiment(
    measurement=Measurement(
        minutes=0.1,
        environment="inference",
        flows=lambda study: [flow for flow in study.flows if flow[0] in study.experiments["residuals"]["datasets"]],
        needs=("splits", "mixture"),
    ),
    stage="calibration",
    shown=(
        Figure("residual_correlation", "B142", "title", "category", "Caption."),
        Table("residual_correlation", "B143", "title", "category", "Caption.", columns={"a": "b"}),
    ),
)
