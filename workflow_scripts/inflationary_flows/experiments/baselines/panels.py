"""Panels that compare methods by numbers: a line for each method, the same place, colour and marker in all figures.

Large markers are means over training seeds, with bars of two standard errors, and faint dots below them single seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    MultipleLocator,
    NullFormatter,
    NullLocator,
)

from inflationary_flows.plotting.style import (
    COLOURS,
    DOUBLE_COLUMN,
    GREY,
    MARKERS,
    SINGLE_COLUMN,
    despine,
    new_figure,
    use_log_scale,
)

# Data set and schedule; with a metric, a panel.
Pair = tuple[str, str]
Place = tuple[Pair, str]

MOST_COLUMNS = 5
BAND = "0.91"
# Inches: width of one of many panels and of one of few, names of methods and measures, a line, ticks, a title.
_PANEL, _WIDE_PANEL, _NAMES, _LINE, _TICKS, TITLE = 1.12, 1.4, 1.3, 0.17, 0.3, 0.2
# Dots of single seeds stand so far below their mean, in lines.
_BELOW = 0.27
# Powers of ten that have room below a panel.
_MOST_POWERS = 3

# How the axis of a measure runs: from zero, in powers of ten, in powers of ten on both sides of zero, from chance to 1.
FROM_ZERO, LOG, SIGNED, CHANCE = "from zero", "log", "signed", "chance"


@dataclass(frozen=True)
class Measure:
    """A row of panels.

    Attributes:
        metric: As in the table.
        label: How the row is called.
        scale: How its axes run.
        shared: Whether all data sets have the same units, hence the same axis.
    """

    metric: str
    label: str
    scale: str
    shared: bool = False


# Priors that are not trained: label and marker; all of them are grey.
REFERENCES = {"exact": ("Exact density", "*"), "gaussian": ("Gaussian (PCA)", "P"), "box": ("Flat box", "X")}
# What of d random numbers is, where there is something of D as well.
FEW = "d"


def method_looks(methods: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each method, by its place; references are grey.

    Arguments:
        methods: Labels by name, ours first: all methods of the configuration, so that figures agree.
    """
    return {
        name: (GREY, REFERENCES[name][1])
        if name in REFERENCES
        else (COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)])
        for k, name in enumerate(methods)
    }


def pairs_of(table: pd.DataFrame) -> list[Pair]:
    """Data sets and schedules, in the order of the table."""
    return list(dict.fromkeys(zip(table["dataset"], table["schedule"], strict=True)))


def present_methods(table: pd.DataFrame, methods: Mapping[str, str]) -> list[str]:
    """Methods that a table has rows of, in their order."""
    return [name for name in methods if name in set(table["method"])]


def at_pair(table: pd.DataFrame, pair: Pair) -> pd.DataFrame:
    """Rows of one data set and schedule."""
    return table[(table["dataset"] == pair[0]) & (table["schedule"] == pair[1])]


def rows_of(table: pd.DataFrame, pair: Pair, metric: str) -> pd.DataFrame:
    """Rows of one measure of one data set and schedule."""
    chosen = at_pair(table, pair)
    return chosen[chosen["metric"] == metric].sort_values(["method", "seed"])


def title_of(pair: Pair, count: int) -> str:
    """Title of a panel; long ones have two lines where panels are narrow."""
    return ",\n".join(pair) if count > 3 and sum(map(len, pair)) > 16 else ", ".join(pair)


