"""flow_quality."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Experiment, Figure, Measurement, Table

EXPERIMENT = Experiment(
    measurement=Measurement(
        minutes=0.6,
        environment="metrics",
        flows=lambda study: study.point_flows,
        needs=("splits", "mixture"),
        reads=lambda study, dataset: {"floor": f"results/metrics/{dataset}/two_sample_floor.csv"},
        params=lambda study, dataset: {
            name: study.experiments["flow_quality"][name]
            for name in ("samples", "seed", "projections", "neighbours", "neighbour_samples")
        },
    ),
    stage="metrics",
    shown=(
        Figure("flow_quality", "B115", "title", "category", "Caption."),
        Table("flow_quality", "B116", "title", "category", "Caption.", columns={"a": "b"}),
    ),
)
