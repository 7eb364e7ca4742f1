"""Uncertainty of examples: balls in data space, their images along the flow, and their latents."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.mlab import GaussianKDE

from inflationary_flows.files.datasets import load_dataset
from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.style import COLOURS, DOUBLE_COLUMN, GREY, despine, figure_style, new_figure

_ROW_HEIGHT = 1.3
_GRID = 60
# A kernel density estimate of more points says the same and takes longer.
_KERNELS = 1_000


def draw_propagation(material: Material) -> Figure:
    """Draws each example in a row: its ball in data space, images along the flow, the distribution of its latent.

    Points of two coordinates are shown as they are in data space; all else by the first two coordinates of the
    eigenbasis, so that panels can be followed from left to right.  Contours hold the levels of the shown pair,
    crosses are the intervals of its coordinates.

    Arguments:
        material: File `posteriors`, with a group {schedule}_seed{seed} for each of the param `flows`.

    Returns:
        The figure: a band of rows for each flow.
    """
    (path,) = material.files["posteriors"]
    seeds = {schedule: seed for _, schedule, seed in material.flows()}
    posteriors = {s: load_dataset(path, f"{s}_seed{seeds[s]}") for s in material.preserving_first(seeds)}
    heights = [_ROW_HEIGHT * posterior.sizes["example"] + 0.35 for posterior in posteriors.values()]
    with figure_style():
        figure = new_figure(DOUBLE_COLUMN, sum(heights))
        bands = figure.subfigures(len(posteriors), 1, squeeze=False, height_ratios=heights)[:, 0]
        for band, (schedule, posterior) in zip(bands, posteriors.items(), strict=True):
            _draw_band(band, posterior, material.labels.schedule(schedule))
    return figure


def _draw_band(band: FigureBase, posterior: xr.Dataset, title: str) -> None:
    """The examples of one flow."""
    examples, frames = posterior.sizes["example"], posterior.sizes["frame"]
    paths, balls = posterior["context_path"].values, posterior["ball_path"].values
    planar = posterior.sizes["coordinate"] == 2
    # The last frame is the latents, which have a panel of their own.
    middle = range(1, frames - 1)
    axes = band.subplots(examples, len(middle) + 3, squeeze=False)
    for example, row in enumerate(axes):
        ball, colour = balls[example], COLOURS[example % len(COLOURS)]
        if planar:
            x = posterior["x"].values[0, : ball.shape[1], example]
            _draw_ball(row[0], posterior["context_x"].values, x, colour)
        else:
            _draw_ball(row[0], paths[0][:, :2], ball[0][:, :2], colour)
        for axis, frame in zip(row[1:], [*middle, frames - 1], strict=False):
            _draw_ball(axis, paths[frame][:, :2], ball[frame][:, :2], colour)
        _draw_latent(row[-1], posterior, example, colour)
        row[0].set_ylabel(f"example {example + 1}")
    for column, name in ((0, f"{title}: data"), (1, "along the flow"), (-2, "latents"), (-1, "its latent")):
        if len(middle) or column != 1:
            axes[0][column].set_title(name)
    levels = ", ".join(f"{level:.0%}".replace("%", " %") for level in sorted(posterior["level"].values))
    axes[-1][-1].set_xlabel(f"latent 1 / its deviation\n({levels} of the mass)", fontsize=6.5)
    axes[-1][-1].set_ylabel("latent 2", fontsize=6.5)
    despine(list(axes.flat))


def _draw_ball(axis: Axes, context: np.ndarray, ball: np.ndarray, colour: str) -> None:
    """A ball, shape (m, 2), in front of data, shape (n, 2)."""
    axis.plot(*context.T, ".", ms=1.0, mew=0, color="0.75", rasterized=True)
    axis.plot(*ball.T, ".", ms=1.4, mew=0, color=colour, alpha=0.6, rasterized=True)
    axis.set(xticks=[], yticks=[])
    axis.set_aspect("equal", adjustable="datalim")


def _draw_latent(axis: Axes, posterior: xr.Dataset, example: int, colour: str) -> None:
    """Two latents of an example in units of their deviations, with contours and intervals."""
    scale = posterior["latent_std"].values[:2]
    z = posterior["z"].values[0, :, example, :2] / scale
    levels = posterior["level"].values
    axis.plot(*z[:_KERNELS].T, ".", ms=1.0, mew=0, color=GREY, alpha=0.5, rasterized=True)
    _draw_contours(axis, z, levels, colour)
    centre = posterior["mean"].values[example, :2] / scale
    for k in range(len(levels)):
        low = posterior["lower"].values[example, k, :2] / scale
        high = posterior["upper"].values[example, k, :2] / scale
        width = 0.6 + 0.9 * (levels[k] == levels.min())
        axis.plot([low[0], high[0]], [centre[1]] * 2, color="black", lw=width)
        axis.plot([centre[0]] * 2, [low[1], high[1]], color="black", lw=width)


def _draw_contours(axis: Axes, points: np.ndarray, levels: np.ndarray, colour: str) -> None:
    """Contours of the smallest regions that hold the given shares of points, shape (n, 2)."""
    density = GaussianKDE(points[:_KERNELS].T)
    heights = np.quantile(density(points[:_KERNELS].T), sorted({1 - float(level) for level in levels}))
    low, high = np.quantile(points, [0.001, 0.999], axis=0)
    margin = 0.3 * (high - low)
    sides = [np.linspace(low[i] - margin[i], high[i] + margin[i], _GRID) for i in range(2)]
    grid = np.meshgrid(*sides)
    values = density(np.stack([side.ravel() for side in grid])).reshape(grid[0].shape)
    # Levels that hold the same points, as of a tiny sample, would be one contour twice.
    axis.contour(*grid, values, levels=np.unique(heights), colors=[colour], linewidths=0.9)
