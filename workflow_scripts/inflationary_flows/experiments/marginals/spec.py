"""marginals."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Experiment, Figure, Measurement, Table

EXPERIMENT = Experiment(
    measurement=Measurement(minutes=0.2, environment="flow", arrays=("marginals",)),
    reads=lambda study, dataset: {"marginals": ["results/metrics/marginals.npz"]},
    stage="figures",
    shown=(
        Figure("fig01", "B101", "title", "category", "Caption."),
        Table("marginals", "B102", "title", "category", "Caption.", columns={"a": "b"}),
    ),
)
