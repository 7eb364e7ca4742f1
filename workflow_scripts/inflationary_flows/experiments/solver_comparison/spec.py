"""solver_comparison."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Experiment, Figure, Measurement, Table

EXPERIMENT = Experiment(
    measurement=Measurement(
        minutes=0.6, environment="metrics", flows=lambda study: study.point_flows, needs=("splits",)
    ),
    stage="metrics",
    shown=(
        Figure("solver_comparison", "B119", "title", "category", "Caption."),
        Table("solver_comparison", "B120", "title", "category", "Caption.", columns={"a": "b"}),
    ),
)
