"""Errors and calibration of flows against the length of training."""

from __future__ import annotations

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

# Smaller p-values are drawn here.
_SMALLEST_P = 1e-12
_PANELS = {
    "excess_denoising_error": "excess denoising error",
    "kl_to_flow": "KL of exact to flow\n(nats)",
    "worst": "worst coverage\nminus nominal",
    "p_value": "p-value of calibration",
}
_THRESHOLDS = {"worst": 0.03, "p_value": 0.01}


def draw_training_length(material: Material) -> Figure:
    """Draws each error against the number of optimiser steps, a line a flow.

    Arguments:
        material: Table `training_length`.
    """
    table = material.labelled("training_length")
    table["p_value"] = table["p_value"].clip(lower=_SMALLEST_P)
    lengths = sorted(table.loc[table["prior"] == "learned", "steps"].unique())
    # Numbers that stand too near to others are left out.
    labelled = [n for before, n in zip([0, *lengths], lengths, strict=False) if n > 1.6 * before]
    with figure_style():
        figure = new_figure(DOUBLE_COLUMN, 3.6)
        axes = list(figure.subplots(2, 2, sharex=True).flat)
        for axis, (column, label) in zip(axes, _PANELS.items(), strict=True):
            for k, ((dataset, schedule), rows) in enumerate(table.groupby(["dataset", "schedule"], sort=False)):
                curve = rows[rows["prior"] != "exact"].sort_values("steps")
                bars = 2 * curve["kl_to_flow_error"] if column == "kl_to_flow" else None
                style = {"color": COLOURS[k], "marker": MARKERS[k], "elinewidth": 0.8}
                axis.errorbar(curve["steps"], curve[column], yerr=bars, label=f"{dataset}, {schedule}", **style)
                if column in _THRESHOLDS:
                    exact = rows.loc[rows["prior"] == "exact", column].iloc[0]
                    axis.axhline(exact, color=COLOURS[k], lw=0.7, ls="--")
            if column in _THRESHOLDS:
                axis.axhline(_THRESHOLDS[column], color=GREY, lw=0.9, ls=":")
            use_log_scale(axis, "y", (1, 2, 5) if column == "worst" else (1,))
            axis.set_ylabel(label)
            # The Gaussian stands at 0, and the axis is linear up to the shortest training.
            axis.set_xscale("symlog", linthresh=lengths[0], linscale=0.5)
            axis.set_xticks([0, *labelled], ["0", *(f"{length:,.0f}" for length in labelled)], rotation=30)
            axis.minorticks_off()
        axes[2].set_xlabel("optimiser steps")
        axes[3].set_xlabel("optimiser steps")
        despine(axes)
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=4)
    return figure
