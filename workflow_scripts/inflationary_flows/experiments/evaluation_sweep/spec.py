"""evaluation_sweep."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Experiment, Figure, Table

EXPERIMENT = Experiment(
    parts=lambda study: {"evaluation_sweep": study.images.sweeps},
    stage="images",
    shown=(
        Figure("evaluation_sweep", "B148", "title", "category", "Caption."),
        Table("evaluation_sweep", "B149", "title", "category", "Caption.", columns={"a": "b"}),
    ),
)
