"""snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from inflationary_flows.experiments.registry import Experiment, Figure, Measurement
from inflationary_flows.experiments.thin_coordinate_study.spec import studied_in_figures

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study


def toys(study: Study, reducing: bool) -> list[FlowName]:
    """Flows of toys and tables that can be drawn; embedded toys and those with a thin coordinate have own figures."""
    return [
        flow
        for flow in study.first_seed(study.flows)
        if study.dimension_of(flow[0]) in (2, 3)
        and not study.kind_of(flow[0]).startswith(("embedded", "alt_"))
        and study.is_reducing(flow[1]) == reducing
    ]


def embedded(study: Study) -> list[FlowName]:
    """Flows of embedded toys."""
    return [flow for flow in study.first_seed(study.flows) if study.kind_of(flow[0]) == "embedded"]


def digits(study: Study) -> list[FlowName]:
    """Flows of the digits."""
    return [flow for flow in study.first_seed(study.flows) if study.kind_of(flow[0]) == "digits"]


def traced(study: Study) -> list[FlowName]:
    """All flows of which figures and animations show points."""
    shown = [*toys(study, False), *toys(study, True), *embedded(study), *studied_in_figures(study), *digits(study)]
    return sorted(set(shown))


def traced_params(study: Study, dataset: str) -> dict[str, Any]:
    """Settings of snapshots, and those of animations that decide what is traced."""
    animations = study.experiments["animations"]
    return study.experiments["snapshots"] | {
        "animation_frames": animations["frames"],
        "animation_seed": animations["seed"],
        "pictures": animations["pictures"],
    }


def snapshot_files(flows: Sequence[FlowName]) -> list[str]:
    """Files of snapshots of flows, one a data set."""
    return [f"results/metrics/{dataset}/snapshots.npz" for dataset in dict.fromkeys(flow[0] for flow in flows)]


EXPERIMENT = Experiment(
    measurement=Measurement(
        minutes=0.4,
        environment="images",
        flows=traced,
        needs=("splits",),
        params=traced_params,
        tables=(),
        arrays=("snapshots", "animation"),
    ),
    reads=lambda study, dataset: {"snapshots": snapshot_files(traced(study))},
    drawing=lambda study, dataset: {
        "flows": traced(study),
        "preserved": toys(study, reducing=False),
        "reduced": toys(study, reducing=True),
        "embedded": embedded(study),
        "digits": digits(study),
    },
    stage="figures",
    shown=(
        Figure("fig02", "B103", "title", "category", "Caption."),
        Figure("fig03", "B104", "title", "category", "Caption."),
        Figure("embedded_toys", "B105", "title", "category", "Caption."),
        Figure("digits_samples", "B106", "title", "category", "Caption."),
        Figure("digits_roundtrip", "B107", "title", "category", "Caption."),
    ),
)
