"""frechet."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Experiment, Table

EXPERIMENT = Experiment(
    parts=lambda study: {"frechet": study.images.frechet_tables},
    stage="images",
    shown=(Table("frechet", "B146", "title", "category", "Caption.", columns={"a": "b"}),),
)
