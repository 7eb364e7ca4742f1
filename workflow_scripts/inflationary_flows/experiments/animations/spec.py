"""animations."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Animation, Experiment
from inflationary_flows.experiments.snapshots.spec import traced

EXPERIMENT = Experiment(
    reads=lambda study, dataset: {"animation": [f"results/metrics/{dataset}/animation.npz"]},
    drawing=lambda study, dataset: {
        "flows": [flow for flow in traced(study) if flow[0] == dataset],
        **{name: study.experiments["animations"][name] for name in ("points", "frame_seconds", "hold_seconds")},
    },
    datasets=lambda study: list(dict.fromkeys(flow[0] for flow in traced(study))),
    stage="animations",
    shown=(Animation("{dataset}", "B108", "title", "category", "Caption."),),
)
