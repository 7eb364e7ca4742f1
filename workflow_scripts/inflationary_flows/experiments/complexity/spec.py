"""Measures seconds and memory against size on demand; its table is results/benchmarks/complexity.csv."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Experiment, Measurement

EXPERIMENT = Experiment(
    measurement=Measurement(minutes=5, environment="metrics", tables=("complexity",)),
    stage=None,
)
