"""What all models of a data set are measured at together: posteriors of clean points, beside those of references."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from inflationary_flows.baselines.method import Model, RandomNumbers
from inflationary_flows.experiments.baselines.coverage import CoverageSettings, measure_posteriors
from inflationary_flows.experiments.baselines.encoder import Encoding, measure_encoder
from inflationary_flows.experiments.baselines.quality import mean_square, measure_generated
from inflationary_flows.experiments.baselines.references import Reference
from inflationary_flows.mathematics.eigenbasis import Eigenbasis, Rows
from inflationary_flows.seeding import derive_seed


def measure_references(
    references: Mapping[str, Reference], *, test: Rows, basis: Eigenbasis, samples: int, seed: int
) -> list[dict[str, Any]]:
    """Measures references as `measure_method_quality` does models.

    Returns:
        Rows of method, metric, random, value and n.
    """
    fresh = np.asarray(test[: min(samples, len(test))], dtype=np.float64)
    rows: list[dict[str, Any]] = []
    for name, reference in references.items():
        for random in reference.random:
            drawn = reference.draw(len(fresh), derive_seed("method samples", seed), random)
            rows += [{"method": name, **row} for row in measure_generated(drawn, fresh, basis, random, seed)]
        if reference.reconstruct is not None:
            error = mean_square(reference.reconstruct(fresh), fresh)
            row = {"metric": "reconstruction_mse", "random": None, "value": error, "n": len(fresh)}
            rows.append({"method": name, **row})
    return rows


def measure_comparison(
    models: Mapping[tuple[str, str], Model],
    references: Mapping[str, Reference],
    truth: np.ndarray,
    exact: np.ndarray,
    settings: CoverageSettings,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Measures posteriors of clean points with each model, and each reference, as prior.

    Arguments:
        models: Trained models by method and seed of training.
        references: Priors that are not trained, by name.
        truth, exact, settings: As of `measure_posteriors`.

    Returns:
        Rows of method, seed and random before those of `measure_posteriors`, and of `measure_encoder` for models that
        have an encoder; `seed` is missing for references.
    """

    def pools() -> Iterator[tuple[dict[str, Any], RandomNumbers, np.ndarray]]:
        seed = derive_seed("tarp pool", settings.seed)
        for (method, trained), model in models.items():
            for random in ("D", "d"):
                yield {"method": method, "seed": trained}, random, model.sample(settings.pool, seed, random)
        for name, reference in references.items():
            for random in reference.random:
                yield {"method": name}, random, reference.draw(settings.pool, seed, random)

    coverage: list[dict[str, Any]] = []
    summary = [
        {"method": method, "seed": trained, "random": None, **row}
        for (method, trained), model in models.items()
        if isinstance(model, Encoding)
        for row in measure_encoder(model, len(truth), settings.levels, settings.seed)
    ]
    for keys, random, pool in pools():
        rows, values = measure_posteriors(pool, truth, exact, settings)
        coverage += [{**keys, "random": random, **row} for row in rows]
        summary += [{**keys, "random": random, **row} for row in values]
    return coverage, summary
