"""paper_comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inflationary_flows.experiments.registry import Experiment, Figure, Measurement, Table

if TYPE_CHECKING:
    from inflationary_flows.config.study import Study


def of_images(study: Study) -> dict[str, str]:
    """Tables of images, if the configuration has flows of images."""
    names = {"frechet": "frechet", "roundtrip": "image_roundtrip"}
    return {key: f"results/tables/{table}.csv" for key, table in names.items()} if study.images.flows else {}


EXPERIMENT = Experiment(
    measurement=Measurement(
        minutes=0.1,
        environment="metrics",
        needs=("published",),
        reads=lambda study, dataset: {
            "participation": "results/tables/participation_ratio.csv",
            **of_images(study),
            **({"baselines": "results/tables/baselines.csv"} if study.comparison.models else {}),
        },
        params=lambda study, dataset: study.comparison.names,
    ),
    reads=lambda study, dataset: of_images(study),
    drawing=lambda study, dataset: {
        "schedules": {name: study.schedule(name) for name in sorted({schedule for _, schedule in study.pairs})},
        "dimensions": {name: study.dimension_of(name) for name in study.images.sets},
    },
    stage="reporting",
    shown=(
        Figure("paper_comparison", "B160", "title", "category", "Caption."),
        Table("paper_comparison", "B161", "title", "category", "Caption.", columns={"a": "b"}),
    ),
)
