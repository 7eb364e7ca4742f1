"""Figure 1: the same marginals by paths of the SDE, by the Fokker-Planck density, and by lines of the pfODE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.style import COLOURS, DOUBLE_COLUMN, despine, figure_style, new_figure, use_log_scale

_TITLES = {
    "sde": "SDE: stochastic paths",
    "fokker_planck": "Fokker–Planck: density",
    "pfode": "pfODE: integral lines",
}
_HEIGHT = 3.2
# Widths of a panel, of the marginals beside it and of the gap to the next, in the same units.
_WIDTHS = {"edge": 1.0, "panel": 5.2, "gap": 0.45}
# Scaled units shown on either side of the mean: all but one point in a thousand of a Gaussian.
_LIMIT = 3.3
_SHADES = LinearSegmentedColormap.from_list("shades", ["white", "0.6"])
_DENSITY = LinearSegmentedColormap.from_list("density", ["white", "#C9DDEC", "#5FA0CC", "#0072B2", "#00395A"])
# Narrow marginals at the start are several times as dense as the Gaussian at the end; both should be seen.
_GAMMA = 0.6
_BINS = 66
# Of wandering paths every second is drawn: more hide each other.
_EVERY = {"sde": 2, "pfode": 1}
_PATHS = {"sde": "sde_paths", "pfode": "pfode_lines"}


def draw_fig01(material: Material) -> Figure:
    """Draws the three descriptions side by side, and below them how far each is from the closed form.

    Paths and lines start at the same points and are coloured by the component of the mixture that they start in; one of
    each component is drawn thicker, the same in both.  Beside each panel stand what this description has at the first
    and at the last time (filled), and the density of the data and the Gaussian of the latents (lines).

    Arguments:
        material: Arrays `marginals`, those of the measurement, and the table `marginals`.

    Returns:
        The figure, two columns wide.
    """
    (arrays,), table = material.arrays["marginals"], material.tables["marginals"]
    widths = [_WIDTHS[part] for _ in _TITLES for part in ("edge", "panel", "edge", "gap")][:-1]
    with figure_style():
        figure = new_figure(DOUBLE_COLUMN, _HEIGHT)
        # Panels stand exactly above each other, whatever their labels.
        figure.set_layout_engine("none")
        grid = figure.add_gridspec(
            2,
            len(widths),
            width_ratios=widths,
            height_ratios=[3.0, 1.0],
            left=0.065,
            right=0.995,
            bottom=0.115,
            top=0.935,
            wspace=0.0,
            hspace=0.1,
        )
        below: list[Axes] = []
        for number, (name, title) in enumerate(_TITLES.items()):
            column = 4 * number
            left, panel, right = (figure.add_subplot(grid[0, column + k]) for k in range(3))
            _draw_description(panel, name, arrays)
            for axis, end, law in ((left, 0, "data"), (right, -1, "latent")):
                _draw_edge(axis, name, arrays, end, arrays[f"{law}_density"])
                axis.text(0.55, 0.02, law, ha="center", va="bottom", fontsize=6, color="0.3", transform=axis.transAxes)
            panel.set_title(f"$\\bf{{{'abc'[number]}}}$  {title}")
            shared = below[0] if below else None
            below.append(figure.add_subplot(grid[1, column + 1], sharex=panel, sharey=shared))
            _draw_distance(below[-1], table[(table["description"] == name) & (table["t_fraction"] > 0)])
            if number == 0:
                left.set_yticks([-2, 0, 2])
                left.set_ylabel("scaled coordinate $A(t)\\,u$")
                below[0].set_ylabel("distance to the\nclosed form")
            else:
                below[-1].tick_params(labelleft=False)
        below[0].legend(loc="lower left", handlelength=1.8, borderaxespad=0.2, labelspacing=0.2)
        despine(below)
    return figure


def _draw_description(axis: Axes, name: str, arrays: Mapping[str, np.ndarray]) -> None:
    """One panel: density as shading, paths or lines on it."""
    times, faces = arrays["times"], arrays["faces"]
    density, colours = arrays["exact_density"], _SHADES
    if name not in _PATHS:
        density, colours = arrays["density"], _DENSITY
    centres = (faces[:-1] + faces[1:]) / 2
    shown = np.abs(centres) <= _LIMIT + (faces[1] - faces[0])
    norm = PowerNorm(_GAMMA, 0.0, float(density.max()))
    shading: Any = {"cmap": colours, "norm": norm, "shading": "gouraud", "rasterized": True}
    axis.pcolormesh(times, centres[shown], density[:, shown].T, **shading)
    if name in _PATHS:
        paths, components = arrays[_PATHS[name]], arrays["components"]
        thick = _middles(components, _EVERY["sde"])
        for chosen, width, opacity in ((range(0, paths.shape[1], _EVERY[name]), 0.45, 0.75), (thick, 1.2, 1.0)):
            lines = [np.stack([times, paths[:, k]], 1) for k in chosen]
            inks = [COLOURS[components[k] % len(COLOURS)] for k in chosen]
            axis.add_collection(LineCollection(lines, colors=inks, linewidths=width, alpha=opacity))
    axis.set(xlim=(times[0], times[-1]), ylim=(-_LIMIT, _LIMIT), yticks=[])
    axis.tick_params(labelbottom=False)
    axis.grid(False)


def _middles(components: np.ndarray, every: int) -> list[int]:
    """The middle one, among each `every`-th, of the paths of each component."""
    drawn = np.arange(0, len(components), every)
    groups = [drawn[components[drawn] == component] for component in np.unique(components[drawn])]
    return [int(group[len(group) // 2]) for group in groups]


def _draw_edge(axis: Axes, name: str, arrays: Mapping[str, np.ndarray], end: int, known: np.ndarray) -> None:
    """The marginal of a description at one end of time, filled, and a known density, both growing outwards."""
    faces = arrays["faces"]
    centres = (faces[:-1] + faces[1:]) / 2
    style: Any = {"color": "0.78", "linewidth": 0}
    if name in _PATHS:
        points = arrays[f"{name}_ends"][end]
        edges = np.linspace(-_LIMIT, _LIMIT, _BINS + 1)
        heights = np.histogram(points, edges)[0] / (len(points) * np.diff(edges))
        axis.fill_betweenx(edges, 0, np.append(heights, 0.0), step="post", **style)
    else:
        heights = arrays["density"][end]
        axis.fill_betweenx(centres, 0, heights, **style)
    highest = max(float(heights.max()), float(known.max()))
    # Where there is nothing, the line would double the frame of the panel.
    axis.plot(np.where(known > 2e-3 * highest, known, np.nan), centres, color="black", lw=0.8)
    reach = (0.0, 1.12 * highest)
    axis.set(xlim=reach[::-1] if end == 0 else reach, ylim=(-_LIMIT, _LIMIT), xticks=[], yticks=[])
    axis.tick_params(length=0)
    axis.grid(False)
    for spine in axis.spines.values():
        spine.set_visible(False)


def _draw_distance(axis: Axes, rows: pd.DataFrame) -> None:
    """Distance of a description to the closed form against time, and that of a perfect sampler."""
    style: Any = {"color": "0.35", "mfc": "white", "mew": 0.8, "ms": 2.6, "lw": 0.8}
    axis.plot(rows["t"], rows["distance"], "o-", **style, clip_on=False, label="measured")
    if (rows["reference"] > 0).all():
        axis.plot(rows["t"], rows["reference"], "--", color=COLOURS[1], lw=0.9, label="perfect sampler")
    use_log_scale(axis, "y")
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axis.set_xlabel("time $t$")
