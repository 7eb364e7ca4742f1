"""Two-sample statistics of two sets of fresh points: the score of a perfect flow."""

from __future__ import annotations

from typing import Any

from inflationary_flows.data.splits import Splits
from inflationary_flows.experiments.measured import Measured
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.metrics.two_sample import measure_floor, standardise


def measure(*, splits: Splits, eigenbasis: Eigenbasis, **settings: Any) -> Measured:
    """Rows of `measure_floor`, of validation and held-out points in standardised coordinates."""
    fresh = [standardise(points, eigenbasis) for points in (splits.validation, splits.test)]
    return Measured({"two_sample_floor": measure_floor(*fresh, **settings)})
