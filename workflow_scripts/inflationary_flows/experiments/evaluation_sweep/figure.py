"""Frechet distance and round-trip error of image flows against network evaluations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.names import DISTANCES, IMAGE_ERRORS, SOLVERS
from inflationary_flows.plotting.style import (
    COLOURS,
    DOUBLE_COLUMN,
    MARKERS,
    SINGLE_COLUMN,
    despine,
    figure_style,
    new_figure,
    use_log_scale,
)

_ROUNDTRIP = "roundtrip_mse"


def draw_evaluation_sweep(material: Material) -> Figure:
    """Draws Frechet distance (above) and round-trip error (below) against network evaluations, a column for each flow.

    Arguments:
        material: Table `evaluation_sweep`; seeds are averaged, errors geometrically.

    Returns:
        The figure.  The grey band holds what is within 2 % of the distance at the most evaluations by Heun's method.
    """
    table = material.labelled("evaluation_sweep")
    groups = list(table.groupby(["dataset", "schedule"], sort=False))
    solvers = list(dict.fromkeys(table["solver"]))
    handles: dict[str, Any] = {}
    with figure_style():
        legend_columns = (1, 2, 4, 5)[min(len(groups), 4) - 1]
        legend_rows = -(-(len(solvers) + 1) // legend_columns)
        many, before = len(groups) > 8, ""
        columns = 6 if many else 4
        figure, pairs = _paired_panels(len(groups), columns, 2.4 if many else 2.9, 0.16 * legend_rows + 0.1)
        for place, ((upper, lower), ((dataset, schedule), group)) in enumerate(zip(pairs, groups, strict=True)):
            metrics = set(group["metric"])
            distance = next((name for name in DISTANCES if name in metrics), "")
            for panel, metric in ((upper, distance), (lower, _ROUNDTRIP)):
                for number, solver in enumerate(solvers):
                    line = _averaged(group[(group["metric"] == metric) & (group["solver"] == solver)])
                    if len(line):
                        handles[solver] = panel.plot(
                            line.index,
                            line,
                            marker=MARKERS[number % len(MARKERS)],
                            color=COLOURS[number % len(COLOURS)],
                            markeredgewidth=0,
                            label=SOLVERS.get(solver, solver),
                        )[0]
                use_log_scale(panel, "x", (1, 3))
            values = group["value"][group["metric"] == distance]
            if len(values) and float(values.min()) > 0 and float(values.max()) > 4 * float(values.min()):
                use_log_scale(upper, "y", (1, 1.5, 2, 3, 5, 7))
            use_log_scale(lower, "y")
            _show_a_decade(lower)
            reference = _averaged(group[(group["metric"] == distance) & group["solver"].str.startswith("heun")])
            if len(reference):
                best = float(reference.iloc[-1])
                handles["band"] = upper.axhspan(0.98 * best, 1.02 * best, color="0.85", lw=0, zorder=0)
                handles["band"].set_label(r"$\pm 2$ % of Heun's last")
            upper.set_title(f"{dataset}, {schedule}".replace(", ", ",\n", int(many)))
            upper.tick_params(labelbottom=False)
            lower.sharex(upper)
            # Columns are narrow where there are many flows: a label stands where the metric changes.
            if not many or place % columns == 0 or distance != before:
                upper.set_ylabel(DISTANCES.get(distance, ""))
            before = distance
            if place % columns == 0:
                lower.set_ylabel(IMAGE_ERRORS["mse"])
            despine([upper, lower])
        figure.supxlabel("network evaluations", fontsize=7.5)
        ordered = [handles[name] for name in [*solvers, "band"] if name in handles]
        figure.legend(handles=ordered, loc="outside upper center", ncols=legend_columns)
    return figure


def _show_a_decade(panel: Axes) -> None:
    """Widens a logarithmic axis to a decade and more, for two labels."""
    low, high = panel.get_ylim()
    widened = max(1.0, (12 * low / high) ** 0.5)
    panel.set_ylim(low / widened, high * widened)


def _averaged(rows: pd.DataFrame) -> pd.Series:
    """Values against evaluations, in their order."""
    logs = np.log(rows["value"].clip(lower=1e-12)).groupby(rows["evaluations"]).mean()
    return np.exp(logs.sort_index())


def _paired_panels(count: int, columns: int, height: float, extra: float = 0.0) -> tuple[Figure, list[list[Axes]]]:
    """A figure of pairs of panels, one above the other, at most so many pairs side by side; sizes in inches."""
    columns = min(columns, count)
    bands = -(-count // columns)
    figure = new_figure(max(SINGLE_COLUMN, DOUBLE_COLUMN * columns / max(columns, 3)), height * bands + extra)
    axes = figure.subplots(2 * bands, columns, squeeze=False)
    pairs = [[axes[2 * band + row, column] for row in (0, 1)] for band in range(bands) for column in range(columns)]
    for panel in (panel for pair in pairs[count:] for panel in pair):
        panel.remove()
    return figure, pairs[:count]
