"""image_roundtrip."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Experiment, Table

EXPERIMENT = Experiment(
    parts=lambda study: {"image_roundtrip": study.images.roundtrip_tables},
    stage="images",
    shown=(Table("image_roundtrip", "B147", "title", "category", "Caption.", columns={"a": "b"}),),
)
