"""Coverage of credible regions against their nominal level."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.style import COLOURS, DOUBLE_COLUMN, GREY, despine, figure_style, new_figure

# Colour, line and label of each prior.
PRIORS = {
    "exact": (GREY, "--", "exact density"),
    "learned": (COLOURS[0], "-", "learned flow"),
    "miscalibrated": (COLOURS[1], "-", "network stopped early"),
}
_SMALL_P = 0.001


def draw_tarp(material: Material) -> Figure:
    """Draws expected coverage minus nominal level, with two standard errors, a row of panels for each noise.

    Numbers in the panels are the p-values of the test that all coverages are nominal, in the colours of the curves.

    Arguments:
        material: Table `tarp`.
    """
    table = material.labelled("tarp")
    pairs = list(dict.fromkeys(zip(table["dataset"], table["schedule"], strict=True)))
    noises = sorted(table["noise_std"].unique())
    with figure_style():
        columns = min(5, len(pairs))
        bands = -(-len(pairs) // columns)
        rows = bands * len(noises)
        figure = new_figure(DOUBLE_COLUMN * max(columns, 3) / 5, 1.0 * rows + 0.5)
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
                for number, (flow, (colour, line, _)) in enumerate(PRIORS.items()):
                    curve = chosen[chosen["flow"] == flow]
                    if len(curve):
                        _write_p_value(axis, number, float(curve["p_value"].iloc[0]), colour)
                        gap = curve["coverage"] - curve["level"]
                        axis.plot(curve["level"], gap, line, color=colour)
                        axis.fill_between(
                            curve["level"], gap - 2 * curve["se"], gap + 2 * curve["se"], color=colour, alpha=0.15, lw=0
                        )
                if k == 0:
                    axis.set_title(f"{dataset}, {schedule}")
                if place % columns == 0:
                    axis.set_ylabel(f"noise {noise:g}")
                axis.set(xlim=(0, 1), xticks=[0, 0.5, 1], xticklabels=["0", "0.5", "1"])
                despine([axis])
        figure.supxlabel("nominal level (in the panels: p-values of the test)", fontsize=7.5)
        figure.supylabel("coverage minus nominal", fontsize=7.5)
        prior_legend(figure, table)
    return figure


def _write_p_value(axis: Axes, number: int, p_value: float, colour: str) -> None:
    """Writes one p-value below the upper edge of a panel, beside those of other flows."""
    text = f"{p_value:.2g}" if p_value >= _SMALL_P else f"< {_SMALL_P:g}"
    axis.text(0.02 + 0.33 * number, 0.98, text, transform=axis.transAxes, color=colour, fontsize=5, ha="left", va="top")


def prior_legend(figure: Figure, table: pd.DataFrame) -> None:
    """Names the priors of a table above a figure."""
    present = [name for name in PRIORS if name in set(table["flow"])]
    handles = [Line2D([], [], color=PRIORS[name][0], ls=PRIORS[name][1]) for name in present]
    figure.legend(handles, [PRIORS[name][2] for name in present], loc="outside upper center", ncols=len(present))
