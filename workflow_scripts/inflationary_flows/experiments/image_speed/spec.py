"""image_speed."""

from __future__ import annotations

from inflationary_flows.experiments.registry import Experiment

EXPERIMENT = Experiment(
    stage=None,
    shown=(),
)
