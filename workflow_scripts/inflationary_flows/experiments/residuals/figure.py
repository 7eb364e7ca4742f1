"""Correlations in time of denoising residuals."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.style import COLOURS, GREY, despine, figure_style, new_panels


def draw_residual_correlation(material: Material) -> Figure:
    """Draws the correlation of denoising residuals with those at the first and at the middle time, against time.

    Arguments:
        material: Table `residual_correlation`.
    """
    table = material.labelled("residual_correlation")
    groups = list(table.groupby(["dataset", "schedule"], sort=False))
    styles = {"exact": (GREY, "--", "exact denoiser"), "learned": (COLOURS[0], "-", "learned denoiser")}
    middle = table["time_a"].unique()
    middle = middle[np.abs(middle - 0.5).argmin()]
    with figure_style():
        figure, axes = new_panels(len(groups), columns=5, height=1.15, sharex=True, sharey=True)
        for axis, ((dataset, schedule), group) in zip(axes, groups, strict=True):
            axis.axhline(0, color="0.7", lw=0.6)
            for name, (colour, line, label) in styles.items():
                for _, seeded in group[group["denoiser"] == name].groupby("seed", sort=False):
                    start = seeded[seeded["time_a"] == 0]
                    axis.plot(start["time_b"], start["correlation"], line, color=colour, label=label)
                    late = seeded[seeded["time_a"] == middle]
                    axis.plot(late["time_b"], late["correlation"], line, color=colour, alpha=0.45)
            axis.set_title(f"{dataset}, {schedule}")
            axis.set(xlim=(0, 1), xticks=[0, 0.5, 1], xticklabels=["0", "0.5", "1"])
        despine(axes)
        figure.supxlabel("time, share of the range", fontsize=7.5)
        figure.supylabel("correlation of residuals", fontsize=7.5)
        handles, names = axes[0].get_legend_handles_labels()
        unique = dict(zip(names, handles, strict=True))
        unique["with those at the start"] = Line2D([], [], color="black")
        unique["with those half way"] = Line2D([], [], color="black", alpha=0.45)
        figure.legend(list(unique.values()), list(unique), loc="outside upper center", ncols=4)
    return figure
