"""Measures the speed of the image path on demand; its table is results/benchmarks/image_speed.csv."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from inflationary_flows.experiments.registry import Experiment
from inflationary_flows.fields import Count, Duration, Memory, PresetName, Section, Whole


def _speed_presets() -> list[PresetName]:
    return ["ddpmpp", "small_32"]


class ImageSpeed(Section):
    """Speed of the image path beside the bare network, at 32x32x3 (target `image_speed`)."""

    presets: Annotated[list[PresetName], Field(min_length=1)] = Field(
        default_factory=_speed_presets, description="Sizes of the network."
    )
    batch_size: Count = Field(8, description="Images at once.")
    repeats: Count = Field(5, description="Turns of each side.")
    threads: Count = Field(1, description="Threads.")
    gpu: Annotated[Whole, Field(le=1)] = Field(0, description="GPUs.")
    runtime: Duration = Field("1h", description="Time limit. Grows with each attempt.")
    mem: Memory = Field("8GB", description="Memory, likewise.")


EXPERIMENT = Experiment(
    settings=ImageSpeed,
    stage=None,
)
