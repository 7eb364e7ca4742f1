"""tarp."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inflationary_flows.experiments.registry import Experiment, Figure, Measurement, Table

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study


def judged(study: Study) -> list[FlowName]:
    """Flows whose posteriors are judged, and flows of a variant that the test has to reject."""
    tarp = study.experiments["tarp"]
    flows = [flow for flow in study.flows if flow[0] in tarp["datasets"]]
    variant = tarp.get("miscalibrated")
    return flows + ([(d, s, f"{seed}-{variant}") for d, s, seed in flows] if variant else [])


EXPERIMENT = Experiment(
    measurement=Measurement(
        minutes=0.8,
        environment="inference",
        flows=judged,
        each_flow=False,
        needs=("splits", "dataset", "log"),
        params=lambda study, dataset: {
            name: value
            for name, value in study.experiments["tarp"].items()
            if name not in ("datasets", "miscalibrated")
        },
        tables=("tarp", "posterior_ranks"),
        samples=True,
    ),
    stage="calibration",
    shown=(
        Figure("tarp", "B135", "title", "category", "Caption."),
        Table("tarp", "B136", "title", "category", "Caption.", columns={"a": "b"}),
    ),
)
