"""Posteriors of a clean point with a model of any method as prior: calibration (TARP, see `tarp`) and proper scores.

References around an observation alone cannot tell a flat prior from the right one, and a prior of the right covariance
passes them as well. Coverage is therefore measured around fixed references too, the points of a grid with the centre of
the data in its middle, and the worst of all counts. Reference priors say what that is for the true density, and for
priors that know less (`references`).

Posteriors are weighted samples of the model. A model without samples near an observation gives a posterior of one
sample. This is a result, not an error: the table lists the effective sample size next to the coverage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inflationary_flows.metrics.scores import score_posteriors
from inflationary_flows.metrics.tarp import judged_replicates, judged_rows, posterior_masses

# The effective sample size reported is that of all but so many posteriors.
_OUTLIERS = 0.01
# Width of the blur of log scores, in standard deviations of the data: below the width of what posteriors describe.
_BLUR = 0.1


@dataclass(frozen=True)
class CoverageSettings:
    """How posteriors are judged, the same for all methods.

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


def measure_posteriors(
    pool: np.ndarray, truth: np.ndarray, exact: np.ndarray, settings: CoverageSettings
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Measures coverage and scores of posteriors of clean points under a prior given by samples.

    Arguments:
        pool: Samples of the prior, shape (m, D), data units.
        truth: Clean points of the true data, shape (n, D).
        exact: Other points of the true data, shape (k, D), that centre, spread and grid come from.
        settings: Noise, levels and numbers.

    Returns:
        Rows of noise_std, and of `judged_rows`. And rows of metric, value and n, for each noise: `tarp_error_<noise>`,
        the largest absolute difference of coverage and level over levels and references; `tarp_p_<noise>`;
        `log_score_<noise>`, nats, data in units of their standard deviation; `energy_score_<noise>`, in these units;
        `tarp_ess_<noise>`, the effective sample size that all but one posterior in a hundred exceed.
    """
    spread = float(np.sqrt(exact.var(0).mean()))
    coverage: list[dict[str, Any]] = []
    summary: list[dict[str, Any]] = []
    for noise_std in settings.noise_stds:
        replicates = judged_replicates(truth, exact, noise_std, settings.references, settings.seed)
        # A collapsed posterior is a finding here, not an error.
        masses = posterior_masses(pool, replicates, minimum_ess=0)
        rows = judged_rows(masses, settings.levels)
        coverage += [{"noise_std": noise_std, **row} for row in rows]
        scores = score_posteriors(pool, replicates, _BLUR * spread, settings.seed)
        values = {
            "tarp_error": rows[0]["worst"],
            "tarp_p": rows[0]["p_value"],
            "log_score": float(scores.log_density.mean()) + truth.shape[1] * float(np.log(spread)),
            "energy_score": float(scores.energy.mean()) / spread,
            "tarp_ess": float(np.quantile(masses.ess, _OUTLIERS)),
        }
        summary += [
            {"metric": f"{metric}_{noise_std:g}", "value": value, "n": len(truth)} for metric, value in values.items()
        ]
    return coverage, summary