def new_method_panels(count: int, rows: int, lines: int, extra: float = 0.0) -> tuple[Figure, list[list[Axes]]]:
    """A figure of columns of panels, at most `MOST_COLUMNS` beside each other.

    Arguments:
        count: Columns.
        rows: Panels of each, one below the other.
        lines: Methods in a panel.
        extra: Inches that the names of axes need.

    Returns:
        The figure, and the panels of each column.
    """
    columns = min(MOST_COLUMNS, count)
    bands = -(-count // columns)
    width = min(DOUBLE_COLUMN, _NAMES + max(_PANEL * columns, _WIDE_PANEL * min(columns, 3), 1.5 * _WIDE_PANEL))
    height = bands * (rows * (lines * _LINE + _TICKS) + 1.6 * TITLE + extra) + 1.2 * TITLE
    figure = new_figure(width, height)
    axes = figure.subplots(bands * rows, columns, squeeze=False, sharey=True)
    found = [
        [axes[band * rows + row, column] for row in range(rows)] for band in range(bands) for column in range(columns)
    ]
    for axis in (axis for column in found[count:] for axis in column):
        axis.remove()
    return figure, found[:count]


def draw_measures(
    table: pd.DataFrame,
    measures: Sequence[Measure],
    methods: Mapping[str, str],
    levels: Mapping[Place, float] | None = None,
) -> tuple[Figure, dict[Place, Axes]]:
    """Draws measures below each other, a column for each data set and schedule.

    Arguments:
        table: Columns method, dataset, schedule, seed, metric, random, value; hollow markers are of d random numbers.
        measures: From above.
        methods: Labels of methods by name, ours first.
        levels: Values of panels that have to be in sight as well.

    Returns:
        The figure, and its panels by pair and metric.
    """
    table = table[table["metric"].isin([measure.metric for measure in measures])]
    pairs, present = pairs_of(table), present_methods(table, methods)
    figure, columns = new_method_panels(len(pairs), len(measures), len(present))
    panels = {}
    for place, (pair, axes) in enumerate(zip(pairs, columns, strict=True)):
        for row, (measure, axis) in enumerate(zip(measures, axes, strict=True)):
            first = place % min(MOST_COLUMNS, len(pairs)) == 0
            rows = rows_of(table, pair, measure.metric)
            few = rows["random"] == FEW
            measured = [name for name in present if name in set(table[table["metric"] == measure.metric]["method"])]
            draw_means(axis, rows[~few], methods, present, measure.label if first else "", measured)
            draw_hollow(axis, rows[few], methods, present)
            axis.set_title(title_of(pair, len(pairs)) if row == 0 else "")
            panels[pair, measure.metric] = axis
    for measure in measures:
        for group in [pairs] if measure.shared else [[pair] for pair in pairs]:
            shown = [rows_of(table, pair, measure.metric)["value"] for pair in group]
            shown.append(pd.Series([(levels or {}).get((pair, measure.metric), np.nan) for pair in group]))
            run_axes([panels[pair, measure.metric] for pair in group], pd.concat(shown).dropna(), measure.scale)
    figure.align_ylabels()
    return figure, panels


def draw_means(
    axis: Axes,
    rows: pd.DataFrame,
    methods: Mapping[str, str],
    present: Sequence[str],
    label: str,
    measured: Sequence[str] | None = None,
) -> None:
    """Draws one panel, a line for each method; a note says so where seeds have no value.

    Arguments:
        axis: Panel.
        rows: Columns method, value; a row for each seed.
        methods: Labels of all methods by name.
        present: Those that have a line, from above.
        label: What the panel is called on its left.
        measured: Those that should have a value; all if left out.
    """
    looks = method_looks(methods)
    for place, name in enumerate(present):
        colour, marker = looks[name]
        mine = rows[rows["method"] == name]["value"]
        values = mine.dropna().to_numpy(dtype=np.float64)
        if not len(values) and measured is not None and name not in measured:
            continue
        if not len(values):
            middle = axis.get_yaxis_transform()
            axis.text(0.5, place, "no value", transform=middle, color=GREY, fontsize=5.5, ha="center", va="center")
            continue
        if len(values) < len(mine):
            note: dict[str, Any] = {"textcoords": "offset points", "color": GREY, "fontsize": 5, "ha": "center"}
            text = f"{len(values)} of {len(mine)} seeds"
            axis.annotate(text, (float(values.mean()), place), (0, 3.2), **note).set_in_layout(False)
        bar = 2 * float(values.std(ddof=1)) / np.sqrt(len(values)) if len(values) > 1 else 0.0
        style: dict[str, Any] = {"marker": marker, "color": colour, "mew": 0, "ms": 4.2, "elinewidth": 0.9}
        axis.errorbar(float(values.mean()), place, xerr=bar, ls="none", zorder=3, **style)
        if len(values) > 1:
            axis.plot(values, np.full(len(values), place + _BELOW), ".", color=colour, alpha=0.45, ms=3.2, mew=0)
    axis.set_yticks(range(len(present)), [methods[name] for name in present])
    axis.set(ylim=(len(present) - 0.5, -0.5), ylabel=label)
    axis.tick_params(axis="y", length=0)
    axis.grid(visible=False, axis="y")
    despine([axis])


def draw_hollow(axis: Axes, rows: pd.DataFrame, methods: Mapping[str, str], present: Sequence[str]) -> None:
    """The means of best draws, or of d random numbers, hollow, on the lines of the means."""
    for place, name in enumerate(present):
        colour, marker = method_looks(methods)[name]
        values = rows[rows["method"] == name]["value"].dropna()
        if len(values):
            axis.plot(values.mean(), place, marker, color=colour, mfc="white", ms=4.2, mew=0.8, zorder=2)


def run_axes(axes: Sequence[Axes], values: pd.Series, scale: str) -> None:
    """Gives panels the same axis, on which all of the values can be read."""
    if not len(values):
        for axis in axes:
            axis.set_xticks([])
        return
    low, high = float(values.min()), float(values.max())
    signed = scale in (LOG, SIGNED) and low <= 0
    for axis in axes:
        if signed:
            _run_through_zero(axis, values)
        elif scale in (LOG, SIGNED):
            # At least a decade, for two labels; markers stay off the frame.
            middle, margin = np.sqrt(low * high), max(1.7, (high / low) ** 0.05)
            left, right = min(low / margin, middle / 4), max(high * margin, middle * 4)
            plain = left > 1e-3 and right < 60 * left
            if not plain and np.floor(np.log10(right)) - np.ceil(np.log10(left)) < 1:
                left = min(left, 0.8 * 10 ** np.floor(np.log10(low)))
                right = max(right, 1.2 * 10 ** np.ceil(np.log10(high)))
            use_log_scale(axis, "x", (1, 3) if plain else (1,))
            if not plain:
                axis.xaxis.set_major_locator(LogLocator(numticks=_MOST_POWERS))
            axis.set_xlim(left, right)
        elif scale == CHANCE:
            margin = 0.06 * (high - low) + 0.01
            axis.set_xlim(min(0.48, low - margin), max(0.55, high + margin))
            axis.xaxis.set_major_locator(MultipleLocator(0.25 if high > 0.8 else 0.1 if high > 0.6 else 0.05))
        else:
            axis.set_xlim(min(0.0, 1.15 * low), 1.15 * high or 1.0)
            axis.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
            axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _in_thousands(value)))


