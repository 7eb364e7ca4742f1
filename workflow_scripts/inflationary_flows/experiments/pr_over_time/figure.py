"""The participation ratio over time under both kernel families, of flows that differ."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.style import COLOURS, despine, figure_style, new_panels

_KERNELS = {"floor": (COLOURS[0], "-"), "proportional": (COLOURS[1], "--")}
_SHOWN = 4
# Titles of so many letters have two lines.
_LONG = 22


def draw_pr_over_time(material: Material) -> Figure:
    """Draws PR(t) for both kernel families, and of points that trained flows carry, a panel for each of four flows.

    The first flow is the one whose two kernels differ most, relative to the participation ratio of its data; each next
    one is farthest from those before it, of data sets without a panel as long as there are any.

    Arguments:
        material: Table `pr_over_time`.
    """
    table = material.labelled("pr_over_time")
    curves = table[table["of"] == "equation"]
    groups = dict(list(curves.groupby(["dataset", "schedule"], sort=False)))
    shown = _most_different({(str(d), str(s)): _curves(group) for (d, s), group in groups.items()})
    with figure_style():
        figure, axes = new_panels(len(shown), columns=_SHOWN, height=1.5)
        for axis, flow in zip(axes, shown, strict=True):
            # Schedules that differ by their kernel alone share a panel.
            alike = [other for other in groups if other[0] == flow[0] and _are_alike(groups[other], groups[flow])]
            points = table[(table["of"] == "points") & (table["dataset"] == flow[0])]
            carried = points[points["schedule"].isin([schedule for _, schedule in alike])]
            _draw_ratio(axis, groups[flow], carried, (", " if len("".join(flow)) < _LONG else ",\n").join(flow))
        despine(axes)
        figure.supxlabel("time, share of the range", fontsize=7.5)
        figure.supylabel("participation ratio", fontsize=7.5)
        entries = {
            name: handle for axis in axes for handle, name in zip(*axis.get_legend_handles_labels(), strict=True)
        }
        figure.legend(entries.values(), entries.keys(), loc="outside upper center", ncols=4)
    return figure


def _curves(group: pd.DataFrame) -> np.ndarray:
    """PR(t) over that of the data under each kernel, shape (kernels, times)."""
    wide = group.pivot_table(index="kernel", columns="t_fraction", values="participation_ratio")
    return (wide / wide.loc[:, [0.0]].to_numpy().max()).to_numpy()


def _are_alike(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether PR(t) of two flows is the same under both kernels, to a thousandth."""
    return np.allclose(_curves(one), _curves(other), rtol=1e-3)


def _most_different(curves: dict[tuple[str, str], np.ndarray]) -> list[tuple[str, str]]:
    """Flows by the rule of the figure, in the order of the table."""
    chosen: list[tuple[str, str]] = []
    while len(chosen) < min(_SHOWN, len(curves)):

        def place(flow: tuple[str, str]) -> tuple[bool, float]:
            is_new = all(flow[0] != dataset for dataset, _ in chosen)
            distances = [float(np.abs(curves[flow] - curves[other]).max()) for other in chosen]
            return is_new, min(distances, default=float(np.ptp(curves[flow], 0).max()))

        chosen.append(max((flow for flow in curves if flow not in chosen), key=place))
    return [flow for flow in curves if flow in chosen]


def _draw_ratio(axis: Axes, group: pd.DataFrame, carried: pd.DataFrame, title: str) -> None:
    """PR(t) of one data set and schedule under each kernel, and of points under the flow's own."""
    for kernel, curve in group.groupby("kernel", sort=False):
        colour, line = _KERNELS[str(kernel)]
        axis.plot(curve["t_fraction"], curve["participation_ratio"], line, color=colour, label=kernel)
    for kernel, points in carried.groupby("kernel", sort=False):
        own = _KERNELS[str(kernel)][0]
        axis.plot(
            points["t_fraction"],
            points["participation_ratio"],
            ".",
            color=own,
            ms=3,
            label=f"points of a flow, {kernel}",
        )
    low, high = axis.get_ylim()
    # A constant must look like one: never less than a tenth of the value from below to above.
    middle = (low + high) / 2
    if high - low < 0.1 * middle:
        axis.set_ylim(0.95 * middle, 1.05 * middle)
    axis.set_title(title)
    axis.set(xlim=(0, 1), xticks=[0, 0.5, 1], xticklabels=["0", "0.5", "1"])
