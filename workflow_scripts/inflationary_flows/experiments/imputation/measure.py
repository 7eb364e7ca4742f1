r"""Held-out rows lose cells; flows and other methods give draws of them, which are scored by what was there.

Every column has the unit of its standard deviation over training rows; pixels of images, some of which hardly vary,
share the root mean square of theirs.  Rows are the independent units of all standard errors.

The conditional density of hidden cells is that of the flow, which was trained on whole rows: nothing is trained for a
pattern of holes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from inflationary_flows.data.splits import Splits
from inflationary_flows.experiments.imputation.holes import Kind, make_holes
from inflationary_flows.experiments.imputation.methods import (
    impute_gaussian,
    impute_iteratively,
    impute_neighbours,
)
from inflationary_flows.experiments.measured import Measured
from inflationary_flows.inference.few_rows import draws_for_few_rows
from inflationary_flows.inference.infer import infer
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.metrics.density import mean_and_error
from inflationary_flows.metrics.posterior_draws import crps, energy_scores, shares_below
from inflationary_flows.seeding import derive_seed

COVERAGES = (0.5, 0.9)
# Validation rows that choose the number of neighbours.
_CHOOSING = 1000


def score(draws: np.ndarray, truth: np.ndarray, holes: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Scores of each row's hidden cells, of which all rows have as many, each of shape (n,).

    Arguments:
        draws: Shape (n, L, D).
        truth: Shape (n, D).
        holes: Shape (n, D).
        seed: Seed of ranks that are drawn.
    """
    n = len(truth)
    # Row by row, so that cells can be taken by their mask.
    hidden, true = draws.transpose(0, 2, 1)[holes].reshape(n, -1, draws.shape[1]), truth[holes].reshape(n, -1)
    random = np.random.default_rng(derive_seed("probability transforms", seed))
    places = np.abs(shares_below(true, hidden, random) - 0.5)
    return {
        **{f"coverage_{100 * level:.0f}": (places < level / 2).mean(1) for level in COVERAGES},
        "crps": crps(hidden, true).mean(1),
        "energy": energy_scores(hidden.transpose(0, 2, 1), true),
        "squared_error": np.square(hidden.mean(-1) - true).mean(1),
    }


def summarise(scores: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Means of scores over rows with standard errors, and differences to those of another method."""
    row: dict[str, Any] = {}
    given = {**scores, **{f"{name}_difference": scores[name] - reference[name] for name in ("crps", "energy")}}
    squared = given.pop("squared_error")
    for name, values in given.items():
        row[name], row[f"{name}_se"] = mean_and_error(values)
    square, error = mean_and_error(squared)
    rmse = math.sqrt(square)
    return row | {"rmse": rmse, "rmse_se": error / (2 * rmse) if rmse > 0 else 0.0}


def impute_by_flow(
    flow: Flow,
    rows: np.ndarray,
    draws: int,
    seed: int,
    chain_draws: int | None,
    chain_warmup: int | None,
    covariances: int,
    trained_on: int,
) -> Iterator[tuple[str, np.ndarray, float]]:
    """Methods, draws of rows, shape (n, draws, D), data units, and the share of rows whose chains have converged."""
    posterior = infer(flow, rows, draws=chain_draws, warmup=chain_warmup, seed=seed)
    converged = float(posterior.converged.mean())
    yield "flow", posterior.spread(draws)[0], converged
    if covariances:
        # Seconds of this method are those besides.
        drawn, _ = draws_for_few_rows(flow, posterior, trained_on, draws=draws, members=covariances, seed=seed)
        yield "few_rows", drawn, converged


def measure(
    flows: Mapping[tuple[str, str], Flow],
    *,
    splits: Splits,
    holes: Sequence[Kind] | None,
    rows: int,
    cells: int,
    columns: float,
    patch: int,
    draws: int,
    chain_draws: int | None,
    chain_warmup: int | None,
    iterative_draws: int,
    iterative_rounds: int,
    covariances: int,
    seed: int,
) -> Measured:
    """Measures flows and other methods on held-out rows of a data set.

    Arguments:
        flows: Flows by schedule and training seed.
        splits: Their data.
        holes: Kinds of holes; by default cells and columns of tables, and patches of images.
        rows: Held-out rows, the first ones.
        cells, columns, patch: As of `make_holes`.
        draws: Draws of a row.
        chain_draws, chain_warmup: Draws and warm-up of each chain of a flow's posteriors; None for the default.
        iterative_draws: Draws of chained regressions, which take long; 0 leaves them out.
        iterative_rounds: Their rounds.
        covariances: Members of `draws_for_few_rows`, a method of its own; 0 leaves it out.
        seed: Seed of holes and draws.

    Returns:
        Table `imputation`.
    """
    truth = np.asarray(splits.test[:rows], dtype=np.float64)
    train = np.asarray(splits.train[:], dtype=np.float64)
    validation = np.asarray(splits.validation[:_CHOOSING], dtype=np.float64)
    centre, unit = train.mean(0), train.std(0, ddof=1)
    if splits.image is not None:
        unit = np.full_like(unit, np.sqrt(np.square(unit).mean()))
    train, validation = (train - centre) / unit, (validation - centre) / unit
    n, dimension = truth.shape
    table = []
    for kind in holes or (["cells", "columns"] if splits.image is None else ["patches"]):
        shape: dict[str, Any] = {"cells": cells, "columns": columns, "patch": patch, "image": splits.image}
        hidden = make_holes(kind, n, dimension, seed=seed, **shape)
        others = make_holes(kind, len(validation), dimension, seed=derive_seed("validation", seed), **shape)
        given = np.where(hidden, np.nan, truth)
        scaled = (given - centre) / unit
        # The Gaussian comes first: differences are taken to it.
        plain: list[tuple[str, partial[np.ndarray]]] = [
            ("gaussian", partial(impute_gaussian, train, scaled, draws, seed)),
            ("neighbours", partial(impute_neighbours, train, scaled, draws, seed, validation, others)),
        ]
        if iterative_draws:
            regressions = partial(impute_iteratively, train, scaled, iterative_draws, seed, iterative_rounds)
            plain.append(("iterative", regressions))
        runs: list[tuple[str, str, Iterable[tuple[str, np.ndarray, float | None]]]] = [
            ("", "", ((method, run() * unit + centre, None) for method, run in plain))
        ]
        for (schedule, member), flow in flows.items():
            chains = impute_by_flow(flow, given, draws, seed, chain_draws, chain_warmup, covariances, len(train))
            runs.append((schedule, member, chains))
        reference: dict[str, np.ndarray] = {}
        for schedule, member, run in runs:
            start = time.process_time()
            for method, drawn, converged in run:
                seconds = (time.process_time() - start) / n
                scores = score((drawn - centre) / unit, (truth - centre) / unit, hidden, seed)
                reference = reference or scores
                keys = {"schedule": schedule, "seed": member, "holes": kind, "method": method}
                sizes = {
                    "converged": converged,
                    "seconds": seconds,
                    "hidden": int(hidden[0].sum()),
                    "draws": drawn.shape[1],
                }
                table.append({**keys, **summarise(scores, reference), **sizes, "n": n})
                start = time.process_time()
    return Measured({"imputation": table})
