"""Densities, latents and posteriors of flows against the true ones."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.style import (
    COLOURS,
    DOUBLE_COLUMN,
    GREY,
    despine,
    figure_style,
    new_figure,
    use_log_scale,
)

# Colour and label of each prior.
PRIORS = {
    "exact": (GREY, "exact density"),
    "learned": (COLOURS[0], "learned flow"),
    "learned_true_latents": (COLOURS[5], "learned, true latents"),
    "exact_flow": (COLOURS[2], "exact flow, Gaussian latents"),
    "gaussian": (COLOURS[3], "Gaussian of the data"),
}
# Table, column, label, and value of the true posterior, or of chance.
PANELS = (
    ("known_densities", "divergence", "divergence to density,\nnats a dimension", None),
    ("known_densities", "latent_error", "error of latents,\nstandard deviations", None),
    ("known_posteriors", "best_accuracy", "accuracy of the best test\nof posteriors", 0.5),
    ("known_posteriors", "c2st_x", "accuracy of a classifier\nof posteriors", 0.5),
    ("known_posteriors", "worst_x", "coverage off its level,\naround references", 0.0),
    ("known_posteriors", "worst_density", "coverage off its level,\nin the order of densities", 0.0),
)
# What is below is no more than the error of the numbers shown.
_LEAST = 1e-4


def draw_known_posteriors(material: Material) -> Figure:
    """Draws six numbers of each flow, a row for each flow, colours for priors, markers for what is observed.

    Arguments:
        material: Tables `known_densities` and `known_posteriors`.
    """
    tables = {name: material.labelled(name) for name in ("known_densities", "known_posteriors")}
    named = {name: table["dataset"] + ", " + table["schedule"] for name, table in tables.items()}
    flows = list(dict.fromkeys(named["known_densities"]))
    with figure_style():
        figure = new_figure(DOUBLE_COLUMN, 1.5 + 0.34 * len(flows))
        axes = figure.subplots(2, 3, sharey=True)
        for axis, (name, column, label, perfect) in zip(axes.flat, PANELS, strict=True):
            table = tables[name]
            observed = table.get("observed")
            missing = np.zeros(len(table), bool) if observed is None else observed.str.endswith("missing").to_numpy()
            for number, (prior, (colour, _)) in enumerate(PRIORS.items()):
                for marker, chosen in (("o", ~missing), ("s", missing)):
                    rows = (table["prior"] == prior).to_numpy() & chosen
                    places = np.array([flows.index(flow) for flow in named[name][rows]])
                    values = table[column][rows].to_numpy()
                    # Exact values of zero have no place on a logarithmic axis.
                    shown = np.isfinite(values) & ((perfect is not None) | (values > _LEAST))
                    shift = 0.14 * (number - 2)
                    axis.plot(values[shown], places[shown] + shift, marker, color=colour, ms=3, mew=0)
            if perfect is None:
                use_log_scale(axis, "x", (1, 2, 5))
            else:
                axis.axvline(perfect, color="0.7", lw=0.6)
            axis.set_xlabel(label)
            axis.set(yticks=range(len(flows)), yticklabels=flows, ylim=(len(flows) - 0.5, -0.5))
        despine(list(axes.flat))
        present = [prior for prior in PRIORS if prior in set(tables["known_posteriors"]["prior"])]
        handles = [Line2D([], [], color=PRIORS[prior][0], marker="o", ms=3, ls="none") for prior in present]
        labels = [PRIORS[prior][1] for prior in present]
        figure.legend(handles, labels, loc="outside upper center", ncols=len(present))
    return figure
