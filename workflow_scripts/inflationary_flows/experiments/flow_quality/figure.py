"""Distance of generated to fresh points, relative to that between two fresh sets."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.style import (
    COLOURS,
    DOUBLE_COLUMN,
    GREY,
    MARKERS,
    despine,
    figure_style,
    new_figure,
    use_log_scale,
)

# Ticks of a ratio that may be slightly negative.
_TICKS = (-10, -3, -1, 0, 1, 3, 10, 30, 100, 300, 1000)

_SOURCES = {
    "true_pt": "latents from the true $p_T$",
    "prior": "Gaussian prior",
    "prior_empirical": "empirical compressed prior",
}


def _draw_dots(axis: Axes, table: pd.DataFrame, rows: list[str], metric: str, *, relative: bool) -> None:
    """One statistic: a dot for each flow, seed and source of latents."""
    for place, source in enumerate(_SOURCES):
        chosen = table[table["metric"] == f"{metric}_{source}"]
        values = chosen["value"] / chosen["reference"] if relative else chosen["value"]
        heights = [rows.index(row) + 0.2 * (place - 1) for row in chosen["row"]]
        axis.plot(
            values,
            heights,
            MARKERS[place],
            color=COLOURS[place],
            markeredgewidth=0,
            label=_SOURCES[source],
        )


def draw_flow_quality(material: Material) -> Figure:
    """Draws how far generated points are from fresh ones, a row for each flow.

    Distances are divided by the 95 % point between two fresh sets, so that 1 and below cannot be
    told from perfect.

    Arguments:
        material: Table `flow_quality`.
    """
    table = material.labelled("flow_quality")
    table = table.assign(row=table["dataset"] + ", " + table["schedule"])
    rows = list(dict.fromkeys(table["row"]))
    with figure_style():
        figure = new_figure(DOUBLE_COLUMN, 0.2 * len(rows) + 1.0)
        energy, sliced, classifier, excess = figure.subplots(1, 4, sharey=True)
        _draw_dots(energy, table, rows, "energy_distance", relative=True)
        _draw_dots(sliced, table, rows, "sliced_wasserstein", relative=True)
        _draw_dots(classifier, table, rows, "c2st_accuracy", relative=False)
        errors = table[table["metric"] == "excess_denoising_error"]
        excess.plot(
            errors["value"],
            [rows.index(row) for row in errors["row"]],
            MARKERS[3],
            color=COLOURS[3],
            markeredgewidth=0,
        )
        for axis in (energy, sliced):
            axis.axvspan(-1 if axis is energy else 0, 1, color="0.93", lw=0, zorder=0)
        classifier.axvline(0.5, color=GREY, lw=0.9)
        energy.set_xscale("symlog", linthresh=1, linscale=0.7)
        low, high = min(-1.5, energy.get_xlim()[0]), max(4.0, energy.get_xlim()[1])
        energy.set_xticks(_TICKS, [f"{tick:g}" for tick in _TICKS], minor=False)
        energy.set_xlim(low, high)
        energy.axvline(0, color=GREY, lw=0.6)
        use_log_scale(sliced, "x", (1, 3))
        sliced.set_xlim(left=min(0.25, sliced.get_xlim()[0]), right=max(3.5, sliced.get_xlim()[1]))
        classifier.set_xlim(left=min(0.48, classifier.get_xlim()[0]), right=max(0.53, classifier.get_xlim()[1]))
        if (errors["value"] > 0).any():
            use_log_scale(excess, "x", (1, 3))
            # At least a decade, for two labels.
            middle = float(np.sqrt(errors["value"].min() * errors["value"].max()))
            left, right = excess.get_xlim()
            excess.set_xlim(min(left, 0.3 * middle), max(right, 3.5 * middle))
        energy.set(yticks=range(len(rows)), yticklabels=rows, ylim=(len(rows) - 0.5, -0.5))
        for axis, title in (
            (energy, "energy distance\nover floor"),
            (sliced, "sliced Wasserstein\nover floor"),
            (classifier, "classifier\naccuracy"),
            (excess, "excess\ndenoising error"),
        ):
            axis.set_title(title)
            axis.tick_params(axis="y", length=0)
        despine([energy, sliced, classifier, excess])
        handles, names = energy.get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=3)
    return figure
