"""Our flow beside injective flows, from tables: samples, reconstructions, Frechet distances, coverage and costs.

Panels are data sets with their schedules; `panels` says how methods look in them.
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

from inflationary_flows.experiments.baselines.panels import (
    BAND,
    CHANCE,
    FEW,
    FROM_ZERO,
    LOG,
    MOST_COLUMNS,
    REFERENCES,
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
from inflationary_flows.experiments.baselines.points import Pictures, PointRow, draw_points
from inflationary_flows.plotting.material import Arrays, Material
from inflationary_flows.plotting.names import DISTANCES
from inflationary_flows.plotting.style import DOUBLE_COLUMN, GREY, SINGLE_COLUMN, despine, figure_style, new_figure

ENERGY, CLASSIFIER = "energy_distance", "c2st_accuracy"
# A Frechet distance is known by its smallest value over draws, which stands beside its mean under this name.
BEST = "_best"

# Values that are farther apart than this factor need a logarithmic axis.
_FAR = 8.0
# What is called equal training: time and parameters within this share of ours.
_FAIR = 0.2


# Marker of what d random numbers give.
_HOLLOW: dict[str, Any] = {"marker": "o", "color": GREY, "ls": "none", "mfc": "white"}


def _compared(material: Material, name: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """A table, and labels of all methods by name, ours first, and of what stands beside them."""
    table = material.labelled(name)
    trained = material.labels.methods(method for method in table["method"] if method not in REFERENCES)
    return table, trained | {name: label for name, (label, _) in REFERENCES.items() if name in set(table["method"])}


def draw_baseline_samples(material: Material) -> Figure:
    """Draws how far generated points are from fresh ones, a column of panels for each data set and schedule.

    Arguments:
        material: Table `baselines`; table `floors`, where the distance of fresh points is known: up to there, in grey,
            generated points cannot be told from fresh ones.

    Returns:
        The figure: energy distance above, accuracy of a classifier below, with a line at chance.
    """
    table, methods = _compared(material, "baselines")
    measures = [
        Measure(ENERGY, "energy distance", SIGNED, shared=True),
        Measure(CLASSIFIER, "classifier\naccuracy", CHANCE, shared=True),
    ]
    # Sets of images of many coordinates have no floor, and may be all that is compared.
    tops = _tops_of_floor(table, material) if "floors" in material.tables else {}
    with figure_style():
        figure, panels = draw_measures(table, measures, methods, tops)
        for (pair, metric), axis in panels.items():
            if metric == CLASSIFIER:
                axis.axvline(0.5, color=GREY, lw=0.9, zorder=1)
            if (pair, metric) in tops:
                axis.axvspan(axis.get_xlim()[0], tops[pair, metric], color=BAND, lw=0, zorder=0)
        more = [Patch(color=BAND, lw=0, label="as far as fresh points")] if tops else []
        seed_legend(figure, table, [*_few_legend(table), *more])
    return figure


def _few_legend(table: pd.DataFrame) -> list[Line2D]:
    """What hollow markers are, if there are any."""
    return [Line2D([], [], label="d random numbers", **_HOLLOW)] if FEW in set(table["random"]) else []


def draw_baseline_scores(material: Material) -> Figure:
    """Draws how good posteriors of clean points are, at the strongest noise, where the prior matters most.

    Arguments:
        material: Table `baselines`, of which toys are drawn.

    Returns:
        The figure: a column of three panels for each toy: error of coverage at the worst reference; what the log score
        lacks, and what the energy score has more, than under the exact density.
    """
    table, methods = _compared(material, "baselines")
    noise = max((name for name in table["metric"] if name.startswith("tarp_error_")), key=lambda n: float(n[11:]))[11:]
    chosen = table[table["metric"].isin([f"{name}_{noise}" for name in ("tarp_error", "log_score", "energy_score")])]
    exact = chosen[chosen["method"] == "exact"].set_index(["dataset", "schedule", "metric"])["value"]
    known = chosen.join(exact.rename("exact"), on=["dataset", "schedule", "metric"])
    sign = known["metric"].str.split("_").str[0].map({"log": -1.0, "energy": 1.0})
    regret = chosen.assign(value=known["value"].where(sign.isna(), sign * (known["value"] - known["exact"])))
    # Differences of the exact density from itself say nothing.
    regret = regret[(regret["method"] != "exact") | sign.isna()]
    measures = [
        Measure(f"tarp_error_{noise}", "worst error\nof coverage", LOG, shared=True),
        Measure(f"log_score_{noise}", "log score\nlacks, nats", SIGNED, shared=True),
        Measure(f"energy_score_{noise}", "energy score,\nexcess", SIGNED, shared=True),
    ]
    with figure_style():
        figure, _ = draw_measures(regret, measures, methods)
        seed_legend(figure, chosen, _few_legend(chosen))
    return figure


def _tops_of_floor(table: pd.DataFrame, material: Material) -> dict[Place, float]:
    """The 95 % points between two fresh sets of as many points as the table compares.

    Between fresh sets of n points an energy distance is of order 1 / n, and an accuracy differs from one half by the
    order of 1 / sqrt(n).
    """
    floor = material.tables["floors"]
    floor = floor.assign(dataset=floor["dataset"].map(material.labels.dataset))
    tops = {}
    for pair in pairs_of(table):
        for metric, ideal, power in ((ENERGY, 0.0, 1.0), (CLASSIFIER, 0.5, 0.5)):
            known = floor[(floor["dataset"] == pair[0]) & (floor["metric"] == metric)]
            compared = rows_of(table, pair, metric)["n"]
            if len(known) and len(compared):
                scale = (float(known["n"].iloc[0]) / float(compared.max())) ** power
                tops[pair, metric] = ideal + scale * (float(known["q95"].iloc[0]) - ideal)
    return tops


def draw_baseline_reconstruction(material: Material) -> Figure:
    """Draws errors of held-out points that are reconstructed from the kept latents, and from all latents.

    Arguments:
        material: Table `baselines`.

    Returns:
        The figure: a column of two panels for each data set and schedule; errors are in squared units of the data.
    """
    table, methods = _compared(material, "baselines")
    measures = [
        Measure("reconstruction_mse", "error from\nkept latents", LOG),
        Measure("roundtrip_mse", "error from\nall latents", LOG),
    ]
    with figure_style():
        figure, _ = draw_measures(table, measures, methods)
        seed_legend(figure, table)
    return figure


def draw_baseline_costs(material: Material) -> Figure:
    """Draws what methods cost, with a band of a fifth around the parameters and training seconds of the first.

    Arguments:
        material: Table `baselines`.

    Returns:
        The figure: a column of three panels for each data set and schedule.
    """
    table, methods = _compared(material, "baselines")
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


def draw_baseline_frechet(material: Material) -> Figure:
    """Draws Frechet distances of generated images, a panel for each data set, schedule and extractor.

    Arguments:
        material: Table `baselines`, of which image sets are drawn.

    Returns:
        The figure; hollow markers are means over seeds of the best draw, where a network has several draws.
    """
    table, methods = _compared(material, "baselines")
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
        seed_legend(figure, chosen, [Line2D([], [], label="best draw", **_HOLLOW)] if hollow else [])
    return figure


def draw_baseline_coverage(material: Material) -> Figure:
    """Draws expected coverage minus nominal level, a row of panels for each noise.

    Arguments:
        material: Table `baseline_coverage`, of which posteriors from D random numbers are drawn.

    Returns:
        The figure: means over seeds at the reference where these are worst, faint lines single seeds.  The grey band
        around zero holds two standard errors of a single network's coverage, which come from the number of replicates.
    """
    table, methods = _compared(material, "baseline_coverage")
    table = table[table["random"] != FEW]
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
        gaps = curves.pivot_table(index="reference", columns="level", values="gap")
        worst = gaps.abs().max(axis=1).idxmax()
        curves = curves[curves["reference"] == worst]
        mean = curves.groupby("level")["gap"].mean()
        if mine["seed"].nunique() > 1:
            for _, curve in curves.groupby("seed"):
                axis.plot(curve["level"], curve["gap"], color=colour, lw=0.5, alpha=0.45)
        every = max(1, len(mean) // 5)
        axis.plot(mean.index, mean, color=colour, marker=marker, mew=0, markevery=(every // 2, every))
    axis.set(xlim=(0, 1), xticks=[0, 0.5, 1], xticklabels=["0", "0.5", "1"])


def draw_baseline_points(material: Material) -> Figure:
    """Draws what each method generates, as `points.draw_points` does.

    Arguments:
        material: Arrays `points` of the models (method, data set, schedule, seed) that the param `models` lists; shape
            and levels of the data sets of images are the param `images`.
    """
    models: dict[tuple[str, str, str], dict[str, Arrays]] = {}
    for (method, *flow), arrays in zip(material.params["models"], material.arrays["points"], strict=True):
        models.setdefault((flow[0], flow[1], str(flow[2])), {})[method] = arrays
    formats = {name: Pictures(tuple(i["shape"]), i["levels"]) for name, i in material.params["images"].items()}
    titles = zip(material.labels.rows(list(models)), models, strict=True)
    rows = [PointRow(title, models[flow], formats.get(flow[0])) for title, flow in titles]
    return draw_points(rows, material.labels.methods(method for method, *_ in material.params["models"]))
