"""complexity."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Experiment, Measurement

EXPERIMENT = Experiment(
    measurement=Measurement(minutes=5, environment="metrics", tables=("complexity",)),
    stage=None,
    shown=(),
)
