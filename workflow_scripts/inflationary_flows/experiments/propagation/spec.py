"""propagation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inflationary_flows.experiments.registry import Experiment, Figure, Measurement, Table

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study


def propagated(study: Study) -> list[FlowName]:
    """Flows of data sets with examples."""
    return [flow for flow in study.flows if flow[0] in study.experiments["propagation"]["examples"]]


def own_examples(study: Study, dataset: str) -> dict[str, str]:
    """The file with a user's own examples, if there is one."""
    file = study.experiments["propagation"]["examples"][dataset].get("file")
    return {"own": file} if file else {}


def ball(study: Study, dataset: str) -> dict[str, Any]:
    """Examples of a data set, and the ball around each."""
    settings = study.experiments["propagation"]
    names = ("noise_std", "samples", "levels", "frames", "seed")
    return {"indices": settings["examples"][dataset]["indices"], **{name: settings[name] for name in names}}


EXPERIMENT = Experiment(
    measurement=Measurement(
        minutes=0.3,
        environment="inference",
        flows=propagated,
        needs=("splits",),
        reads=own_examples,
        params=ball,
        posteriors=("propagation",),
    ),
    datasets=lambda study: list(dict.fromkeys(flow[0] for flow in propagated(study))),
    reads=lambda study, dataset: {"posteriors": [f"results/inference/{dataset}/propagation.nc"]},
    drawing=lambda study, dataset: {
        "flows": [flow for flow in study.first_seed(propagated(study)) if flow[0] == dataset]
    },
    environment="inference",
    stage="inference",
    shown=(
        Figure("propagation_{dataset}", "B123", "title", "category", "Caption."),
        Table("propagation", "B124", "title", "category", "Caption.", columns={"a": "b"}),
    ),
)
