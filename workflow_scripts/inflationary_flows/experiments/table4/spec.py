"""table4."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Experiment, Measurement, Table

EXPERIMENT = Experiment(
    measurement=Measurement(
        minutes=0.1,
        environment="metrics",
        needs=("published",),
        reads=lambda study, dataset: {
            "baselines": "results/tables/baselines.csv",
            "participation": "results/tables/participation_ratio.csv",
        },
        params=lambda study, dataset: study.comparison.names,
    ),
    when=lambda study: bool(study.comparison.models),
    stage="baselines",
    shown=(Table("table4", "B159", "title", "category", "Caption.", columns={"a": "b"}),),
)
