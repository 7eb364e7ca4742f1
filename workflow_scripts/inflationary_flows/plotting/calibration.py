"""Figures of calibration, from tables: rank histograms, coverage of credible regions, agreement of networks."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from inflationary_flows.plotting.style import (
    COLOURS,
    DOUBLE_COLUMN,
    GREY,
    MARKERS,
    despine,
    figure_style,
    new_figure,
    new_panels,
    use_log_scale,
)

_FLOWS = {
    "exact": (GREY, "--", "exact density"),
    "learned": (COLOURS[0], "-", "learned flow"),
    "miscalibrated": (COLOURS[1], "-", "network stopped early"),
}
_SMALL_P = 0.001


def plot_weight_ranks(table: pd.DataFrame) -> Figure:
    """Draws rank histograms of the mixture's weights with simultaneous 95 % bands, a row for each schedule.

    Arguments:
        table: Columns dataset, schedule, quantity, bin, count, expected, lower, upper, p_value; weights alone.
    """
    groups = list(table.groupby(["dataset", "schedule", "quantity"], sort=False))
    with figure_style():
        figure, axes = new_panels(len(groups), columns=3, height=1.25, sharex=True, sharey=True)
        for axis, ((dataset, schedule, quantity), group) in zip(axes, groups, strict=True):
            axis.axhspan(group["lower"].iloc[0] - 0.5, group["upper"].iloc[0] + 0.5, color="0.9", lw=0)
            axis.axhline(group["expected"].iloc[0], color=GREY, lw=0.8)
            axis.bar(group["bin"], group["count"], width=0.9, color=COLOURS[0])
            name = str(quantity).replace("weight", "weight ")
            axis.set_title(f"{dataset}, {schedule}: {name}, p = {group['p_value'].iloc[0]:.2g}")
            axis.set(xticks=[])
        despine(axes)
        figure.supxlabel("rank of the true weight among posterior draws", fontsize=7.5)
        figure.supylabel("replicates", fontsize=7.5)
    return figure


def plot_posterior_ranks(table: pd.DataFrame) -> Figure:
    """Draws how the ranks of clean points are distributed, relative to uniform, for each prior.

    Arguments:
        table: Columns dataset, schedule, flow, noise_std, quantity, bin, count, expected, lower, upper; of coordinates.
    """
    pairs = list(table.groupby(["dataset", "schedule"], sort=False))
    # The largest noise leaves most to the prior, and shows best what is wrong with it.
    noise = table["noise_std"].max()
    with figure_style():
        figure, axes = new_panels(len(pairs), columns=5, height=1.2, sharey=True)
        for axis, ((dataset, schedule), pair) in zip(axes, pairs, strict=True):
            chosen = pair[pair["noise_std"] == noise]
            expected = chosen["expected"].iloc[0]
            axis.axhspan(chosen["lower"].iloc[0] / expected, chosen["upper"].iloc[0] / expected, color="0.9", lw=0)
            for flow, (colour, line, _) in _FLOWS.items():
                for _, curve in chosen[chosen["flow"] == flow].groupby("quantity", sort=False):
                    bins = len(curve)
                    axis.plot((curve["bin"] + 0.5) / bins, curve["count"] / expected, line, color=colour, lw=0.8)
            axis.set_title(f"{dataset}, {schedule}")
            axis.set(xlim=(0, 1), xticks=[0, 0.5, 1], xticklabels=["0", "0.5", "1"])
        despine(axes)
        figure.supxlabel("rank of the true coordinate in its posterior", fontsize=7.5)
        figure.supylabel("replicates / expected", fontsize=7.5)
        _flow_legend(figure, table)
    return figure


def plot_tarp(table: pd.DataFrame) -> Figure:
    """Draws expected coverage minus nominal level, with two standard errors, a row of panels for each noise.

    Numbers in the panels are the p-values of the test that all coverages are nominal, in the colours of the curves.

    Arguments:
        table: Columns dataset, schedule, flow, noise_std, level, coverage, se, p_value.
    """
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
                for number, (flow, (colour, line, _)) in enumerate(_FLOWS.items()):
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
        _flow_legend(figure, table)
    return figure


def _write_p_value(axis: Axes, number: int, p_value: float, colour: str) -> None:
    """Writes one p-value below the upper edge of a panel, beside those of other flows."""
    text = f"{p_value:.2g}" if p_value >= _SMALL_P else f"< {_SMALL_P:g}"
    axis.text(0.02 + 0.33 * number, 0.98, text, transform=axis.transAxes, color=colour, fontsize=5, ha="left", va="top")


def _flow_legend(figure: Figure, table: pd.DataFrame) -> None:
    present = [name for name in _FLOWS if name in set(table["flow"])]
    handles = [Line2D([], [], color=_FLOWS[name][0], ls=_FLOWS[name][1]) for name in present]
    figure.legend(handles, [_FLOWS[name][2] for name in present], loc="outside upper center", ncols=len(present))


def plot_identifiability(table: pd.DataFrame) -> Figure:
    """Draws the differences between latents of the same points under different networks.

    Arguments:
        table: Columns dataset, schedule, kind (seed, architecture, exact), rms_latent_difference.
    """
    pairs = list(dict.fromkeys(zip(table["dataset"], table["schedule"], strict=True)))
    names = {"seed": "between seeds", "architecture": "between architectures", "exact": "to the exact score"}
    kinds = [kind for kind in names if kind in set(table["kind"])]
    with figure_style():
        figure = new_figure(DOUBLE_COLUMN, 2.1)
        axis = figure.subplots()
        for k, kind in enumerate(kinds):
            for place, (dataset, schedule) in enumerate(pairs):
                chosen = table[
                    (table["dataset"] == dataset) & (table["schedule"] == schedule) & (table["kind"] == kind)
                ]
                spread = np.linspace(-0.06, 0.06, len(chosen)) if len(chosen) > 1 else np.zeros(len(chosen))
                at = place + 0.22 * (k - (len(kinds) - 1) / 2) + spread
                axis.plot(at, chosen["rms_latent_difference"], MARKERS[k], color=COLOURS[k], ls="none", alpha=0.8)
        axis.axhline(0.05, color=GREY, lw=0.8, ls=":")
        axis.set_xticks(range(len(pairs)), [f"{dataset}\n{schedule}" for dataset, schedule in pairs])
        axis.set_ylabel("difference of latents (RMS,\nunits of their standard deviation)")
        use_log_scale(axis, "y", (1, 2, 5))
        despine([axis])
        handles = [Line2D([], [], marker=MARKERS[k], color=COLOURS[k], ls="none") for k in range(len(kinds))]
        figure.legend(handles, [names[kind] for kind in kinds], loc="outside upper center", ncols=len(kinds))
    return figure
