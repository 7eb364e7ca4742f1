"""Measures the speed of the image path on demand; its table is results/benchmarks/image_speed.csv."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Experiment

EXPERIMENT = Experiment(
    stage=None,
)
