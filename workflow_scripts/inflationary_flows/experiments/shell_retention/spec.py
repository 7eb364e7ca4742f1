"""shell_retention."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inflationary_flows.experiments.registry import Experiment, Figure, Measurement, Table

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study


def retained(study: Study) -> list[FlowName]:
    """Flows through which shells are carried, of several seeds."""
    settings = study.experiments["shell_retention"]
    return [
        (dataset, schedule, str(seed))
        for dataset, schedule in study.pairs
        if dataset in settings["datasets"]
        for seed in sorted(settings["seeds"])
    ]


def drawn(study: Study) -> list[FlowName]:
    """Those of the first seed."""
    first = str(min(study.experiments["shell_retention"]["seeds"]))
    return [flow for flow in retained(study) if flow[2] == first]


EXPERIMENT = Experiment(
    measurement=Measurement(
        minutes=0.4,
        environment="inference",
        flows=retained,
        params=lambda study, dataset: {
            "steps": None,
            **{k: v for k, v in study.experiments["shell_retention"].items() if k not in ("datasets", "seeds")},
        },
        arrays=("shells",),
    ),
    reads=lambda study, dataset: {
        "shells": [f"results/metrics/{name}/shells.npz" for name in dict.fromkeys(f[0] for f in retained(study))]
    },
    drawing=lambda study, dataset: {"flows": drawn(study)},
    stage="calibration",
    shown=(
        Figure("shell_retention", "B139", "title", "category", "Caption."),
        Figure("shell_retention_schematic", "B140", "title", "category", "Caption."),
        Table("shell_retention", "B141", "title", "category", "Caption.", columns={"a": "b"}),
    ),
)
