"""What flows of one network are worth against the number of dimensions that they keep."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from inflationary_flows.experiments.dimension_choice.measure import OWN, SHARED
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

_PANELS = {
    "over_all_kept": "log-likelihood minus\nthat of all kept (nats)",
    "energy_distance": "energy distance to\nheld-out rows",
    "frechet": "Frechet distance to\ntraining digits",
    "reconstruction": "error from d\nnumbers alone",
    "round_trip": "error of round trip",
}
_LOGARITHMIC = ("frechet", "round_trip")


def draw_dimension_choice(material: Material) -> Figure:
    """Draws a row of panels for each data set, each against the number of kept dimensions.

    Arguments:
        material: Table `dimension_choice`.
    """
    table = material.tables["dimension_choice"]
    table = table.assign(gap=table["gap"].astype(str))
    datasets = list(dict.fromkeys(table["dataset"]))
    panels = [metric for metric in _PANELS if metric in set(table["metric"])]
    gaps = [gap for gap in dict.fromkeys(table["gap"]) if gap != "none"]
    with figure_style():
        figure = new_figure(DOUBLE_COLUMN, 0.5 + 1.6 * len(datasets))
        grid = figure.subplots(len(datasets), len(panels), squeeze=False)
        for line, dataset in zip(grid, datasets, strict=True):
            rows = table[table["dataset"] == dataset]
            for axis, metric in zip(line, panels, strict=True):
                chosen = rows[rows["metric"] == metric]
                if chosen.empty:
                    axis.set_axis_off()
                    continue
                _draw_panel(axis, rows, chosen, gaps)
                axis.set(xlabel="kept dimensions d", title=_PANELS[metric])
                despine([axis])
            line[0].set_ylabel(material.labels.dataset(dataset))
        handles = [Line2D([], [], color=COLOURS[k], marker=MARKERS[k]) for k in range(len(gaps))]
        names = [f"one network, gap {gap}" for gap in gaps]
        if OWN in set(table["network"]):
            handles.append(Line2D([], [], color="black", marker="D", mfc="white", ls="none"))
            names.append("network of its own")
        handles += [Line2D([], [], color=GREY, ls="--"), Line2D([], [], color=GREY, ls=":")]
        figure.legend(handles, [*names, "principal components", "reference"], loc="outside upper center", ncols=6)
    return figure


def _draw_panel(axis: Axes, rows: pd.DataFrame, chosen: pd.DataFrame, gaps: list[str]) -> None:
    """One metric: a line a gap, diamonds for networks of their own, and what it is compared with."""
    metric, dimension = chosen["metric"].iloc[0], int(chosen["kept_dims"].max())
    shared = chosen[chosen["network"] == SHARED].sort_values("kept_dims")
    bars = metric == "over_all_kept"
    for k, gap in enumerate(gaps):
        line = shared[shared["gap"].isin([gap, "none"])]
        errors = 2 * line["error"] if bars else None
        axis.errorbar(line["kept_dims"], line["value"], errors, color=COLOURS[k], marker=MARKERS[k], elinewidth=0.8)
    own = chosen[chosen["network"] == OWN]
    errors = 2 * own["error"] if bars else None
    axis.errorbar(own["kept_dims"], own["value"], errors, fmt="D", color="black", mfc="white", elinewidth=0.8, zorder=3)
    if metric == "reconstruction":
        linear = shared.drop_duplicates("kept_dims")
        axis.plot(linear["kept_dims"], linear["reference"], "--", color=GREY)
    elif metric == "over_all_kept":
        (gaussian,) = rows.loc[
            (rows["metric"] == "log_likelihood") & (rows["gap"] == "none") & (rows["network"] == SHARED),
            ["reference", "value"],
        ].to_numpy()
        axis.axhline(gaussian[0] - gaussian[1], color=GREY, ls=":")
    elif metric != "round_trip":
        axis.axhline(shared["reference"].iloc[0], color=GREY, ls=":")
    use_log_scale(axis, "x")
    known = sorted(set(chosen["kept_dims"]))
    # Numbers that stand too near to others are left out; the last one keeps all.
    shown = [d for before, d in zip([0, *known], known, strict=False) if d > 1.9 * before or d == 1]
    ticks = [d for d in shown if 1.9 * d < dimension]
    axis.set_xticks([*ticks, dimension], [*map(str, ticks), "all"])
    if metric in _LOGARITHMIC:
        use_log_scale(axis, "y", (1, 2, 5) if metric == "frechet" else (1,))
