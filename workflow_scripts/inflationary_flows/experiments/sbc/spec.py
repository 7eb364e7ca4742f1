"""sbc."""

from __future__ import annotations

from inflationary_flows.experiments.hmc.spec import folders, sampled
from inflationary_flows.experiments.registry import Experiment, Figure, Table

EXPERIMENT = Experiment(
    parts=lambda study: {
        "sbc": [f"{folder}sbc.csv" for folder in folders(study, sampled(study), "metrics")]
        # Ranks of clean points stand below those of the weights.
        + [f"results/metrics/{dataset}/posterior_ranks.csv" for dataset in study.experiments["tarp"]["datasets"]]
    },
    stage="calibration",
    shown=(
        Figure("sbc", "B132", "title", "category", "Caption."),
        Figure("posterior_ranks", "B133", "title", "category", "Caption."),
        Table("sbc", "B134", "title", "category", "Caption.", columns={"a": "b"}),
    ),
)
