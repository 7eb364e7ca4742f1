"""Rank histograms of images in their posteriors."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.style import (
    COLOURS,
    DOUBLE_COLUMN,
    MARKERS,
    despine,
    figure_style,
    new_figure,
    p_value_text,
)

# Colour and label of each prior that is drawn.
_PRIORS = {
    "learned": (COLOURS[0], "learned flow"),
    "mixture": (COLOURS[2], "mixture of low-rank Gaussians"),
    "gaussian": (COLOURS[3], "Gaussian of the data"),
    "learned_narrow": (COLOURS[1], "learned flow, draws too narrow"),
}
_TITLES = {
    "pixels": "pixels",
    "scores": "PCA scores",
    "distance": "distance from noisy image",
    "density": "log density",
}
# Shares beyond this many times the expected one are cut off.
_MOST = {"pixels": 2.1, "scores": 2.1, "distance": 4.4, "density": 4.4}


def draw_image_posteriors(material: Material) -> Figure:
    """Draws shares of ranks in each bin relative to uniform, a row a flow and a column a statistic.

    Arguments:
        material: Table `image_posteriors`.
    """
    table = material.labelled("image_posteriors")
    table = table[table["prior"].isin(_PRIORS)]
    flows = list(table.groupby(["dataset", "schedule", "seed"], sort=False))
    statistics = [name for name in _TITLES if name in set(table["statistic"])]
    bins = int(table["bin"].max()) + 1
    with figure_style():
        figure = new_figure(DOUBLE_COLUMN, 1.3 * len(flows) + 0.7)
        axes = figure.subplots(len(flows), len(statistics), squeeze=False, sharex=True, sharey="col")
        for row, ((dataset, schedule, _), of_flow) in enumerate(flows):
            for axis, statistic in zip(axes[row], statistics, strict=True):
                axis.axhline(1, color="0.7", lw=0.6)
                chosen = of_flow[of_flow["statistic"] == statistic]
                for place, (prior, (colour, _)) in enumerate(_PRIORS.items()):
                    curve = chosen[chosen["prior"] == prior]
                    if curve.empty:
                        continue
                    at = (curve["bin"] + 0.5 + 0.12 * (place - (len(_PRIORS) - 1) / 2)) / bins
                    axis.errorbar(
                        at,
                        bins * curve["share"],
                        2 * bins * curve["se"],
                        color=colour,
                        marker=MARKERS[place],
                        ms=2,
                        lw=0.8,
                        elinewidth=0.6,
                    )
                    text = p_value_text(float(curve["p_value"].iloc[0]))
                    axis.text(
                        0.02 + 0.25 * place, 0.99, text, color=colour, fontsize=5, va="top", transform=axis.transAxes
                    )
                if row == 0:
                    axis.set_title(_TITLES[statistic])
                axis.set(xlim=(0, 1), xticks=[0, 0.5, 1], xticklabels=["0", "0.5", "1"], ylim=(0, _MOST[statistic]))
            axes[row, 0].set_ylabel(f"{dataset}, {schedule}")
        despine(list(axes.flat))
        figure.supxlabel("rank of the image in its posterior (in the panels: p-values)", fontsize=7.5)
        figure.supylabel("share / expected", fontsize=7.5)
        present = [place for place, prior in enumerate(_PRIORS) if prior in set(table["prior"])]
        styles = list(_PRIORS.values())
        handles = [Line2D([], [], marker=MARKERS[place], ms=2, color=styles[place][0]) for place in present]
        figure.legend(handles, [styles[place][1] for place in present], loc="outside upper center", ncols=len(present))
    return figure
