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
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from inflationary_flows.metrics.scores import score_posteriors
from inflationary_flows.metrics.tarp import coverage_rows, make_replicates, posterior_masses

METHOD_COVERAGE_COLUMNS = ("noise_std", "reference", "level", "coverage", "se", "p_value", "replicates")

# The effective sample size reported is that of all but so many posteriors.
_OUTLIERS = 0.01
# The fixed grid, in standard deviations of each coordinate; its middle is the centre of the data.
_GRID = (-2.0, 0.0, 2.0)
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


def fixed_references(exact: np.ndarray) -> dict[str, np.ndarray]:
    """The references that all observations share: points of a grid, by name, the middle one called `centre`."""
    centre, spread = exact.mean(0), exact.std(0)
    return {
        f"grid{number}" if any(place) else "centre": centre + np.array(place) * spread
        for number, place in enumerate(product(_GRID, repeat=exact.shape[1]))
    }


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
        Rows of `METHOD_COVERAGE_COLUMNS`: `reference` is `random`, `centre`, or `grid`, of which only the worst point
        is returned; `p_value` is that of all references and levels of a noise at once. And rows of metric, value and n,
        for each noise: `tarp_error_<noise>`, the largest absolute difference of coverage and level over levels and
        references; `tarp_p_<noise>`; `log_score_<noise>`, nats, data in units of their standard deviation;
        `energy_score_<noise>`, in these units; `tarp_ess_<noise>`, the effective sample size that all but one posterior
        in a hundred exceed.
    """
    spread = float(np.sqrt(exact.var(0).mean()))
    fixed = fixed_references(exact)
    coverage: list[dict[str, Any]] = []
    summary: list[dict[str, Any]] = []
    for noise_std in settings.noise_stds:
        replicates = make_replicates(
            truth, noise_std * spread, settings.references, settings.seed, centre=fixed["centre"]
        )
        shared = np.broadcast_to(np.stack(list(fixed.values())), (len(truth), len(fixed), truth.shape[1]))
        judged = replace(replicates, references=np.concatenate([replicates.references, shared], 1))
        # A collapsed posterior is a finding here, not an error.
        masses = posterior_masses(pool, judged, minimum_ess=0)
        around, of_fixed = np.split(masses.closer, [settings.references], axis=1)
        groups = {"random": around} | {name: of_fixed[:, [k]] for k, name in enumerate(fixed)}
        found = {name: coverage_rows(closer, masses.central, settings.levels) for name, closer in groups.items()}
        # Each test is of a reference with the centre: as many tries, of which the least p-value is taken.
        p_value = min(1.0, len(found) * min(rows[0]["p_value"] for rows in found.values()))
        errors = {name: max(abs(row["coverage"] - row["level"]) for row in rows) for name, rows in found.items()}
        worst = max((name for name in fixed if name != "centre"), key=errors.__getitem__)
        coverage += [
            {"noise_std": noise_std, "reference": "grid" if name == worst else name, **row, "p_value": p_value}
            for name in ("random", "centre", worst)
            for row in found[name]
        ]
        scores = score_posteriors(pool, replicates, _BLUR * spread, settings.seed)
        values = {
            "tarp_error": max(errors.values()),
            "tarp_p": p_value,
            "log_score": float(scores.log_density.mean()) + truth.shape[1] * float(np.log(spread)),
            "energy_score": float(scores.energy.mean()) / spread,
            "tarp_ess": float(np.quantile(masses.ess, _OUTLIERS)),
        }
        summary += [
            {"metric": f"{metric}_{noise_std:g}", "value": value, "n": len(truth)} for metric, value in values.items()
        ]
    return coverage, summary
