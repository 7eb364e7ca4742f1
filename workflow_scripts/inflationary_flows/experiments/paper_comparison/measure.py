"""Published numbers next to ours: tables 1 to 4 of de Albuquerque and Pearson (2024), and ratios from their site.

Every published row appears, and no cell is empty: what was not run says so. A number of ours is compared with a
published one only if it measures the same thing: a data set of the same images at 32x32, a flow of the kernel that the
published numbers come from with the same kept dimensions and gap, and for FID the network that alone may be called so,
with as many images as published.  Table 4 compares methods: an injective flow need only keep as many dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from inflationary_flows.experiments.measured import Measured

COMPARISON_COLUMNS = (
    *("table", "dataset", "method", "dims", "inflation_gap", "metric", "published", "published_two_sigma"),
    *("ours", "ours_two_sigma", "sample_seeds", "difference", "in_two_sigmas", "status", "evaluations", "flow"),
)
COMPARED, NOT_RUN = "compared", "not run"
NONE, NO_SIGMA, ONE_SAMPLE, NOT_STATED = "none", "no sigma published", "one sample seed", "not stated"

METHOD = "inflationary_flow"
# What the published images are: 32 x 32 x 3.
PUBLISHED_DIMENSION = 3072
# FID depends on the number of images, the other measurements do not.
PUBLISHED_FID_IMAGES = 50_000
# Table 4: the best of several sets of so many images, and what that is in tables of ours.
BEST_OF_SETS, OUR_BEST, IMAGES_OF_A_SET = "fid_best_10k", "fid_best", 10_000
# Formats that hold any images, so that only the name of the data set tells which.
_NAMED_KINDS = ("idx", "image_folder")


def compare_with_paper(
    published: pd.DataFrame,
    frechet: pd.DataFrame,
    roundtrip: pd.DataFrame,
    participation: pd.DataFrame,
    schedules: Mapping[str, Mapping[str, Any]],
    kinds: Mapping[str, str],
    baselines: pd.DataFrame | None = None,
    methods: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Compares published values with ours.

    If several flows fit a row, data sets of the published name have priority, then the alphabetical order of data set
    and schedule decides, never the value. The column `flow` names the flow.

    Arguments:
        published: Columns table, dataset, method, dims, inflation_gap, metric, mean, two_sigma.
        frechet: Columns dataset, schedule, seed, extractor, metric, part, value, n, evaluations, the seed being that of
            the generated images; may be empty, as the next may.
        roundtrip: Columns dataset, schedule, seed, mse_uint8_wrapped, evaluations among others; grey levels squared.
        participation: Columns dataset, dimension, participation_ratio.
        schedules: Keyword arguments of `make_schedule` by schedule.
        kinds: Kind of each data set.
        baselines: Columns method, dataset, schedule, seed, metric, value, n, the seed being that of training.
        methods: Kind of each method of `baselines` that is not named like its kind.

    Returns:
        A row for every published one, in their order, of columns `COMPARISON_COLUMNS`.  `ours` is the mean over draws
        (of table 4: over models, of the best draw of each), `ours_two_sigma` twice their standard deviation;
        `in_two_sigmas` is the difference in units of the published two sigma.  Cells without a number hold a text that
        says why.
    """
    rows = []
    for record in published.to_dict("records"):
        row = {str(column): value for column, value in record.items()}
        measured = pd.DataFrame()
        if row["metric"] == "participation_ratio":
            measured = _of_data(participation, _named_like(str(row["dataset"]), kinds))
        elif row["metric"] == BEST_OF_SETS:
            measured = best_of_sets(row, baselines, participation, schedules, kinds, methods)
        elif row["method"] == METHOD:
            measured = _of_flows(row, _values(row["metric"], frechet, roundtrip), participation, schedules, kinds)
        rows.append({**_published_cells(row), **_our_cells(row, measured)})
    return pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS), dtype=object)


