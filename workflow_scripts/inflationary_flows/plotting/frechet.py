"""Frechet distance and round-trip error of image flows: against kept dimensions, gap and network evaluations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from inflationary_flows.plotting.solvers import _SOLVER_NAMES
from inflationary_flows.plotting.style import (
    COLOURS,
    DOUBLE_COLUMN,
    GREY,
    MARKERS,
    SINGLE_COLUMN,
    despine,
    figure_style,
    new_figure,
    use_log_scale,
)

POINT_COLUMNS = ("dataset", "axis", "position", "metric", "source", "value", "two_sigma")
PUBLISHED, OURS = "published", "ours"
DISTANCE, ERROR = "distance", "error"

# Metrics that are Frechet distances, in the order of preference where there are several, and how axes call them.
DISTANCES = {"fid": "FID", "fd_effnetlite0": "FD-EffNetLite0", "fd_digits": "FD-digits"}
_ERRORS = {"wrapped": "round-trip MSE,\nuint8, wrapped", "mse": "round-trip MSE,\ngrey levels$^2$"}
# Data sets of the tables, where the configuration has no label for them.
_PUBLISHED_SETS = {"afhqv2": "AFHQv2", "cifar10": "CIFAR-10"}
_AXES = {"dims": "kept dimensions $d$", "gap": "inflation gap"}
# Not flows: samples of the data's Gaussian, and held-out images.
_LEVELS = {"gaussian": (":", "Gaussian of the data"), "held_out": ("--", "held-out images")}
_ROUNDTRIP = "roundtrip_mse"


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
        frechet: Columns dataset, schedule, seed, extractor, metric, value among others.
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


def _paired_panels(count: int, columns: int, height: float, extra: float = 0.0) -> tuple[Figure, list[list[Axes]]]:
    """A figure of pairs of panels, one above the other, at most so many pairs beside each other; sizes in inches."""
    columns = min(columns, count)
    bands = -(-count // columns)
    figure = new_figure(max(SINGLE_COLUMN, DOUBLE_COLUMN * columns / max(columns, 3)), height * bands + extra)
    axes = figure.subplots(2 * bands, columns, squeeze=False)
    pairs = [[axes[2 * band + row, column] for row in (0, 1)] for band in range(bands) for column in range(columns)]
    for panel in (panel for pair in pairs[count:] for panel in pair):
        panel.remove()
    return figure, pairs[:count]


def plot_paper_comparison(points: pd.DataFrame, labels: Mapping[str, str] | None = None) -> Figure:
    """Draws Frechet distance (above) and round-trip error (below) against kept dimensions and against the gap.

    Arguments:
        points: Rows of `published_points` and `measured_points`.
        labels: How to call data sets.

    Returns:
        The figure: a pair of panels for each data set and axis; each legend says how many of the published points we
        have.
    """
    groups = list(points.groupby(["dataset", "axis"], sort=False))
    with figure_style():
        figure, pairs = _paired_panels(len(groups), 3, 3.3)
        for (upper, lower), ((dataset, axis), group) in zip(pairs, groups, strict=True):
            is_distance = group["metric"].isin(list(DISTANCES))
            positions = sorted(group["position"].dropna().unique())
            _draw_points(upper, group[is_distance], positions)
            _draw_points(lower, group[~is_distance], positions)
            names = [f"{value:g}" if axis == "dims" else f"{value:.2f}" for value in positions]
            for panel in (upper, lower):
                panel.set_xticks(range(len(positions)), names, rotation=45 if len(positions) > 5 else 0)
                panel.set_xlim(-0.6, len(positions) - 0.4)
                panel.tick_params(axis="x", labelbottom=panel is lower)
            upper.set_title({**_PUBLISHED_SETS, **(labels or {})}.get(str(dataset), str(dataset)))
            lower.set_xlabel(_AXES[str(axis)])
            despine([upper, lower])
    return figure


def _draw_points(panel: Axes, points: pd.DataFrame, positions: Sequence[float]) -> None:
    """One quantity of one data set, published and ours side by side."""
    metric = str(points["metric"].iloc[0]) if len(points) else ""
    panel.set_ylabel({**DISTANCES, **_ERRORS}.get(metric, ""))
    handles: list[Any] = []
    ours = points[points["source"] == OURS]
    drawn = {source: points[(points["source"] == source) & points["value"].notna()] for source in (PUBLISHED, OURS)}
    # Beside each other where both are shown.
    apart = 0.12 if len(drawn[PUBLISHED]) else 0.0
    for source, move, look in (
        (PUBLISHED, -apart, {"marker": "o", "color": "black", "mfc": "white"}),
        (OURS, apart, {"marker": "s", "color": COLOURS[1], "mec": COLOURS[1]}),
    ):
        chosen = drawn[source]
        if len(chosen):
            count = f" ({len(chosen)} of {len(ours)})" if source == OURS and len(chosen) < len(ours) else ""
            places = [positions.index(place) + move for place in chosen["position"]]
            style: dict[str, Any] = {**look, "ls": "none", "ms": 3.6, "elinewidth": 0.8, "capsize": 1.5}
            bars = chosen["two_sigma"].fillna(0.0)
            handles.append(panel.errorbar(places, chosen["value"], bars, label=f"{source}{count}", zorder=3, **style))
        elif source == OURS:
            handles.append(Line2D([], [], ls="none", label="ours: not run"))
    for name, (line, label) in _LEVELS.items():
        level = points["value"][(points["source"] == name) & points["value"].notna()]
        if len(level):
            handles.append(panel.axhline(float(level.iloc[0]), color=GREY, ls=line, lw=0.9, label=label))
    tops = (points["value"] + points["two_sigma"].fillna(0.0)).dropna()
    _leave_room(panel, points["value"].dropna(), tops, logarithmic=metric in _ERRORS)
    panel.legend(handles=handles, loc="upper left", handletextpad=0.4, labelspacing=0.3).set_in_layout(False)


def _leave_room(panel: Axes, values: pd.Series, tops: pd.Series, *, logarithmic: bool) -> None:
    """Chooses the scale of values, with room for a legend above the tops of their bars."""
    if not len(values) or float(values.min()) < 0:
        return
    low, high = float(values.min()), float(tops.max())
    if low > 0 and (logarithmic or high > 8 * low):
        # At least a decade, for two labels.
        low, high = min(low, high / 4), max(high, 4 * low)
        use_log_scale(panel, "y", (1, 2, 5) if high < 100 * low else (1,))
        panel.set_ylim(low / 1.8, high * (high / low) ** 0.6)
    else:
        panel.set_ylim(0, 1.6 * (high or 1.0))


def plot_evaluation_sweep(table: pd.DataFrame) -> Figure:
    """Draws Frechet distance (above) and round-trip error (below) against network evaluations, a column for each flow.

    Arguments:
        table: Columns dataset, schedule, seed, solver, evaluations, metric, value of `evaluation_sweep.csv`; seeds are
            averaged, errors geometrically.

    Returns:
        The figure.  The grey band holds what is within 2 % of the distance at the most evaluations by Heun's method.
    """
    groups = list(table.groupby(["dataset", "schedule"], sort=False))
    solvers = list(dict.fromkeys(table["solver"]))
    handles: dict[str, Any] = {}
    with figure_style():
        legend_columns = (1, 2, 4, 5)[min(len(groups), 4) - 1]
        legend_rows = -(-(len(solvers) + 1) // legend_columns)
        many, before = len(groups) > 8, ""
        columns = 6 if many else 4
        figure, pairs = _paired_panels(len(groups), columns, 2.4 if many else 2.9, 0.16 * legend_rows + 0.1)
        for place, ((upper, lower), ((dataset, schedule), group)) in enumerate(zip(pairs, groups, strict=True)):
            metrics = set(group["metric"])
            distance = next((name for name in DISTANCES if name in metrics), "")
            for panel, metric in ((upper, distance), (lower, _ROUNDTRIP)):
                for number, solver in enumerate(solvers):
                    line = _averaged(group[(group["metric"] == metric) & (group["solver"] == solver)])
                    if len(line):
                        handles[solver] = panel.plot(
                            line.index,
                            line,
                            marker=MARKERS[number % len(MARKERS)],
                            color=COLOURS[number % len(COLOURS)],
                            markeredgewidth=0,
                            label=_SOLVER_NAMES.get(solver, solver),
                        )[0]
                use_log_scale(panel, "x", (1, 3))
            values = group["value"][group["metric"] == distance]
            if len(values) and float(values.min()) > 0 and float(values.max()) > 4 * float(values.min()):
                use_log_scale(upper, "y", (1, 1.5, 2, 3, 5, 7))
            use_log_scale(lower, "y")
            _show_a_decade(lower)
            reference = _averaged(group[(group["metric"] == distance) & group["solver"].str.startswith("heun")])
            if len(reference):
                best = float(reference.iloc[-1])
                handles["band"] = upper.axhspan(0.98 * best, 1.02 * best, color="0.85", lw=0, zorder=0)
                handles["band"].set_label(r"$\pm 2$ % of Heun's last")
            upper.set_title(f"{dataset}, {schedule}".replace(", ", ",\n", int(many)))
            upper.tick_params(labelbottom=False)
            lower.sharex(upper)
            # Columns are narrow where there are many flows: a label stands where the metric changes.
            if not many or place % columns == 0 or distance != before:
                upper.set_ylabel(DISTANCES.get(distance, ""))
            before = distance
            if place % columns == 0:
                lower.set_ylabel(_ERRORS["mse"])
            despine([upper, lower])
        figure.supxlabel("network evaluations", fontsize=7.5)
        ordered = [handles[name] for name in [*solvers, "band"] if name in handles]
        figure.legend(handles=ordered, loc="outside upper center", ncols=legend_columns)
    return figure


def _show_a_decade(panel: Axes) -> None:
    """Widens a logarithmic axis to a decade and more, for two labels."""
    low, high = panel.get_ylim()
    widened = max(1.0, (12 * low / high) ** 0.5)
    panel.set_ylim(low / widened, high * widened)


def _averaged(rows: pd.DataFrame) -> pd.Series:
    """Values against evaluations, in their order."""
    logs = np.log(rows["value"].clip(lower=1e-12)).groupby(rows["evaluations"]).mean()
    return np.exp(logs.sort_index())
