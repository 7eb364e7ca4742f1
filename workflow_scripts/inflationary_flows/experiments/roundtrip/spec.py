"""roundtrip."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Experiment, Measurement, Table

EXPERIMENT = Experiment(
    measurement=Measurement(
        minutes=0.3, environment="metrics", flows=lambda study: study.point_flows, needs=("splits",)
    ),
    stage="metrics",
    shown=(Table("roundtrip", "B118", "title", "category", "Caption.", columns={"a": "b"}),),
)
