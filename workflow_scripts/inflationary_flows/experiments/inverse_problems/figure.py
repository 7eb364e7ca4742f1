"""Images that are seen in part: what is seen, draws, mean and spread of their posteriors, and coverage of pixels."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

from inflationary_flows.plotting.material import Arrays, Material
from inflationary_flows.plotting.style import COLOURS, DOUBLE_COLUMN, MARKERS, despine, figure_style, new_figure

# Title of each problem, and colour, marker and label of each prior.
_PROBLEMS = {"half": "upper half", "squares": "means of squares", "blur": "blurred"}
_PRIORS = {
    "learned": "learned flow",
    "mixture": "mixture of low-rank Gaussians",
    "gaussian": "Gaussian of the data",
    "guidance": "guidance, no posterior",
}
_LEVELS = {"coverage_50": 0.5, "coverage_90": 0.9}
_HIDDEN = COLOURS[5]
# Inches of a row of images, of the panels below, and of what stands around them.
_SIDE, _PANEL, _MARGIN = 0.62, 1.5, 0.4


def draw_inverse_problems(material: Material) -> Figure:
    """Draws each image in a row, and below the coverage in a panel each problem.

    Arguments:
        material: Table `inverse_problems`; file `pictures` of each data set, with arrays of the param `flows`.
    """
    pictures = material.rows("pictures", material.flows())
    table = material.labelled("inverse_problems")
    heights = [_SIDE * sum(len(of_flow[f"{name}/truth"]) for name in _PROBLEMS) + 0.3 for of_flow in pictures.values()]
    with figure_style():
        figure = new_figure(DOUBLE_COLUMN, sum(heights) + _PANEL + _MARGIN)
        bands = figure.subfigures(len(heights) + 1, 1, squeeze=False, height_ratios=[*heights, _PANEL + _MARGIN])[:, 0]
        for band, (title, of_flow) in zip(bands[:-1], pictures.items(), strict=True):
            _draw_images(band, of_flow, title.replace("\n", ", "))
        _draw_coverage(bands[-1], table)
    return figure


def _draw_images(band: FigureBase, arrays: Arrays, title: str) -> None:
    """The images of one flow."""
    chains = arrays["half/draws"].shape[1]
    columns = ["image", "seen", *[f"draw {k + 1}" for k in range(chains)], "mean", "spread", "mean, mixture"]
    rows = [(name, place) for name in _PROBLEMS for place in range(len(arrays[f"{name}/truth"]))]
    axes = band.subplots(len(rows), len(columns), squeeze=False)
    widest = max(float(arrays[f"{name}/spread"].max()) for name in _PROBLEMS)
    for row, (name, place) in zip(axes, rows, strict=True):
        own = {
            key: arrays[f"{name}/{key}"][place] for key in ("truth", "observed", "draws", "mean", "spread", "mixture")
        }
        grey = [own["truth"], own["observed"], *own["draws"], own["mean"], own["mixture"]]
        places = [*range(chains + 3), chains + 4]
        for axis, image in zip(row[places], grey, strict=True):
            _show(axis, image, "grey_r", (-1, 1))
        _show(row[chains + 3], own["spread"].mean(0, keepdims=True), "magma", (0, widest))
        mark = "" if arrays[f"{name}/converged"][place] else "*"
        row[0].set_ylabel(f"{name}{mark}", fontsize=6.5)
    for axis, column in zip(axes[0], columns, strict=True):
        axis.set_title(column, fontsize=6.5)
    band.suptitle(title, fontsize=7.5)


def _show(axis: Axes, image: np.ndarray, colours: str, limits: tuple[float, float]) -> None:
    """One image, shape (C, H, W); grey unless it has three channels."""
    colour_map = mpl.colormaps[colours].with_extremes(bad=_HIDDEN)
    if len(image) == 1:
        axis.imshow(image[0], cmap=colour_map, vmin=limits[0], vmax=limits[1], interpolation="nearest")
    else:
        shown = (np.moveaxis(image, 0, 2) - limits[0]) / (limits[1] - limits[0])
        axis.imshow(np.clip(np.nan_to_num(shown, nan=0.5), 0, 1), interpolation="nearest")
    axis.set(xticks=[], yticks=[])
    axis.grid(visible=False)


def _draw_coverage(band: FigureBase, table: pd.DataFrame) -> None:
    """Shares of pixels within intervals, minus their levels, a panel a problem."""
    axes = band.subplots(1, len(_PROBLEMS), squeeze=False, sharey=True)[0]
    for axis, name in zip(axes, _PROBLEMS, strict=True):
        axis.axhline(0, color="0.7", lw=0.6)
        for place, prior in enumerate(_PRIORS):
            rows = table[(table["problem"] == name) & (table["prior"] == prior)]
            for shift, (_, row) in enumerate(rows.iterrows()):
                at = np.arange(len(_LEVELS)) + 0.14 * (place - 1.5) + 0.03 * (shift - (len(rows) - 1) / 2)
                away = [row[column] - level for column, level in _LEVELS.items()]
                error = [2 * np.nan_to_num(row[f"{column}_se"]) for column in _LEVELS]
                label = _PRIORS[prior] if shift == 0 else None
                axis.errorbar(at, away, error, fmt=MARKERS[place], ms=2.5, lw=0.7, color=COLOURS[place], label=label)
        axis.set(title=_PROBLEMS[name], xlim=(-0.5, 1.5))
        axis.set_xticks(range(len(_LEVELS)), [f"{level:.0%}".replace("%", " %") for level in _LEVELS.values()])
    axes[0].set_ylabel("coverage, minus level")
    axes[len(axes) // 2].set_xlabel("level of the interval of a pixel")
    handles, labels = axes[0].get_legend_handles_labels()
    band.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    despine(list(axes))
