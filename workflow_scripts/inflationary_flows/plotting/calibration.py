"""The check of one flow's posteriors: ranks, coverage, and the local test, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inflationary_flows.plotting.style import COLOURS, GREY, despine, figure_style, new_panels, p_value_text

# Quantities whose ranks are named; more of them are grey.
_NAMED = 6


def draw_calibration(
    tests: Sequence[Mapping[str, Any]],
    ranks: Sequence[Mapping[str, Any]],
    coverage: Sequence[Mapping[str, Any]],
    local: tuple[float, np.ndarray] | None,
) -> Figure:
    """Draws a panel for each kind of test that was made, with its adjusted p-value.

    Arguments:
        tests: Rows of test and p_adjusted.
        ranks: Rows of quantity, bin, count, expected, lower and upper.
        coverage: Rows of reference, level, coverage and se.
        local: Statistic of the local test, and those of permutations.
    """
    drawn = [name for name, there in (("ranks", ranks), ("tarp", coverage), ("local", local)) if there]
    with figure_style():
        figure, axes = new_panels(max(1, len(drawn)), columns=3, height=2.3)
        for name, axis in zip(drawn, axes, strict=False):
            if name == "ranks":
                _draw_ranks(axis, ranks)
            elif name == "tarp":
                _draw_coverage(axis, coverage)
            elif local is not None:
                _draw_local(axis, *local)
            least = min(row["p_adjusted"] for row in tests if row["test"] == name)
            axis.set_title(f"{axis.get_title()}, adjusted p {'' if least < 0.001 else '= '}{p_value_text(least)}")
        despine(axes)
    return figure


def _draw_ranks(axis: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Histograms of ranks as steps, with the band that holds a uniform one in 95 % of cases."""
    groups = [(name, list(group)) for name, group in groupby(rows, key=lambda row: row["quantity"])]
    first = groups[0][1]
    edges = np.linspace(0, 1, len(first) + 1)
    axis.axhspan(first[0]["lower"] - 0.5, first[0]["upper"] + 0.5, color="0.9", lw=0)
    axis.axhline(first[0]["expected"], color="0.7", lw=0.6)
    for number, (name, group) in enumerate(groups):
        named = number < _NAMED
        style = {"color": COLOURS[number], "label": name} if named else {"color": GREY, "lw": 0.5}
        axis.stairs([row["count"] for row in group], edges, baseline=None, **style)
    axis.set(title="ranks", xlabel="share of draws below the truth", ylabel="replicates", xlim=(0, 1))
    axis.set_ylim(0, 1.5 * max(row["count"] for row in rows))
    axis.legend(ncols=2, fontsize=6, loc="upper center")


def _draw_coverage(axis: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Coverage minus level, with two standard errors."""
    axis.axhline(0, color="0.7", lw=0.6)
    for colour, (name, group) in zip(COLOURS, groupby(rows, key=lambda row: row["reference"]), strict=False):
        level, found, error = np.array([[row["level"], row["coverage"], row["se"]] for row in group]).T
        axis.fill_between(level, -2 * error, 2 * error, color=colour, alpha=0.15, lw=0)
        label = {"random": "random points", "centre": "centre of the data"}[name]
        axis.plot(level, found - level, "o-", color=colour, ms=2.5, label=label)
    axis.set(title="coverage", xlabel="nominal level", ylabel="coverage minus level", xlim=(0, 1))
    axis.legend(loc="best", fontsize=6)


def _draw_local(axis: Axes, statistic: float, null: np.ndarray) -> None:
    """The statistic against those of permutations, in units of their mean."""
    scale = float(null.mean()) or 1.0
    # A fault is tens of times the mean: on a linear axis all that chance does would be one line.
    edges = np.geomspace(max(float(null.min()) / scale, 1e-3), max(float(null.max()) / scale, 2e-3), 40)
    axis.hist(null / scale, bins=edges.tolist(), color="0.7", histtype="stepfilled", lw=0)
    axis.set_xscale("log")
    axis.axvline(statistic / scale, color=COLOURS[1], label="posteriors")
    axis.set(title="local test", xlabel="statistic, over its mean by chance", ylabel="permutations")
    axis.legend(loc="best", fontsize=6)
