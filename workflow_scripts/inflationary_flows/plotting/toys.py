"""Figures 2 and 3: toys on their way to the latents and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.spatial import cKDTree

from inflationary_flows.plotting.style import (
    DOUBLE_COLUMN,
    figure_style,
    label_colours,
    new_figure,
)

_ROW_HEIGHT = 0.66
_HEADER = 0.42
_ELEVATION = 20


def _best_azimuth(points: np.ndarray, labels: np.ndarray) -> int:
    """Degrees from which unlike labels of points, shape (n, 3), overlap least."""
    elevation = np.radians(_ELEVATION)

    def overlap(azimuth: int) -> float:
        turn = np.radians(azimuth)
        right = [-np.sin(turn), np.cos(turn), 0.0]
        up = [
            -np.sin(elevation) * np.cos(turn),
            -np.sin(elevation) * np.sin(turn),
            np.cos(elevation),
        ]
        seen = points @ np.array([right, up]).T
        _, neighbours = cKDTree(seen).query(seen, k=min(6, len(seen)))
        return float(np.mean(np.abs(labels[neighbours] - labels[:, None])))

    return min(range(-180, 180, 10), key=overlap)


def _limit(snapshot: Mapping[str, np.ndarray]) -> float:
    """Half the width of a row's panels: nearly all points of all its frames are inside."""
    frames = np.concatenate([snapshot["inflation"], snapshot["generation"]])
    solid = frames.shape[2] >= 3
    # A box is seen from afar; its few outermost points may stand beyond its walls.
    return 1.05 * float(np.quantile(np.abs(frames[:, :, :3]), 0.98 if solid else 0.999))


def _draw_points(axis: Any, points: np.ndarray, labels: np.ndarray, limit: float, azimuth: int) -> None:
    """One frame, 2-D or 3-D."""
    colours, (low, high) = label_colours(labels)
    solid = points.shape[1] >= 3
    coordinates = points[:, : 3 if solid else 2].T
    axis.scatter(
        *coordinates,
        c=labels,
        cmap=colours,
        vmin=low,
        vmax=high,
        s=0.9,
        alpha=0.8,
        linewidths=0,
        rasterized=True,
    )
    axis.set(xlim=(-limit, limit), ylim=(-limit, limit), xticks=[], yticks=[])
    if not solid:
        axis.set_aspect("equal")
        for spine in axis.spines.values():
            spine.set(visible=True, color="0.8", linewidth=0.5)
        return
    axis.set(zlim=(-limit, limit), zticks=[])
    axis.set_box_aspect((1, 1, 1), zoom=1.25)
    axis.view_init(elev=_ELEVATION, azim=azimuth)
    for side in (axis.xaxis, axis.yaxis, axis.zaxis):
        side.pane.set(facecolor="0.97", edgecolor="0.9", linewidth=0.4)
        side.line.set(color="0.85", linewidth=0.4)


def plot_toys(snapshots: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Draws each flow in a row: inflation from left to right, then generation from the prior.

    Points are in scaled coordinates of the eigenbasis, the first direction to the right, with the
    same limits in all frames of a row; colours are labels of data, which generated points take from
    their latent's neighbourhood. Columns are named by the share of noise in the variance of the
    fastest direction.

    Arguments:
        snapshots: For each row title what `trace_flow` returns; the same number of frames in all.

    Returns:
        The figure, two columns wide.
    """
    rows = len(snapshots)
    frames = min(len(snapshot["times"]) for snapshot in snapshots.values())
    with figure_style():
        figure = new_figure(DOUBLE_COLUMN, rows * _ROW_HEIGHT + _HEADER)
        top = 1 - 0.17 / float(figure.get_figheight())
        figure.set_layout_engine("constrained", w_pad=0.01, h_pad=0.005, wspace=0.0, hspace=0.0, rect=(0, 0, 1, top))
        # A narrow empty column parts the two directions.
        grid = figure.add_gridspec(rows, 2 * frames + 1, width_ratios=[1] * frames + [0.18] + [1] * frames)
        tops: list[list[Any]] = [[], []]
        for row, (title, snapshot) in enumerate(snapshots.items()):
            limit = _limit(snapshot)
            solid = snapshot["inflation"].shape[2] >= 3
            azimuth = _best_azimuth(snapshot["inflation"][0][:, :3], snapshot["inflation_labels"]) if solid else 0
            shares = snapshot["noise_share"]
            blocks = (
                (0, snapshot["inflation"], snapshot["inflation_labels"], shares),
                (frames + 1, snapshot["generation"], snapshot["generation_labels"], shares[::-1]),
            )
            for block, (first, points, labels, at) in enumerate(blocks):
                for column in range(frames):
                    axis: Any = figure.add_subplot(grid[row, first + column], projection="3d" if solid else None)
                    _draw_points(axis, points[column], labels, limit, azimuth)
                    if row == 0:
                        axis.set_title(f"{at[column]:.0%} noise".replace("%", " %"), fontsize=6.5)
                        tops[block].append(axis)
                    if block == column == 0:
                        text = axis.text2D if solid else axis.text
                        text(
                            -0.09,
                            0.5,
                            title,
                            rotation=90,
                            ha="right",
                            va="center",
                            transform=axis.transAxes,
                        )
        figure.draw_without_rendering()
        for axes, name in zip(tops, ("inflation →", "generation →"), strict=True):
            left, right = axes[0].get_position().x0, axes[-1].get_position().x1
            figure.text((left + right) / 2, 0.998, name, ha="center", va="top", fontsize=8)
    return figure
