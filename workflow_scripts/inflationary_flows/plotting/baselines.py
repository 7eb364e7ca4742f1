"""Our flow beside injective flows, from tables: samples, reconstructions, Frechet distances, coverage and costs.

Panels are data sets with their schedules; `method_panels` says how methods look in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from inflationary_flows.plotting.frechet import DISTANCES
from inflationary_flows.plotting.method_panels import (
    BAND,
    CHANCE,
    FROM_ZERO,
    LOG,
    MOST_COLUMNS,
    SIGNED,
    TITLE,
    Measure,
    Place,
    at_pair,
    draw_hollow,
    draw_means,
    draw_measures,
    method_looks,
    new_method_panels,
    pairs_of,
    present_methods,
    rows_of,
    run_axes,
    seed_legend,
    title_of,
)
from inflationary_flows.plotting.style import DOUBLE_COLUMN, GREY, SINGLE_COLUMN, despine, figure_style, new_figure

ENERGY, CLASSIFIER = "energy_distance", "c2st_accuracy"
# A Frechet distance is known by its smallest value over draws, which stands beside its mean under this name.
BEST = "_best"

# Values that are farther apart than this factor need a logarithmic axis.
_FAR = 8.0
# What is called equal training: time and parameters within this share of ours.
_FAIR = 0.2


def plot_baseline_samples(table: pd.DataFrame, methods: Mapping[str, str], floor: pd.DataFrame | None = None) -> Figure:
    """Draws how far generated points are from fresh ones, a column of panels for each data set and schedule.

    Arguments:
        table: Columns method, dataset, schedule, seed, metric, value, n of `baselines.csv`.
        methods: Labels of methods by name, ours first.
        floor: Columns dataset, metric, q95, n of `two_sample_floor.csv`, where it is known: up to there, in grey,
            generated points cannot be told from fresh ones.

    Returns:
        The figure: energy distance above, accuracy of a classifier below, with a line at chance.
    """
    measures = [
        Measure(ENERGY, "energy distance", SIGNED, shared=True),
        Measure(CLASSIFIER, "classifier\naccuracy", CHANCE, shared=True),
    ]
    tops = _tops_of_floor(table, floor) if floor is not None else {}
    with figure_style():
        figure, panels = draw_measures(table, measures, methods, tops)
        for (pair, metric), axis in panels.items():
            if metric == CLASSIFIER:
                axis.axvline(0.5, color=GREY, lw=0.9, zorder=1)
            if (pair, metric) in tops:
                axis.axvspan(axis.get_xlim()[0], tops[pair, metric], color=BAND, lw=0, zorder=0)
        seed_legend(figure, table, [Patch(color=BAND, lw=0, label="as far as fresh points")] if tops else [])
    return figure


def _tops_of_floor(table: pd.DataFrame, floor: pd.DataFrame) -> dict[Place, float]:
    """The 95 % points between two fresh sets of as many points as the table compares.

    Between fresh sets of n points an energy distance is of order 1 / n, and an accuracy differs from one half by the
    order of 1 / sqrt(n).
    """
    tops = {}
    for pair in pairs_of(table):
        for metric, ideal, power in ((ENERGY, 0.0, 1.0), (CLASSIFIER, 0.5, 0.5)):
            known = floor[(floor["dataset"] == pair[0]) & (floor["metric"] == metric)]
            compared = rows_of(table, pair, metric)["n"]
            if len(known) and len(compared):
                scale = (float(known["n"].iloc[0]) / float(compared.max())) ** power
                tops[pair, metric] = ideal + scale * (float(known["q95"].iloc[0]) - ideal)
    return tops


def plot_baseline_reconstruction(table: pd.DataFrame, methods: Mapping[str, str]) -> Figure:
    """Draws errors of held-out points that are made again from as many numbers as are kept, and from all there are.

    Arguments:
        table: Columns method, dataset, schedule, seed, metric, value of `baselines.csv`.
        methods: Labels of methods by name, ours first.

    Returns:
        The figure: a column of two panels for each data set and schedule; errors are in squared units of the data.
    """
    measures = [
        Measure("reconstruction_mse", "error from\nkept latents", LOG),
        Measure("roundtrip_mse", "error from\nall latents", LOG),
    ]
    with figure_style():
        figure, _ = draw_measures(table, measures, methods)
        seed_legend(figure, table)
    return figure


def plot_baseline_costs(table: pd.DataFrame, methods: Mapping[str, str]) -> Figure:
    """Draws what methods cost, with a band of a fifth around the parameters and training seconds of the first.

    Arguments:
        table: Columns method, dataset, schedule, seed, metric, value of `baselines.csv`.
        methods: Labels of methods by name, ours first.

    Returns:
        The figure: a column of three panels for each data set and schedule.
    """
    measures = [
        Measure("parameters", "parameters", FROM_ZERO),
        Measure("training_seconds", "training,\nseconds", FROM_ZERO),
        Measure("sample_seconds", "a sample,\nseconds", LOG),
    ]
    ours = next(iter(methods))
    own = table[table["method"] == ours].groupby(["dataset", "schedule", "metric"])["value"].mean().dropna()
    places = [(pair, measure.metric) for pair in pairs_of(table) for measure in measures[:2]]
    fair = {(pair, metric): float(own[*pair, metric]) for pair, metric in places if (*pair, metric) in own}
    with figure_style():
        tops = {place: (1 + _FAIR) * value for place, value in fair.items()}
        figure, panels = draw_measures(table, measures, methods, tops)
        for place, value in fair.items():
            panels[place].axvspan((1 - _FAIR) * value, (1 + _FAIR) * value, color=BAND, lw=0, zorder=0)
        band = Patch(color=BAND, lw=0, label=f"within {100 * _FAIR:.0f} % of {methods[ours]}")
        seed_legend(figure, table, [band] if fair else [])
    return figure


def frechet_metrics(table: pd.DataFrame) -> list[str]:
    """The Frechet distances of a table, by the name of their extractor: those whose best draw is in it, too."""
    present = list(dict.fromkeys(table["metric"]))
    return [name for name in present if f"{name}{BEST}" in present]


def plot_baseline_frechet(table: pd.DataFrame, methods: Mapping[str, str]) -> Figure:
    """Draws Frechet distances of generated images, a panel for each data set, schedule and extractor.

    Arguments:
        table: Columns method, dataset, schedule, seed, metric, value of `baselines.csv`, of image sets.
        methods: Labels of methods by name, ours first.

    Returns:
        The figure; hollow markers are means over seeds of the best draw, where a network has several draws.
    """
    chosen = table[table["metric"].isin([f"{name}{end}" for name in frechet_metrics(table) for end in ("", BEST)])]
    panels = [
        (pair, name)
        for pair in pairs_of(chosen)
        for name in frechet_metrics(chosen)
        if len(rows_of(chosen, pair, name).dropna(subset="value"))
    ]
    present = present_methods(chosen, methods)
    hollow = False
    with figure_style():
        figure, axes = new_method_panels(len(panels), 1, len(present), extra=TITLE)
        for (axis,), (pair, name) in zip(axes, panels, strict=True):
            means, best = rows_of(chosen, pair, name), rows_of(chosen, pair, f"{name}{BEST}")
            draw_means(axis, means, methods, present, "")
            # With one draw both are the same.
            if not np.array_equal(means["value"].to_numpy(), best["value"].to_numpy(), equal_nan=True):
                draw_hollow(axis, best, methods, present)
                hollow = True
            drawn = pd.concat([means["value"], best["value"]]).dropna()
            far = drawn.min() > 0 and drawn.max() > _FAR * drawn.min()
            run_axes([axis], drawn, LOG if far else FROM_ZERO)
            axis.set_title(title_of(pair, len(panels)))
            axis.set_xlabel(DISTANCES.get(name, name))
        look: dict[str, Any] = {"marker": "o", "color": GREY, "ls": "none", "mfc": "white"}
        seed_legend(figure, chosen, [Line2D([], [], label="best draw", **look)] if hollow else [])
    return figure


def plot_baseline_coverage(table: pd.DataFrame, methods: Mapping[str, str]) -> Figure:
    """Draws expected coverage minus nominal level, a row of panels for each noise.

    Arguments:
        table: Columns method, dataset, schedule, seed, noise_std, level, coverage, se of `baseline_coverage.csv`.
        methods: Labels of methods by name, ours first.

    Returns:
        The figure: means over seeds, faint lines single seeds.  The grey band around zero holds two standard errors of
        a single network's coverage, which come from the number of replicates.
    """
    pairs, present = pairs_of(table), present_methods(table, methods)
    noises = sorted(table["noise_std"].unique())
    columns = min(MOST_COLUMNS, len(pairs))
    rows = -(-len(pairs) // columns) * len(noises)
    with figure_style():
        width = max(SINGLE_COLUMN, DOUBLE_COLUMN * columns / max(columns, 3))
        figure = new_figure(width, (1.05 if rows > 1 else 1.7) * rows + 0.55)
        axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey="row")
        for place in range(rows // len(noises) * columns):
            for k, noise in enumerate(noises):
                axis = axes[place // columns * len(noises) + k, place % columns]
                if place >= len(pairs):
                    axis.remove()
                    continue
                _draw_coverage(axis, at_pair(table, pairs[place]).query("noise_std == @noise"), methods)
                axis.set_title(title_of(pairs[place], len(pairs)) if k == 0 else "")
                axis.set_ylabel(f"noise {noise:g}" if place % columns == 0 else "")
                # Panels above a removed one are last, too.
                axis.tick_params(labelbottom=k == len(noises) - 1 and place + columns >= len(pairs))
                despine([axis])
        figure.supxlabel("nominal level", fontsize=7.5)
        figure.supylabel("coverage minus nominal", fontsize=7.5)
        looks = method_looks(methods)
        handles: list[Any] = [Line2D([], [], color=looks[name][0], marker=looks[name][1], mew=0) for name in present]
        handles.append(Patch(color=BAND, lw=0))
        labels = [*(methods[name] for name in present), "± 2 standard errors"]
        beside = len(labels) if columns > 2 and sum(map(len, labels)) < 90 else 2
        figure.legend(handles, labels, loc="outside upper center", ncols=beside)
    return figure


def _draw_coverage(axis: Axes, rows: pd.DataFrame, methods: Mapping[str, str]) -> None:
    """The curves of all methods in one panel."""
    axis.axhline(0, color="0.7", lw=0.6, zorder=0)
    bar = 2 * np.sqrt((rows["se"] ** 2).groupby(rows["level"]).mean())
    axis.fill_between(bar.index, -bar, bar, color=BAND, lw=0, zorder=0)
    looks = method_looks(methods)
    # Ours, the first, lies above the others.
    for name, (colour, marker) in reversed(looks.items()):
        mine = rows[rows["method"] == name]
        if not len(mine):
            continue
        curves = mine.assign(gap=mine["coverage"] - mine["level"])
        mean = curves.groupby("level")["gap"].mean()
        if mine["seed"].nunique() > 1:
            for _, curve in curves.groupby("seed"):
                axis.plot(curve["level"], curve["gap"], color=colour, lw=0.5, alpha=0.45)
        every = max(1, len(mean) // 5)
        axis.plot(mean.index, mean, color=colour, marker=marker, mew=0, markevery=(every // 2, every))
    axis.set(xlim=(0, 1), xticks=[0, 0.5, 1], xticklabels=["0", "0.5", "1"])
