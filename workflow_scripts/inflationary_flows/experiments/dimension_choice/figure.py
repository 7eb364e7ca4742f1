"""What flows of one network are worth against the number of dimensions that they keep."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

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

# Of the column `network`.
SHARED, OWN = "shared", "own"
_PANELS = {
    "over_all_kept": "log-likelihood minus\nthat of all kept (nats)",
    "energy_distance": "energy distance to\nheld-out rows",
    "frechet": "Frechet distance to\ntraining digits",
    "reconstruction": "error from d\nnumbers alone",
    "round_trip": "error of round trip",
}
_LOGARITHMIC = ("frechet", "round_trip")
# Where flows that keep all stand: D and D - 1 would be one place.
_BEYOND = 1.6


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
        names = ["one network" if gap == "orig" else f"one network, gap {gap}" for gap in gaps]
        if OWN in set(table["network"]):
            handles.append(Line2D([], [], color="black", marker="D", mfc="white", ls="none"))
            names.append("network of its own")
        handles += [Line2D([], [], color=GREY, ls="--"), Line2D([], [], color=GREY, ls=":")]
        figure.legend(handles, [*names, "principal components", "reference"], loc="outside upper center", ncols=6)
    return figure


def _draw_panel(axis: Axes, rows: pd.DataFrame, chosen: pd.DataFrame, gaps: list[str]) -> None:
    """One metric: a line a gap, diamonds for networks of their own, and what it is compared with."""
    metric, dimension = chosen["metric"].iloc[0], int(rows["kept_dims"].max())
    kept = chosen["kept_dims"]
    chosen = chosen.assign(place=kept.where(kept < dimension, _BEYOND * dimension)).sort_values("place")
    shared, own = (chosen[chosen["network"] == network] for network in (SHARED, OWN))
    bars = metric == "over_all_kept"
    for k, gap in enumerate(gaps):
        line = shared[shared["gap"].isin([gap, "none"])]
        if gap in set(line["gap"]):
            errors = 2 * line["error"] if bars else None
            axis.errorbar(line["place"], line["value"], errors, color=COLOURS[k], marker=MARKERS[k], elinewidth=0.8)
    errors = 2 * own["error"] if bars else None
    axis.errorbar(own["place"], own["value"], errors, fmt="D", color="black", mfc="white", elinewidth=0.8, zorder=3)
    use_log_scale(axis, "x")
    if metric == "reconstruction":
        linear = shared.drop_duplicates("place")
        axis.plot(linear["place"], linear["reference"], "--", color=GREY)
    elif metric == "over_all_kept":
        alone = rows[(rows["metric"] == "log_likelihood") & (rows["gap"] == "none") & (rows["network"] == SHARED)]
        difference = alone["reference"].iloc[0] - alone["value"].iloc[0]
        # It may lie far away.
        axis.text(0.5, 0.03, f"Gaussian: {difference:+.3g}", color=GREY, ha="center", transform=axis.transAxes)
    elif metric != "round_trip":
        axis.axhline(shared["reference"].iloc[0], color=GREY, ls=":")
    if metric in _LOGARITHMIC:
        use_log_scale(axis, "y", (1, 2, 5) if metric == "frechet" else (1,))
    # Numbers that stand too near to others are left out.
    ticks: list[int] = []
    for d in sorted({int(d) for d in kept if 1.5 * d <= dimension}):
        ticks += [d] if not ticks or d >= 1.9 * ticks[-1] else []
    axis.set_xticks([*ticks, _BEYOND * dimension], [*map(str, ticks), "all"])
