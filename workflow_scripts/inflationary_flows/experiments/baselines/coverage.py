"""Calibration of posteriors of a clean point with a model of any method as prior (TARP, see `tarp`).

Posteriors are weighted samples of the model. A model without samples near an observation gives a posterior of one
sample. This is a result, not an error: the table lists the effective sample size next to the coverage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inflationary_flows.baselines.method import Model
from inflationary_flows.metrics.tarp import coverage_rows, judge_prior
from inflationary_flows.seeding import derive_seed

METHOD_COVERAGE_COLUMNS = ("noise_std", "level", "coverage", "se", "p_value", "replicates")

# The effective sample size reported is that of all but so many posteriors.
_OUTLIERS = 0.01


@dataclass(frozen=True)
class CoverageSettings:
    """How coverage is measured, the same for all methods.

    Attributes:
        noise_stds: Standard deviations of the noise, in those of the data.
        levels: Nominal levels in (0, 1).
        references: Random reference points of an observation.
        pool: Samples of the prior.
        seed: Seed of samples, noise and references.
    """

    noise_stds: Sequence[float]
    levels: Sequence[float]
    references: int = 10
    pool: int = 20_000
    seed: int = 0


def measure_method_coverage(
    model: Model, truth: np.ndarray, exact: np.ndarray, settings: CoverageSettings
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Measures the coverage of posteriors of clean points with a model as prior.

    Arguments:
        model: Trained model.
        truth: Clean points of the true data, shape (n, D), data units.
        exact: Other points of the true data, shape (m, D), that their centre and spread come from.
        settings: Noise, levels and numbers.

    Returns:
        Rows of `METHOD_COVERAGE_COLUMNS`; and rows of metric, value and n: for each noise `tarp_error_<noise>`, the
        largest absolute difference of coverage and level, and `tarp_ess_<noise>`, the effective sample size that all
        but one posterior in a hundred exceed.
    """
    pool = model.sample(settings.pool, derive_seed("tarp pool", settings.seed))
    judged = judge_prior(
        pool,
        truth,
        exact,
        settings.noise_stds,
        references=settings.references,
        seed=settings.seed,
        # A collapsed posterior is a finding here, not an error.
        minimum_ess=0,
    )
    coverage: list[dict[str, Any]] = []
    summary: list[dict[str, Any]] = []
    for noise_std, masses in judged.items():
        rows = coverage_rows(masses.closer, masses.central, settings.levels)
        coverage += [{"noise_std": noise_std, **row} for row in rows]
        values = {
            f"tarp_error_{noise_std:g}": max(abs(row["coverage"] - row["level"]) for row in rows),
            f"tarp_ess_{noise_std:g}": float(np.quantile(masses.ess, _OUTLIERS)),
        }
        summary += [{"metric": metric, "value": value, "n": len(truth)} for metric, value in values.items()]
    return coverage, summary
