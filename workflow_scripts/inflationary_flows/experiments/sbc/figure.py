"""Ranks of true values among draws of their posteriors: weights of the mixture, and coordinates of clean points."""

from __future__ import annotations

from matplotlib.figure import Figure

from inflationary_flows.experiments.tarp.figure import PRIORS, prior_legend
from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.style import COLOURS, GREY, despine, figure_style, new_panels

# Priors of clean points that are drawn; the table has more.
_RANKED = ("exact", "learned", "miscalibrated", "box")


def draw_sbc(material: Material) -> Figure:
    """Draws rank histograms of the mixture's weights with simultaneous 95 % bands, a row for each schedule.

    Arguments:
        material: Table `sbc`, of which the quantities named weight1, weight2, ... are drawn.
    """
    table = material.labelled("sbc")
    table = table[table["quantity"].str.startswith("weight") & (table["flow"] == "learned")]
    groups = list(table.groupby(["dataset", "schedule", "seed", "quantity"], sort=False))
    with figure_style():
        figure, axes = new_panels(len(groups), columns=3, height=1.4, sharex=True, sharey=True)
        for axis, ((dataset, schedule, _, quantity), group) in zip(axes, groups, strict=True):
            axis.axhspan(group["lower"].iloc[0] - 0.5, group["upper"].iloc[0] + 0.5, color="0.9", lw=0)
            axis.axhline(group["expected"].iloc[0], color=GREY, lw=0.8)
            axis.bar(group["bin"], group["count"], width=0.9, color=COLOURS[0])
            name = str(quantity).replace("weight", "weight ")
            p_value, p_width = group[["p_value", "p_width"]].iloc[0]
            axis.set_title(f"{dataset}, {schedule}: {name}\np = {p_value:.2g}, of the width {p_width:.2g}")
            axis.set(xticks=[])
        despine(axes)
        figure.supxlabel("rank of the true weight among posterior draws", fontsize=7.5)
        figure.supylabel("replicates", fontsize=7.5)
    return figure


def draw_posterior_ranks(material: Material) -> Figure:
    """Draws how the ranks of clean points are distributed, relative to uniform, for each prior.

    Arguments:
        material: Table `sbc`, of which all quantities but weights are drawn.
    """
    table = material.labelled("sbc")
    table = table[~table["quantity"].str.startswith("weight") & table["flow"].isin(_RANKED)]
    pairs = list(table.groupby(["dataset", "schedule"], sort=False))
    # The largest noise leaves most to the prior, and shows best what is wrong with it.
    noise = table["noise_std"].max()
    with figure_style():
        figure, axes = new_panels(len(pairs), columns=5, height=1.2, sharey=True)
        for axis, ((dataset, schedule), pair) in zip(axes, pairs, strict=True):
            chosen = pair[pair["noise_std"] == noise]
            expected = chosen["expected"].iloc[0]
            axis.axhspan(chosen["lower"].iloc[0] / expected, chosen["upper"].iloc[0] / expected, color="0.9", lw=0)
            for flow in _RANKED:
                colour, line, _ = PRIORS[flow]
                for _, curve in chosen[chosen["flow"] == flow].groupby(["seed", "quantity"], sort=False):
                    bins = len(curve)
                    axis.plot((curve["bin"] + 0.5) / bins, curve["count"] / expected, line, color=colour, lw=0.8)
            axis.set_title(f"{dataset}, {schedule}")
            axis.set(xlim=(0, 1), xticks=[0, 0.5, 1], xticklabels=["0", "0.5", "1"])
        despine(axes)
        figure.supxlabel("rank of the true coordinate in its posterior", fontsize=7.5)
        figure.supylabel("replicates / expected", fontsize=7.5)
        prior_legend(figure, table)
    return figure
