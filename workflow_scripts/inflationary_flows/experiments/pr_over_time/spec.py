"""pr_over_time."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Experiment, Figure, Measurement, Table

EXPERIMENT = Experiment(
    measurement=Measurement(
        minutes=0.1,
        environment="metrics",
        needs=("eigenbases",),
        params=lambda study, dataset: {
            "pairs": study.pairs,
            "schedules": {name: study.schedule(name) for name in sorted({schedule for _, schedule in study.pairs})},
            "points": study.experiments["pr_over_time"]["points"],
        },
    ),
    stage="metrics",
    shown=(
        Figure("pr_over_time", "B109", "title", "category", "Caption."),
        Table("pr_over_time", "B110", "title", "category", "Caption.", columns={"a": "b"}),
    ),
)