def best_of_sets(
    row: Mapping[str, Any],
    baselines: pd.DataFrame | None,
    participation: pd.DataFrame,
    schedules: Mapping[str, Mapping[str, Any]],
    kinds: Mapping[str, str],
    methods: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Finds our models for a row of table 4; of several methods of the published kind, those of the first by name.

    Arguments:
        row: The published row.
        baselines, participation, schedules, kinds, methods: As of `compare_with_paper`.

    Returns:
        Rows of `baselines`, one for each model, with `flow` (data set and schedule) and `evaluations`; empty if there
        are none.
    """
    if baselines is None or not len(baselines):
        return pd.DataFrame()
    is_best = (baselines["metric"] == OUR_BEST) & (baselines["n"] == IMAGES_OF_A_SET)
    measured = baselines[is_best].assign(evaluations=NOT_STATED)
    for name in sorted(set(measured["method"])):
        if (methods or {}).get(name, name) == row["method"]:
            found = _of_flows(row, measured[measured["method"] == name], participation, schedules, kinds)
            if len(found):
                return found
    return pd.DataFrame()


def _named_like(published: str, kinds: Mapping[str, str]) -> list[str]:
    """Data sets of ours with the published images, that of the published name first."""
    fitting = [n for n, kind in kinds.items() if kind == published or (n == published and kind in _NAMED_KINDS)]
    return sorted(fitting, key=lambda name: (name != published, name))


def _dimension(participation: pd.DataFrame, dataset: str) -> int | None:
    """Number of coordinates of a data set, if the table has it."""
    if not len(participation):
        return None
    found = participation["dimension"][participation["dataset"] == dataset]
    return int(found.iloc[0]) if len(found) else None


def _is_schedule_of(row: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    """Whether a schedule keeps the published dimensions, of our flows at the published gap and with that kernel."""
    kept, gap = settings.get("kept_dims"), row["inflation_gap"]
    if row["method"] != METHOD:
        return kept == row["dims"]
    if settings.get("kernel", "floor") != "floor":
        return False
    if pd.isna(gap):
        return kept is None and row["dims"] == PUBLISHED_DIMENSION
    ours = settings.get("inflation_gap")
    return kept == row["dims"] and settings.get("gap") == "constant" and ours is not None and abs(ours - gap) < 1e-9


def _values(metric: str, frechet: pd.DataFrame, roundtrip: pd.DataFrame) -> pd.DataFrame:
    """Our measurements of a metric: dataset, schedule, seed, value, evaluations."""
    if metric == "fid" and len(frechet):
        is_fid = (frechet["extractor"] == "inception") & (frechet["metric"] == "fid")
        return frechet[is_fid & (frechet["part"] == "whole") & (frechet["n"] == PUBLISHED_FID_IMAGES)]
    if metric == "roundtrip_mse_uint8" and len(roundtrip):
        return roundtrip.assign(value=roundtrip["mse_uint8_wrapped"])
    return pd.DataFrame()


def _of_data(participation: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    for name in names:
        found = participation[participation["dataset"] == name] if len(participation) else participation
        if len(found):
            return found.assign(value=found["participation_ratio"], flow=name, evaluations=NONE)
    return pd.DataFrame()


def _of_flows(
    row: Mapping[str, Any],
    measured: pd.DataFrame,
    participation: pd.DataFrame,
    schedules: Mapping[str, Mapping[str, Any]],
    kinds: Mapping[str, str],
) -> pd.DataFrame:
    """The draws of the first flow that fits a published row and has any."""
    names = _named_like(str(row["dataset"]), kinds)
    datasets = [name for name in names if _dimension(participation, name) in (None, PUBLISHED_DIMENSION)]
    chosen = [name for name, settings in sorted(schedules.items()) if _is_schedule_of(row, settings)]
    for dataset, schedule in ((d, s) for d in datasets for s in chosen if len(measured)):
        found = measured[(measured["dataset"] == dataset) & (measured["schedule"] == schedule)]
        if len(found):
            return found.assign(flow=f"{dataset}/{schedule}")
    return pd.DataFrame()


def _published_cells(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{key: row[key] for key in ("table", "dataset", "method", "metric")},
        "dims": NONE if pd.isna(row["dims"]) else int(row["dims"]),
        "inflation_gap": NONE if pd.isna(row["inflation_gap"]) else float(row["inflation_gap"]),
        "published": float(row["mean"]),
        "published_two_sigma": NO_SIGMA if pd.isna(row["two_sigma"]) else float(row["two_sigma"]),
    }


def _our_cells(row: Mapping[str, Any], measured: pd.DataFrame) -> dict[str, Any]:
    if not len(measured):
        names = ("ours", "ours_two_sigma", "sample_seeds", "difference", "in_two_sigmas", "evaluations", "flow")
        return {**dict.fromkeys(names, NOT_RUN), "status": NOT_RUN}
    values = measured["value"].to_numpy(dtype=np.float64)
    ours, draws = float(values.mean()), len(values)
    difference = ours - float(row["mean"])
    return {
        "ours": ours,
        "ours_two_sigma": 2 * float(values.std(ddof=1)) if draws > 1 else ONE_SAMPLE,
        "sample_seeds": draws,
        "difference": difference,
        "in_two_sigmas": NO_SIGMA if pd.isna(row["two_sigma"]) else difference / float(row["two_sigma"]),
        "status": COMPARED,
        # Draws of one flow have the same number of evaluations; if not, all numbers are listed.
        "evaluations": "/".join(dict.fromkeys(str(count) for count in measured["evaluations"])),
        "flow": measured["flow"].iloc[0],
    }


def measure(
    *,
    published: pd.DataFrame,
    participation: pd.DataFrame,
    frechet: pd.DataFrame | None = None,
    roundtrip: pd.DataFrame | None = None,
    baselines: pd.DataFrame | None = None,
    **names: Any,
) -> Measured:
    """Rows of `compare_with_paper`; tables that a configuration has no flows for are None, and their rows "not run"."""
    of_images, carried, others = (
        pd.DataFrame() if table is None else table for table in (frechet, roundtrip, baselines)
    )
    table = compare_with_paper(published, of_images, carried, participation, baselines=others, **names)
    return Measured({"paper_comparison": table.to_dict("records")})