def _run_through_zero(axis: Axes, values: pd.Series) -> None:
    """Powers of ten on both sides of zero, where estimates of what cannot be negative are."""
    low, high = float(values.min()), float(values.max())
    # Near zero, as far as estimates are negative, nothing has to be told apart; nor below a thousandth of the largest.
    of_noise = np.ceil(np.log10(-low)) if low < 0 else -np.inf
    of_largest = np.floor(np.log10(high / 1000)) if high > 0 else -np.inf
    exponent = max(of_noise, of_largest)
    threshold = 10.0**exponent if np.isfinite(exponent) else 1.0
    axis.set_xscale("symlog", linthresh=threshold, linscale=0.5)
    axis.set_xlim(1.7 * min(low, -0.3 * threshold), 1.7 * max(high, 2 * threshold))
    decades = np.log10(axis.get_xlim()[1] / threshold)
    powers = threshold * 10.0 ** np.arange(0, decades + 1e-9)
    ticks = [0.0, *powers[:: 1 + len(powers) // 3]]
    axis.xaxis.set_major_locator(FixedLocator(ticks))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _as_power(value)))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.axvline(0, color="0.7", lw=0.6, zorder=0)


def _as_power(value: float) -> str:
    if value == 0:
        return "0"
    return f"$10^{{{round(np.log10(value))}}}$"


def _in_thousands(value: float) -> str:
    for size, unit in ((1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def seed_legend(figure: Figure, table: pd.DataFrame, more: Sequence[Any] = ()) -> None:
    """Says above a figure what markers, bars, dots and bands are."""
    several = table["seed"].nunique() > 1
    name = "mean ± 2 standard errors" if several else "one seed"
    handles: list[Any] = [
        Line2D([], [], color=GREY, marker="o", mew=0, ms=4.2, ls="-" if several else "none", label=name)
    ]
    if several:
        handles.append(Line2D([], [], color=GREY, marker=".", mew=0, ls="none", alpha=0.6, label="single seeds"))
    columns = len(handles) + len(more) if figure.get_figwidth() > 1.3 * SINGLE_COLUMN else 2
    figure.legend(handles=[*handles, *more], loc="outside upper center", ncols=columns)
