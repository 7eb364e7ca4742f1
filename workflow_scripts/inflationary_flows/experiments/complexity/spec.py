"""Measures seconds and memory against size on demand; its table is results/benchmarks/complexity.csv."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from inflationary_flows.experiments.registry import Experiment, Measurement
from inflationary_flows.fields import Count, Section


class Complexity(Section):
    """Seconds and memory of the mathematics against numbers of points and dimensions (target `complexity`)."""

    points: Annotated[list[Count], Field(min_length=1)] = Field(
        default_factory=lambda: [1_000, 10_000, 100_000, 1_000_000],
        description="Numbers of points.",
    )
    dimensions: Annotated[list[Annotated[Count, Field(ge=2)]], Field(min_length=1)] = Field(
        default_factory=lambda: [2, 8, 64, 512, 3_072], description="Dimensions D."
    )
    steps: Count = Field(16, description="Solver steps.")


EXPERIMENT = Experiment(
    settings=Complexity,
    measurement=Measurement(minutes=5, environment="metrics", tables=("complexity",)),
    stage=None,
)
