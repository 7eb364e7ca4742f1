"""Agreement of the latents of the same points under different networks."""

from __future__ import annotations

import numpy as np
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


def draw_identifiability(material: Material) -> Figure:
    """Draws the differences between latents of the same points under different networks.

    Arguments:
        material: Table `identifiability`.
    """
    table = material.labelled("identifiability")
    pairs = list(dict.fromkeys(zip(table["dataset"], table["schedule"], strict=True)))
    names = {"seed": "between seeds", "architecture": "between architectures", "exact": "to the exact score"}
    names |= {"sample": "exact, between samples of the data"}
    kinds = [kind for kind in names if kind in set(table["kind"])]
    with figure_style():
        figure = new_figure(DOUBLE_COLUMN, 2.1)
        axis = figure.subplots()
        for k, kind in enumerate(kinds):
            for place, (dataset, schedule) in enumerate(pairs):
                chosen = table[
                    (table["dataset"] == dataset) & (table["schedule"] == schedule) & (table["kind"] == kind)
                ]
                spread = np.linspace(-0.06, 0.06, len(chosen)) if len(chosen) > 1 else np.zeros(len(chosen))
                at = place + 0.22 * (k - (len(kinds) - 1) / 2) + spread
                axis.plot(at, chosen["rms_latent_difference"], MARKERS[k], color=COLOURS[k], ls="none", alpha=0.8)
        axis.axhline(0.05, color=GREY, lw=0.8, ls=":")
        axis.set_xticks(range(len(pairs)), [f"{dataset}\n{schedule}" for dataset, schedule in pairs])
        axis.set_ylabel("difference of latents (RMS,\nunits of their standard deviation)")
        use_log_scale(axis, "y", (1, 2, 5))
        despine([axis])
        handles = [Line2D([], [], marker=MARKERS[k], color=COLOURS[k], ls="none") for k in range(len(kinds))]
        figure.legend(handles, [names[kind] for kind in kinds], loc="outside upper center", ncols=len(kinds))
    return figure
