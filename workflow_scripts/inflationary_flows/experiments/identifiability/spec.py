"""identifiability."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inflationary_flows.experiments.registry import Experiment, Figure, Measurement, Table

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study


def members(study: Study) -> list[FlowName]:
    """The flows that are compared: all seeds, then the variants of the first."""
    settings = study.experiments["identifiability"]
    names = [str(seed) for seed in sorted(settings["seeds"])]
    names += [f"{names[0]}-{variant}" for variant in settings["variants"]]
    return [
        (dataset, schedule, name)
        for dataset, schedules in sorted(settings["flows"].items())
        for schedule in sorted(schedules)
        for name in names
    ]


EXPERIMENT = Experiment(
    measurement=Measurement(
        minutes=0.1,
        environment="inference",
        flows=members,
        each_flow=False,
        needs=("splits", "mixture"),
        params=lambda study, dataset: {
            name: study.experiments["identifiability"][name] for name in ("samples", "seed")
        },
    ),
    stage="calibration",
    shown=(
        Figure("identifiability", "B137", "title", "category", "Caption."),
        Table("identifiability", "B138", "title", "category", "Caption.", columns={"a": "b"}),
    ),
)
