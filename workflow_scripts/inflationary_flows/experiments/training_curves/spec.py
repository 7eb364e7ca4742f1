"""training_curves."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Experiment, Figure

EXPERIMENT = Experiment(
    reads=lambda study, dataset: {
        "curves": [f"results/networks/{d}/{s}/seed{n}/training.jsonl" for d, s, n in study.flows]
    },
    drawing=lambda study, dataset: {"flows": study.flows},
    stage="figures",
    shown=(Figure("training_curves", "B114", "title", "category", "Caption."),),
)
