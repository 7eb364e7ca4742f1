"""Toys with a wide or a thin coordinate on their way to fewer dimensions, and what they lose."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.style import COLOURS, despine, figure_style
from inflationary_flows.plotting.toys import HEADER, ROW_HEIGHT, draw_toys, name_directions, new_toy_figure

# Inches.
_PANEL = 1.75
# Columns of the table, drawn beside each other for each flow.
_LOSSES = {
    "pca_mse": "PCA with equal dimension",
    "conditional_variance": "kept latents, conditional variance",
    "reconstruction_mse": "decoded from kept latents (others 0)",
}


def _draw_losses(axis: Axes, table: pd.DataFrame) -> None:
    """Bars of each loss over the variance, a group for each flow; dots are seeds."""
    rows = list(dict.fromkeys(table["row"]))
    width = 0.75 / len(_LOSSES)
    shares = table[[*_LOSSES, "roundtrip_mse"]].div(table["variance"], axis=0)
    means = shares.groupby(table["row"], sort=False).mean()
    for place, (column, name) in enumerate(_LOSSES.items()):
        shift = (place - (len(_LOSSES) - 1) / 2) * width
        bars = axis.bar(np.arange(len(rows)) + shift, means[column], 0.92 * width, color=COLOURS[place], label=name)
        axis.bar_label(bars, [f"{100 * mean:.1f} %" for mean in means[column]], fontsize=6, padding=1.5)
        if table["seed"].nunique() > 1:
            axis.plot([rows.index(row) + shift for row in table["row"]], shares[column], ".", color="black", ms=2)
    names = [f"{row}\nall latents: {100 * means['roundtrip_mse'][row]:.0e} %" for row in rows]
    axis.set(xticks=range(len(rows)), xticklabels=names, ylabel="variance lost")
    axis.set_xlim(-0.5, len(rows) - 0.5)
    # Room for the numbers above the bars.
    axis.set_ylim(0, 1.12 * axis.get_ylim()[1])
    axis.tick_params(axis="x", length=0)
    axis.grid(visible=False, axis="x")
    axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")


def draw_thin_coordinate_study(material: Material) -> Figure:
    """Draws flows as figures 2 and 3 do, and below them what of the variance they lose with their compressed latents.

    Arguments:
        material: Arrays `snapshots` of the param `flows`, the same number of frames in all, and the table
            `thin_coordinate_study`, of which several seeds are averaged.

    Returns:
        The figure, two columns wide.
    """
    flows = material.flows()
    snapshots = material.rows("snapshots", flows)
    names = [(dataset, schedule, title) for (dataset, schedule, _), title in zip(flows, snapshots, strict=True)]
    rows = pd.DataFrame(names, columns=["dataset", "schedule", "row"])
    table = rows.merge(material.tables["thin_coordinate_study"], on=["dataset", "schedule"])
    with figure_style():
        height = len(snapshots) * ROW_HEIGHT + HEADER
        figure = new_toy_figure(height + _PANEL)
        upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=[height, _PANEL])[:, 0]
        tops = draw_toys(upper, snapshots)
        axis = lower.subplots()
        _draw_losses(axis, table)
        despine([axis])
        lower.legend(loc="outside upper center", ncols=len(_LOSSES))
        name_directions(figure, tops)
    return figure
