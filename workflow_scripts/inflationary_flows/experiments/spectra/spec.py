"""spectra."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Experiment, Figure, Measurement, Table

EXPERIMENT = Experiment(
    measurement=Measurement(
        minutes=0.1,
        environment="data",
        needs=("eigenbases",),
        params=lambda study, dataset: {"images": study.image_sets},
    ),
    stage="data",
    shown=(
        Figure("spectra", "B111", "title", "category", "Caption."),
        Table("participation_ratio", "B112", "title", "category", "Caption.", columns={"a": "b"}),
        Table("spectra", "B113", "title", "category", "Caption.", columns={"a": "b"}),
    ),
)
