"""thin_coordinate_study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inflationary_flows.experiments.registry import Experiment, Figure, Measurement, Table

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study


def studied(study: Study) -> list[FlowName]:
    """Reducing flows of the listed data sets; a toy stands beside the same toy with a thin coordinate."""
    listed = study.experiments["thin_coordinate_study"]["datasets"]

    def place(flow: FlowName) -> tuple[str, bool, FlowName]:
        kind = study.kind_of(flow[0])
        return kind.removeprefix("alt_"), kind.startswith("alt_"), flow

    return sorted((flow for flow in study.flows if flow[0] in listed and study.is_reducing(flow[1])), key=place)


def studied_in_figures(study: Study) -> list[FlowName]:
    """Those of them that can be drawn."""
    return [flow for flow in study.first_seed(studied(study)) if study.dimension_of(flow[0]) <= 3]


EXPERIMENT = Experiment(
    measurement=Measurement(minutes=0.4, environment="metrics", flows=studied, needs=("splits",)),
    reads=lambda study, dataset: {
        "snapshots": [
            f"results/metrics/{name}/snapshots.npz"
            for name in dict.fromkeys(flow[0] for flow in studied_in_figures(study))
        ]
    },
    drawing=lambda study, dataset: {"flows": studied_in_figures(study)},
    stage="metrics",
    shown=(
        Figure("thin_coordinate_study", "B121", "title", "category", "Caption."),
        Table("thin_coordinate_study", "B122", "title", "category", "Caption.", columns={"a": "b"}),
    ),
)
