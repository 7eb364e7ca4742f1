"""Solvers by error and cost: all flows in one panel, and each flow in its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.names import SOLVERS
from inflationary_flows.plotting.style import (
    COLOURS,
    GREY,
    MARKERS,
    SINGLE_COLUMN,
    despine,
    figure_style,
    new_figure,
    new_panels,
    use_log_scale,
)

_REFERENCE = "reference"
# The paper's solver; of several numbers of steps the largest is the paper's.
_PAPER = "euler_scaled"
# Errors of zero have no place on a logarithmic axis.
_SMALLEST = 1e-17


def _looks(place: int, solver: str) -> dict[str, Any]:
    """Marker, colour, line and label of a solver, by its place in the table."""
    looks = {"marker": MARKERS[place % len(MARKERS)], "color": COLOURS[place % len(COLOURS)], "markeredgewidth": 0}
    return looks | {"ls": "-" if place < len(COLOURS) else "--", "label": SOLVERS.get(solver, solver)}


def draw_solver_comparison(material: Material) -> Figure:
    """Draws the error of generation relative to that of the paper's solver against evaluations, a line a solver.

    Lines are medians over flows, bands reach from the first to the third quartile.

    Arguments:
        material: Table `solver_comparison`; without the paper's solver, errors are in data units.
    """
    table = material.tables["solver_comparison"]
    flow = ["dataset", "schedule", "seed"]
    table = table.assign(error=table["generation_rmse"].clip(lower=_SMALLEST)).sort_values("evaluations", kind="stable")
    paper = table[table["solver"] == _PAPER].groupby(flow)["error"].last()
    if len(paper):
        table = table.assign(error=table["error"] / paper.loc[list(table[flow].itertuples(index=False))].to_numpy())
    # The adaptive solver takes other numbers of steps in each flow: its tolerances are told apart by their order.
    table = table.assign(setting=table.groupby([*flow, "solver"]).cumcount())
    solvers = [name for name in dict.fromkeys(material.tables["solver_comparison"]["solver"]) if name != _REFERENCE]
    with figure_style():
        figure = new_figure(1.4 * SINGLE_COLUMN, 3.6)
        axis = figure.subplots()
        for place, solver in enumerate(solvers):
            settings = table[table["solver"] == solver].groupby("setting")
            evaluations, errors = settings["evaluations"].median(), settings["error"]
            looks = _looks(place, solver)
            axis.plot(evaluations, errors.median(), **looks)
            band = errors.quantile(0.25), errors.quantile(0.75)
            axis.fill_between(evaluations, *band, color=looks["color"], alpha=0.15, lw=0)
        if len(paper):
            axis.axhline(1, color=GREY, ls=":", lw=0.9)
        use_log_scale(axis, "x", (1, 3))
        use_log_scale(axis, "y")
        axis.set_xlabel("network evaluations")
        axis.set_ylabel("generation error / error of the paper's setting" if len(paper) else "generation error")
        despine([axis])
        figure.legend(loc="outside upper center", ncols=2)
    return figure


def draw_solver_comparison_flows(material: Material) -> Figure:
    """Draws the error of generation against network evaluations, a panel for each data set and schedule.

    Arguments:
        material: Table `solver_comparison`; several seeds are averaged geometrically.  The solver named `reference` is
            drawn as the level below which nothing is resolved.
    """
    table = material.labelled("solver_comparison")
    logged = table.assign(error=np.log(table["generation_rmse"].clip(lower=_SMALLEST)))
    keys = ["dataset", "schedule", "solver", "steps"]
    means = logged.groupby(keys, sort=False, as_index=False)[["evaluations", "error"]].mean()
    means["error"] = np.exp(means["error"])
    solvers = [name for name in dict.fromkeys(means["solver"]) if name != _REFERENCE]
    groups = list(means.groupby(["dataset", "schedule"], sort=False))
    with figure_style():
        figure, axes = new_panels(len(groups), columns=5, height=1.4, sharex=True, sharey=len(groups) > 1)
        for axis, ((dataset, schedule), group) in zip(axes, groups, strict=True):
            for place, solver in enumerate(solvers):
                line = group[group["solver"] == solver].sort_values("evaluations")
                axis.plot(line["evaluations"], line["error"], **_looks(place, solver))
            reference = group[group["solver"] == _REFERENCE]["error"]
            if len(reference):
                axis.axhline(float(reference.iloc[0]), color=GREY, ls=":", lw=0.9, label="reference's own")
            use_log_scale(axis, "x", (1, 3))
            use_log_scale(axis, "y")
            axis.set_title(f"{dataset}, {schedule}")
        despine(axes)
        figure.supxlabel("network evaluations", fontsize=7.5)
        figure.supylabel("generation error", fontsize=7.5)
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=4)
    return figure
