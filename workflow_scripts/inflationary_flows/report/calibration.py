"""Whether posteriors are calibrated: the tests and the largest deviations of each flow, out of the tables of curves."""

from __future__ import annotations

from typing import Any

import pandas as pd

CALIBRATION_COLUMNS = (
    *("test", "dataset", "schedule", "seed", "flow", "noise_std", "quantity"),
    *("p_value", "largest_deviation", "replicates"),
)
_KEYS = ["dataset", "schedule", "seed", "flow", "noise_std", "quantity"]


def calibration_rows(ranks: pd.DataFrame, tarp: pd.DataFrame) -> list[dict[str, Any]]:
    """Takes what each test says out of the curves that it is drawn from.

    Arguments:
        ranks: Columns of sbc.csv, a row for each bin; may be empty, as the next may.
        tarp: Columns of tarp.csv, a row for each level.

    Returns:
        Rows of `CALIBRATION_COLUMNS`.  `largest_deviation` is that of a bin from the expected count, as a share of it
        (ranks), and that of coverage from the nominal level (tarp).
    """
    rows = []
    for test, table in (("ranks", ranks), ("tarp", tarp)):
        if table.empty:
            continue
        deviation = table["count"] / table["expected"] - 1 if test == "ranks" else table["coverage"] - table["level"]
        curves = table.assign(test=test, quantity=table.get("quantity", ""), largest_deviation=deviation.abs())
        for _, curve in curves.groupby(_KEYS, sort=False, dropna=False):
            row = curve.iloc[int(curve["largest_deviation"].to_numpy().argmax())]
            rows.append({name: row[name] for name in CALIBRATION_COLUMNS})
    return rows


def shell_rows(retention: pd.DataFrame) -> list[dict[str, Any]]:
    """Puts the stages of shell_retention.csv side by side, per cent inside each shell.

    Arguments:
        retention: Columns dataset, schedule, seed, weights, radius, stage, percent_inside; may be empty.

    Returns:
        Rows with a column for each stage in place of `stage` and `percent_inside`.
    """
    keys = ["dataset", "schedule", "seed", "weights", "radius"]
    rows = []
    for values, shell in retention.groupby(keys, sort=False) if len(retention) else ():
        inside = dict(zip(shell["stage"], shell["percent_inside"], strict=True))
        rows.append({**dict(zip(keys, values, strict=True)), **inside})
    return rows
