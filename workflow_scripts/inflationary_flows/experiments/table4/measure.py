"""Table 4 of de Albuquerque and Pearson (2024): flows and injective flows by the best of several sets of images.

It has a row for every published number, with ours where the same was measured, then rows of our unpublished numbers: of
other data sets, other extractors, or other numbers of images.  No cell is empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from inflationary_flows.experiments.measured import Measured
from inflationary_flows.experiments.paper_comparison.measure import COMPARED, NOT_RUN, best_of_sets

TABLE4_COLUMNS = (
    *("dataset", "dims", "method", "schedule", "metric", "published"),
    *("ours", "ours_two_sigma", "ours_best", "n", "status"),
)
NOT_PUBLISHED, ONE_SEED = "not published", "one seed"

# How baselines.csv calls the Frechet distance of the set that comes nearest to real images.
_BEST = "_best"
_MODELS = ["dataset", "dims", "schedule", "metric", "n", "method"]


def tabulate_table4(
    published: pd.DataFrame,
    baselines: pd.DataFrame,
    participation: pd.DataFrame,
    schedules: Mapping[str, Mapping[str, Any]],
    kinds: Mapping[str, str],
    methods: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Compares published Frechet distances of four methods with ours, and appends ours.

    Arguments:
        published: Columns table, dataset, method, dims, inflation_gap, metric, mean, two_sigma; other tables are left
            out.
        baselines: Columns method, dataset, schedule, seed, metric, value, n; may be empty, as the next may.
        participation: Columns dataset, dimension.
        schedules: Keyword arguments of `make_schedule` by schedule, kept_dims among them for all of `baselines`.
        kinds: Kind of each data set.
        methods: Kind of each method of `baselines` that is not named like its kind.

    Returns:
        Rows of `TABLE4_COLUMNS`.  `ours` is the mean over seeds of training, each the best of its sets of n images;
        `ours_two_sigma` is twice their standard deviation, `ours_best` the smallest.  Cells without a number hold a
        text that says why.
    """
    rows, used = [], set()
    for record in published[published["table"].astype(str) == "4"].to_dict("records"):
        row = {str(column): value for column, value in record.items()}
        measured = best_of_sets(row, baselines, participation, schedules, kinds, methods)
        used |= set(measured.index)
        row |= {"dims": int(row["dims"]), "published": float(row["mean"]), "schedule": NOT_RUN}
        if len(measured):
            # The names of ours, which tell where the number comes from.
            row |= {name: measured[name].iloc[0] for name in ("method", "dataset", "schedule")}
        rows.append({**row, **_our_cells(measured)})
    if len(baselines):
        kept = baselines["schedule"].map(lambda name: schedules[name]["kept_dims"])
        rest = baselines.assign(dims=kept)[baselines["metric"].str.endswith(_BEST) & ~baselines.index.isin(used)]
        for names, measured in rest.groupby(_MODELS, sort=True):
            place = dict(zip(_MODELS, names, strict=True))
            rows.append({**place, **_our_cells(measured), "published": NOT_PUBLISHED, "status": NOT_PUBLISHED})
    return pd.DataFrame(rows, columns=list(TABLE4_COLUMNS), dtype=object)


def _our_cells(measured: pd.DataFrame) -> dict[str, Any]:
    if not len(measured):
        return dict.fromkeys(("ours", "ours_two_sigma", "ours_best", "n", "status"), NOT_RUN)
    values = measured["value"].to_numpy(dtype=np.float64)
    return {
        "status": COMPARED,
        "ours": float(values.mean()),
        "ours_two_sigma": 2 * float(values.std(ddof=1)) if len(values) > 1 else ONE_SEED,
        "ours_best": float(values.min()),
        "n": int(measured["n"].iloc[0]),
    }


def measure(*, published: pd.DataFrame, baselines: pd.DataFrame, participation: pd.DataFrame, **names: Any) -> Measured:
    """Rows of `tabulate_table4`."""
    table = tabulate_table4(published, baselines, participation, **names)
    return Measured({"table4": table.to_dict("records")})
