"""Shells carried through the flow: how many points they keep, and what they look like."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import Axes3D
from mpl_toolkits.mplot3d.art3d import Line3DCollection

from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.style import COLOURS, DOUBLE_COLUMN, GREY, despine, figure_style, new_figure

_STAGES = {"before": "latents", "generated": "generated", "returned": "inflated again"}


def draw_shell_retention(material: Material) -> Figure:
    """Draws the percentage inside at each stage, and below it its changes: means and two deviations over seeds.

    Arguments:
        material: Table `shell_retention`.
    """
    everything = material.labelled("shell_retention")
    table = everything[everything["weights"] == "learned"]
    groups = list(table.groupby(["dataset", "schedule"], sort=False))
    with figure_style():
        figure = new_figure(DOUBLE_COLUMN * max(len(groups), 3) / max(len(groups), 4), 3.0)
        axes = figure.subplots(2, len(groups), squeeze=False, sharex=True, sharey="row")
        for (above, below), ((dataset, schedule), group) in zip(axes.T, groups, strict=True):
            wide = group.pivot_table(index=["seed", "radius"], columns="stage", values="percent_inside")
            below.axhline(0, color="0.7", lw=0.6)
            for k, (stage, label) in enumerate(_STAGES.items()):
                style = {"color": GREY if stage == "before" else COLOURS[k - 1], "lw": 0.8, "capsize": 1.5}
                # Side by side, because they lie on each other.
                _draw_spread(above, wide[stage], 0.05 * (k - 1), fmt="o-", label=label, **style)
                if stage != "before":
                    _draw_spread(below, wide[stage] - wide["before"], 0.05 * (k - 1.5), fmt="o", **style)
            control = everything[
                (everything["dataset"] == dataset)
                & (everything["schedule"] == schedule)
                & (everything["weights"] == "shuffled")
            ]
            if len(control):
                wide = control.pivot_table(index=["seed", "radius"], columns="stage", values="percent_inside")
                change = (wide["generated"] - wide["before"]).groupby("radius").mean()
                below.plot(change.index, change, "x", color=GREY, ms=3, label="shuffled weights")
            above.set_title(f"{dataset}, {schedule}")
            below.set_xticks(sorted(group["radius"].unique())[::2])
        axes[0, 0].set_ylabel("percent inside")
        axes[1, 0].set_ylabel("change, points")
        despine(list(axes.flat))
        figure.supxlabel("Mahalanobis radius of the shell", fontsize=7.5)
        handles, names = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=3)
    return figure


def _draw_spread(axis: Axes, values: pd.Series, shift: float, **style: Any) -> None:
    """Mean and two standard deviations over seeds, by radius."""
    by_radius = values.groupby("radius")
    mean, deviation = by_radius.mean(), by_radius.std(ddof=1).fillna(0.0)
    axis.errorbar(mean.index + shift, mean, 2 * deviation, **style)


def draw_shell_retention_schematic(material: Material) -> Figure:
    """Draws shells and points as latents, generated, and inflated again, a row for each flow.

    Arguments:
        material: Arrays `shells` of the param `flows`: {stage}_points, {stage}_shells of each stage, and faces.
    """
    flows = material.flow_arrays("shells")
    with figure_style():
        figure = new_figure(DOUBLE_COLUMN * 0.8, 1.75 * len(flows) + 0.2)
        for row, ((dataset, schedule, _), arrays) in enumerate(flows.items()):
            name = f"{material.labels.dataset(dataset)}, {material.labels.schedule(schedule)}"
            solid = arrays["faces"].shape[1] == 3
            edges = _edges(arrays["faces"]) if solid else None
            for column, (stage, title) in enumerate(_STAGES.items()):
                place = row * len(_STAGES) + column + 1
                axis = figure.add_subplot(len(flows), len(_STAGES), place, projection="3d" if solid else None)
                points, shells = arrays[f"{stage}_points"], arrays[f"{stage}_shells"]
                # Every second shell of a surface: more hide each other.
                chosen = range(1, len(shells), 2) if solid else range(len(shells))
                axis.plot(*points[:600].T, ".", ms=0.8, color=GREY, mew=0, alpha=0.6)
                for k in chosen:
                    colour = COLOURS[k % len(COLOURS)]
                    if isinstance(axis, Axes3D):
                        lines = Line3DCollection(shells[k][edges], colors=colour, linewidths=0.15, alpha=0.6)
                        axis.add_collection3d(lines)
                    else:
                        axis.add_collection(LineCollection([_closed(shells[k])], colors=colour, linewidths=0.7))
                        axis.autoscale_view()
                axis.set_title(f"{name}: {title}" if column == 0 else title)
                axis.tick_params(labelsize=5)
                if not solid:
                    despine([axis])
    return figure


def _closed(polygon: np.ndarray) -> np.ndarray:
    return np.concatenate([polygon, polygon[:1]])


def _edges(triangles: np.ndarray) -> np.ndarray:
    """Edges of a mesh, once each, shape (k, 2)."""
    return np.unique(np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1), axis=0)
