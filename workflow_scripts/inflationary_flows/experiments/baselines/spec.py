"""baselines."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Experiment, Figure, Table

EXPERIMENT = Experiment(
    parts=lambda study: study.comparison.parts,
    reads=lambda study, dataset: {
        "floors": study.comparison.floors,
        "points": study.comparison.points,
    },
    drawing=lambda study, dataset: {"models": study.comparison.shown, "images": study.comparison.formats},
    when=lambda study: bool(study.comparison.models),
    stage="baselines",
    shown=(
        Figure("baseline_samples", "B150", "title", "category", "Caption."),
        Figure("baseline_reconstruction", "B151", "title", "category", "Caption."),
        Figure("baseline_frechet", "B152", "title", "category", "Caption."),
        Figure("baseline_coverage", "B153", "title", "category", "Caption."),
        Figure("baseline_costs", "B154", "title", "category", "Caption."),
        Figure("baseline_points", "B155", "title", "category", "Caption."),
        Table("baselines", "B156", "title", "category", "Caption.", columns={"a": "b"}),
        Table("baseline_coverage", "B157", "title", "category", "Caption.", columns={"a": "b"}),
        Table("baseline_search", "B158", "title", "category", "Caption.", columns={"a": "b"}),
    ),
)
