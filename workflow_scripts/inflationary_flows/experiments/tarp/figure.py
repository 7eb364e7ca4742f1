"""Coverage of credible regions against their nominal level."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.style import (
    COLOURS,
    DOUBLE_COLUMN,
    GREY,
    despine,
    figure_style,
    new_figure,
    p_value_text,
)

# Colour, line and label of each prior.
PRIORS = {
    "exact": (GREY, "--", "exact density"),
    "learned": (COLOURS[0], "-", "learned flow"),
    "learned_gaussian": (COLOURS[2], ":", "flow, compressed: Gaussian"),
    "learned_empirical": (COLOURS[2], ":", "flow, compressed: resampled"),
    "miscalibrated": (COLOURS[1], "-", "network stopped early"),
    "gaussian": (COLOURS[3], "-", "Gaussian of the data"),
    "box": (COLOURS[4], "-", "flat box"),
}
# Differences beyond this are cut off; more than the box's are not seen in practice.
_SPAN = 0.6
_TICKS = (-0.3, -0.05, 0.05, 0.3)
# Up to here differences are drawn on a linear scale: about what chance makes of the worst of many references.
_LINEAR = 0.05


def draw_tarp(material: Material) -> Figure:
    """Draws coverage minus nominal level around the worst reference, with two standard errors, a row for each noise.

    Numbers in the panels are the p-values of the test that all coverages are nominal, in the colours of the curves; of
    several training seeds the least of them, times their number.

    Arguments:
        material: Table `tarp`.
    """
    table = material.labelled("tarp")
    table = table[table["reference"] == "worst"]
    pairs = list(dict.fromkeys(zip(table["dataset"], table["schedule"], strict=True)))
    noises = sorted(table["noise_std"].unique())
    with figure_style():
        columns = min(5, len(pairs))
        bands = -(-len(pairs) // columns)
        rows = bands * len(noises)
        figure = new_figure(DOUBLE_COLUMN * max(columns, 3) / 5, 1.0 * rows + 0.7)
        axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey="row")
        for place in range(bands * columns):
            for k, noise in enumerate(noises):
                axis = axes[(place // columns) * len(noises) + k, place % columns]
                if place >= len(pairs):
                    axis.remove()
                    continue
                dataset, schedule = pairs[place]
                chosen = table[
                    (table["dataset"] == dataset) & (table["schedule"] == schedule) & (table["noise_std"] == noise)
                ]
                axis.axhline(0, color="0.7", lw=0.6)
                axis.set_yscale("symlog", linthresh=_LINEAR)
                shown = [flow for flow in PRIORS if flow in set(chosen["flow"])]
                for number, flow in enumerate(shown):
                    (colour, line, _), of_flow = PRIORS[flow], chosen[chosen["flow"] == flow]
                    curves = [curve for _, curve in of_flow.groupby("seed", sort=False)]
                    _write_p_value(axis, number, min(1.0, len(curves) * float(of_flow["p_value"].min())), colour)
                    for curve in curves:
                        gap, two = curve["coverage"] - curve["level"], 2 * curve["se"]
                        axis.plot(curve["level"], gap, line, color=colour)
                        axis.fill_between(curve["level"], gap - two, gap + two, color=colour, alpha=0.15, lw=0)
                if k == 0:
                    axis.set_title(f"{dataset}, {schedule}")
                if place % columns == 0:
                    axis.set_ylabel(f"noise {noise:g}")
                axis.set(xlim=(0, 1), xticks=[0, 0.5, 1], xticklabels=["0", "0.5", "1"], ylim=(-_SPAN, _SPAN))
                axis.set_yticks(_TICKS, [f"{tick:g}".replace("-", "\N{MINUS SIGN}") for tick in _TICKS])
                axis.minorticks_off()
                despine([axis])
        figure.supxlabel("nominal level (in the panels: p-values of the test)", fontsize=7.5)
        figure.supylabel("coverage minus nominal, at the worst reference", fontsize=7.5)
        prior_legend(figure, table)
    return figure


def _write_p_value(axis: Axes, number: int, p_value: float, colour: str) -> None:
    """Writes one p-value at the upper or lower edge of a panel, beside those of other flows."""
    text = p_value_text(p_value)
    column, row = number % 3, number // 3
    place: Any = {"ha": "left", "va": "bottom" if row else "top", "transform": axis.transAxes}
    axis.text(0.02 + 0.33 * column, 0.02 if row else 0.98, text, color=colour, fontsize=5, **place)


def prior_legend(figure: Figure, table: pd.DataFrame) -> None:
    """Names the priors of a table above a figure."""
    present = [name for name in PRIORS if name in set(table["flow"])]
    handles = [Line2D([], [], color=PRIORS[name][0], ls=PRIORS[name][1]) for name in present]
    figure.legend(
        handles, [PRIORS[name][2] for name in present], loc="outside upper center", ncols=min(len(present), 3)
    )
