"""images."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Experiment, Figure

EXPERIMENT = Experiment(
    datasets=lambda study: list(dict.fromkeys(flow[0] for flow in study.images.flows)),
    reads=lambda study, dataset: {"pictures": study.images.pictures(dataset)},
    drawing=lambda study, dataset: {
        "schedules": [schedule for _, schedule, _ in study.images.by_dimensions(dataset)],
        "levels": study.images.levels(dataset),
    },
    stage="reporting",
    shown=(
        Figure("fig05_{dataset}", "B144", "title", "category", "Caption."),
        Figure("samples_{dataset}", "B145", "title", "category", "Caption."),
    ),
)
