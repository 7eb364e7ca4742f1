r"""Holes of a table, imputed by draws of p(hidden | seen), the density of rows being a flow's.

The flow was trained on rows without holes.  That is right if whether a row has holes does not depend on what is in
them: then rows without holes have the law of all.  It is right for the holes, too, if it depends on cells alone that
are always seen, as p(hidden | seen) is then that of the rows without holes.

Training on rows with holes would need their hidden cells: the network is shown a whole row with noise, in coordinates
that mix columns, so that no part of the loss can be left out.  They could be drawn from the flow, which is trained
again with these, and so on (Monte Carlo expectation maximisation), for the price of a training and of chains a turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from logging import Logger

import numpy as np

from inflationary_flows.data.splits import Splits
from inflationary_flows.experiments.measured import Measured, plain_rows
from inflationary_flows.inference.gate import UNLIKELY
from inflationary_flows.inference.infer import infer
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.requirements import counted

_INTERVAL = (0.05, 0.95)


def measure(
    flows: Mapping[tuple[str, str], Flow],
    *,
    splits: Splits,
    log: Logger,
    draws: int,
    chain_draws: int | None,
    chain_warmup: int | None,
    seed: int,
) -> Measured:
    """Imputes the holes of a table.

    Arguments:
        flows: The flow, by schedule and training seed.
        splits: Its table, with `rows`.
        log: Log of the job.
        draws: Draws of a row that are kept.
        chain_draws, chain_warmup: Draws and warm-up of each chain; None for the default.
        seed: Seed of the draws.

    Returns:
        Table `imputed_cells`; all rows, completed, and draws of those with holes, as `imputed`.
    """
    (((schedule, member), flow),) = flows.items()
    assert splits.rows is not None
    rows, columns = splits.rows, splits.columns
    places = np.flatnonzero(np.isnan(rows).any(axis=1))
    completed, cells = rows.copy(), []
    drawn = np.empty((0, draws, len(columns)))
    if len(places):
        posterior = infer(flow, rows[places], draws=chain_draws, warmup=chain_warmup, seed=seed)
        every = posterior.x.reshape(len(places), -1, len(columns))
        # One of the draws: between two whole numbers lies none.
        medians = np.quantile(every, 0.5, axis=1, method="lower")
        completed[places] = np.where(np.isnan(rows[places]), medians, rows[places])
        lower, upper = np.quantile(every, _INTERVAL, axis=1)
        for number, column in zip(*np.nonzero(np.isnan(rows[places])), strict=True):
            cells.append(
                {
                    "schedule": schedule,
                    "seed": member,
                    "row": int(places[number]) + 1,
                    "column": columns[column],
                    "imputed": float(completed[places[number], column]),
                    "lower": float(lower[number, column]),
                    "upper": float(upper[number, column]),
                    "rhat": float(posterior.rhat[number, column]),
                    "ess": float(posterior.ess_bulk[number, column]),
                    "converged": bool(posterior.converged[number]),
                    "surprise": float(posterior.surprise[number]),
                }
            )
        drawn = posterior.spread(draws)[0]
        passed = int(posterior.converged.sum())
        log.info("%s with holes: imputed, %d with chains that have converged", counted(len(places), "row"), passed)
        unusual = int((posterior.surprise < UNLIKELY).sum())
        if unusual > UNLIKELY * len(places):
            log.warning("%s with holes: unlike what the flow was trained on, see `surprise`", counted(unusual, "row"))
    count = drawn.shape[1]
    keys = {"row": np.repeat(places + 1, count), "draw": np.tile(np.arange(count), len(places))}
    beside = {f"imputed_{name}" if name in columns else name: values for name, values in keys.items()}
    of_draws = {**beside, **dict(zip(columns, drawn.reshape(-1, len(columns)).T, strict=True))}
    whole = plain_rows(completed, columns, flow.basis.transforms.integers)
    return Measured({"imputed_cells": cells}, rows={"imputed": whole}, columns={"imputed": of_draws})
