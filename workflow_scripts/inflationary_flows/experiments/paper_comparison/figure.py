"""Frechet distance and round-trip error of image flows, published and ours, against kept dimensions and gap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.names import DISTANCES, IMAGE_ERRORS
from inflationary_flows.plotting.style import (
    COLOURS,
    DOUBLE_COLUMN,
    GREY,
    despine,
    figure_style,
    new_figure,
    use_log_scale,
)

POINT_COLUMNS = ("dataset", "axis", "position", "metric", "source", "value", "two_sigma")
PUBLISHED, OURS = "published", "ours"

# Data sets of the tables, where the configuration has no label for them.
_PUBLISHED_SETS = {"afhqv2": "AFHQv2", "cifar10": "CIFAR-10"}
_AXES = {"dims": "kept dimensions $d$", "gap": "inflation gap"}
# Largest part of a value that a bar on a logarithmic axis may reach below it.
_MOST_BELOW = 0.9
# Not flows: samples of the data's Gaussian, and held-out images.
_LEVELS = {"gaussian": (":", "Gaussian of the data"), "held_out": ("--", "held-out images")}


def published_points(comparison: pd.DataFrame) -> pd.DataFrame:
    """Points to draw of `paper_comparison.csv`: tables 1 and 2 against kept dimensions, table 3 against the gap.

    Arguments:
        comparison: The table, its cells numbers or texts.

    Returns:
        Columns `POINT_COLUMNS`; where ours was not run, its value is missing.
    """
    rows = []
    for row in comparison[comparison["table"].astype(str).isin(["1", "2", "3"])].to_dict("records"):
        axis = "gap" if str(row["table"]) == "3" else "dims"
        place = float(row["inflation_gap" if axis == "gap" else "dims"])
        metric = "fid" if row["metric"] == "fid" else "wrapped"
        common = {"dataset": row["dataset"], "axis": axis, "position": place, "metric": metric}
        for source, value in ((PUBLISHED, "published"), (OURS, "ours")):
            numbers = pd.to_numeric(pd.Series([row[value], row[f"{value}_two_sigma"]]), errors="coerce")
            rows.append({**common, "source": source, "value": numbers[0], "two_sigma": numbers[1]})
    return pd.DataFrame(rows, columns=list(POINT_COLUMNS))


def uncompared(comparison: pd.DataFrame, dimensions: Mapping[str, int]) -> dict[str, int]:
    """Those of our data sets none of whose distances stands beside a published one.

    Arguments:
        comparison: `paper_comparison.csv`.
        dimensions: Number of coordinates D of each data set.
    """
    flows = comparison["flow"][comparison["metric"] == "fid"].astype(str)
    compared = {flow.partition("/")[0] for flow in flows}
    return {name: dimension for name, dimension in dimensions.items() if name not in compared}


def measured_points(
    frechet: pd.DataFrame,
    roundtrip: pd.DataFrame,
    schedules: Mapping[str, Mapping[str, Any]],
    dimensions: Mapping[str, int],
) -> pd.DataFrame:
    """Points to draw of our own tables, for data sets that nothing was published of.

    Arguments:
        frechet: Columns dataset, schedule, seed, extractor, metric, part, value among others.
        roundtrip: Columns dataset, schedule, seed, mse among others.
        schedules: Keyword arguments of `make_schedule` by schedule.
        dimensions: Number of coordinates D of each data set to draw; PRP stands there.

    Returns:
        Columns `POINT_COLUMNS`.  Against kept dimensions stand flows of the commonest gap alone, so that a step along
        the axis changes one thing.  Baselines have their names as source, and no position.
    """
    rows: list[dict[str, Any]] = []
    for dataset, dimension in dimensions.items():
        mine = frechet[frechet["dataset"] == dataset]
        # Distances fall with the number of images: held-out ones, which are fewer, are beside as many of each set.
        mine = mine[mine["part"] == ("equal" if "equal" in set(mine["part"]) else "whole")]
        metric = next((name for name in DISTANCES if name in set(mine["metric"])), None)
        errors = roundtrip[roundtrip["dataset"] == dataset]
        tables = {"mse": errors.assign(value=errors["mse"])}
        if metric is not None:
            tables = {metric: mine[mine["metric"] == metric], **tables}
        names = [name for name in schedules if any(name in set(table["schedule"]) for table in tables.values())]
        places = _places({name: schedules[name] for name in names}, dimension)
        for name, table in tables.items():
            for axis, positions in places.items():
                for schedule, position in positions.items():
                    values = table["value"][table["schedule"] == schedule].to_numpy(dtype=np.float64)
                    rows.append(_point(dataset, axis, position, name, OURS, values))
                for level in _LEVELS:
                    values = table["value"][table["schedule"] == level].to_numpy(dtype=np.float64)
                    if len(values) and positions:
                        rows.append(_point(dataset, axis, np.nan, name, level, values))
    return pd.DataFrame(rows, columns=list(POINT_COLUMNS))


def _point(dataset: str, axis: str, position: float, metric: str, source: str, values: np.ndarray) -> dict[str, Any]:
    value = float(values.mean()) if len(values) else np.nan
    sigma = 2 * float(values.std(ddof=1)) if len(values) > 1 else np.nan
    return dict(zip(POINT_COLUMNS, (dataset, axis, position, metric, source, value, sigma), strict=True))


def _places(schedules: Mapping[str, Mapping[str, Any]], dimension: int) -> dict[str, dict[str, float]]:
    """Where flows stand on each axis that shows more than one of them."""
    gaps = {
        name: settings.get("inflation_gap") if settings.get("gap") == "constant" else None
        for name, settings in schedules.items()
        if settings.get("kept_dims")
    }
    common = Counter(gaps.values()).most_common(1)[0][0] if gaps else None
    kept = {name: settings.get("kept_dims") or dimension for name, settings in schedules.items()}
    places = {"dims": {name: float(d) for name, d in kept.items() if gaps.get(name, common) == common}}
    numbers = {name: gap for name, gap in gaps.items() if gap is not None}
    most = Counter(kept[name] for name in numbers).most_common(1)
    if most and most[0][1] > 1:
        places["gap"] = {name: float(gap) for name, gap in numbers.items() if kept[name] == most[0][0]}
    return places


def draw_paper_comparison(material: Material) -> Figure:
    """Draws Frechet distance (above) and round-trip error (below) against kept dimensions and against the gap.

    Arguments:
        material: Table `paper_comparison`; of data sets without published values the tables `frechet` and `roundtrip`,
            if there are images, with the params `schedules` and `dimensions` of `measured_points`.

    Returns:
        The figure: a pair of panels for each data set and axis; the legend says how many of the published points we
        have.
    """
    comparison, dimensions = material.tables["paper_comparison"], material.params["dimensions"]
    points = published_points(comparison)
    compared = points[points["source"] == OURS]["value"]
    if "frechet" in material.tables and "roundtrip" in material.tables:
        frechet, roundtrip = material.tables["frechet"], material.tables["roundtrip"]
        schedules = material.params["schedules"]
        own = measured_points(frechet, roundtrip, schedules, uncompared(comparison, dimensions))
        points = pd.concat([points, own])
    titles = _PUBLISHED_SETS | {name: material.labels.dataset(name) for name in dimensions}
    groups = list(points.groupby(["dataset", "axis"], sort=False))
    bands = np.array_split(np.arange(len(groups)), -(-len(groups) // 3))
    handles: dict[str, Any] = {}
    with figure_style():
        figure = new_figure(DOUBLE_COLUMN, 2.8 * len(bands) + 0.4)
        for band, members in zip(figure.subfigures(len(bands), 1, squeeze=False)[:, 0], bands, strict=True):
            for pair, member in zip(band.subplots(2, len(members), squeeze=False).T, members, strict=True):
                (dataset, axis), group = groups[member]
                is_distance = group["metric"].isin(list(DISTANCES))
                positions = sorted(group["position"].dropna().unique())
                names = [f"{value:g}" if axis == "dims" else f"{value:.2f}" for value in positions]
                for panel, chosen in zip(pair, (group[is_distance], group[~is_distance]), strict=True):
                    handles |= _draw_points(panel, chosen, positions)
                    panel.set_xticks(range(len(positions)), names, rotation=45 if len(positions) > 5 else 0)
                    panel.set_xlim(-0.6, len(positions) - 0.4)
                    panel.tick_params(axis="x", labelbottom=panel is pair[1])
                pair[0].set_title(titles.get(str(dataset), str(dataset)))
                pair[1].set_xlabel(_AXES[str(axis)])
                despine(list(pair))
        run, count = int(compared.notna().sum()), len(compared)
        if run < count:
            said = f"{run} of {count}" if run else "not run"
            handles["missing"] = Line2D([], [], ls="none", label=f"ours beside published values: {said}")
        figure.legend(handles=list(handles.values()), loc="outside upper center", ncols=len(handles))
    return figure


def _draw_points(panel: Axes, points: pd.DataFrame, positions: Sequence[float]) -> dict[str, Any]:
    """One quantity of one data set, published and ours side by side; returns what stands for each in a legend."""
    metric = str(points["metric"].iloc[0]) if len(points) else ""
    panel.set_ylabel({**DISTANCES, **IMAGE_ERRORS}.get(metric, ""))
    points = points.dropna(subset=["value"]).fillna({"two_sigma": 0.0})
    # A logarithmic axis has no place for the lower half of a bar that comes near zero.
    has_room = points["two_sigma"] < _MOST_BELOW * points["value"]
    points = points.assign(below=points["two_sigma"].where(has_room, 0.0))
    logarithmic = _choose_scale(panel, points, logarithmic=metric in IMAGE_ERRORS)
    handles: dict[str, Any] = {}
    # Side by side where both are shown.
    apart = 0.12 if PUBLISHED in set(points["source"]) else 0.0
    for source, move, look in (
        (PUBLISHED, -apart, {"marker": "o", "color": "black", "mfc": "white"}),
        (OURS, apart, {"marker": "s", "color": COLOURS[1], "mec": COLOURS[1]}),
    ):
        chosen = points[points["source"] == source]
        if len(chosen):
            places = [positions.index(place) + move for place in chosen["position"]]
            style: dict[str, Any] = {**look, "ls": "none", "ms": 3.6, "elinewidth": 0.8, "capsize": 1.5}
            bars = chosen[["below" if logarithmic else "two_sigma", "two_sigma"]].to_numpy().T
            handles[source] = panel.errorbar(places, chosen["value"], bars, label=source, zorder=3, **style)
    for name, (line, label) in _LEVELS.items():
        level = points["value"][points["source"] == name]
        if len(level):
            handles[name] = panel.axhline(float(level.iloc[0]), color=GREY, ls=line, lw=0.9, label=label)
    return handles


def _choose_scale(panel: Axes, points: pd.DataFrame, *, logarithmic: bool) -> bool:
    """Chooses the scale of values, and says whether it is logarithmic."""
    low, high = float((points["value"] - points["below"]).min()), float((points["value"] + points["two_sigma"]).max())
    if not len(points) or float(points["value"].min()) < 0:
        return False
    if low > 0 and (logarithmic or high > 8 * low):
        # At least a decade, for two labels.
        low, high = min(low, high / 4), max(high, 4 * low)
        use_log_scale(panel, "y", (1, 2, 5) if high < 100 * low else (1,))
        panel.set_ylim(low / 1.8, 1.4 * high)
        return True
    panel.set_ylim(0, 1.15 * (high or 1.0))
    return False
