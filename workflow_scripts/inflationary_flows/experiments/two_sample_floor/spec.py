"""two_sample_floor."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Experiment, Measurement, Table

EXPERIMENT = Experiment(
    measurement=Measurement(
        minutes=0.2,
        environment="metrics",
        datasets=lambda study: study.point_sets,
        needs=("splits", "eigenbasis"),
        params=lambda study, dataset: {
            name: study.experiments["flow_quality"][name]
            for name in ("samples", "seed", "projections", "energy_splits", "wasserstein_splits")
        },
    ),
    stage="metrics",
    shown=(Table("two_sample_floor", "B117", "title", "category", "Caption.", columns={"a": "b"}),),
)
