"""Figures 2 and 3, and others like them: toys on their way to the latents and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure, FigureBase

from inflationary_flows.plotting.style import (
    DOUBLE_COLUMN,
    figure_style,
    label_colours,
    new_figure,
)

# The uppermost panels of each block of a figure.
Tops = tuple[list[Any], list[Any], list[Any]]

# Inches.
ROW_HEIGHT = 0.66
HEADER = 0.42

# Degrees above the plane of the first two directions. Data that lie in it would be seen from its edge.
ELEVATION = 20
_ELEVATION_OF_PLANES = 45
# What is thinner than this share of its width lies in a plane.
_FLAT = 0.02


def best_elevation(points: np.ndarray) -> int:
    """Degrees above the plane of the first two directions from which points, shape (n, D >= 3), are best seen."""
    spread = points.std(axis=0)
    return _ELEVATION_OF_PLANES if spread[2] < _FLAT * spread[0] else ELEVATION


def best_azimuth(points: np.ndarray, labels: np.ndarray, elevation_degrees: int = ELEVATION) -> int:
    """Degrees from which unlike labels of points overlap least.

    Arguments:
        points: Shape (n, 3).
        labels: What is to stand apart: a number a point, shape (n,), or several, such as the points themselves.
        elevation_degrees: Degrees from above.
    """
    # Imported lazily: figures of points in the plane need no view.
    from scipy.spatial import cKDTree

    elevation = np.radians(elevation_degrees)

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


def half_width(snapshot: Mapping[str, np.ndarray]) -> float:
    """Half the width of a row's panels: nearly all points of all its frames are inside."""
    frames = np.concatenate([snapshot["inflation"], snapshot["generation"]])
    solid = frames.shape[2] >= 3
    # A box is seen from afar; its few outermost points may stand beyond its walls.
    return 1.05 * float(np.quantile(np.abs(frames[:, :, :3]), 0.98 if solid else 0.999))


def draw_points(
    axis: Any,
    points: np.ndarray,
    labels: np.ndarray,
    limit: float,
    azimuth: int,
    *,
    elevation: int = ELEVATION,
    size: float = 0.9,
    alpha: float = 0.8,
) -> None:
    """Draws one frame, 2-D or 3-D.

    Arguments:
        axis: Panel, with the projection 3d for points of three coordinates or more.
        points: Shape (n, D); at most three coordinates are drawn.
        labels: A number for each, shape (n,).
        limit: Half the width of the panel.
        azimuth: Degrees from which 3-D points are seen.
        elevation: Degrees from above, likewise.
        size: Area of a point, square points of type.
        alpha: Its opacity.
    """
    colours, (low, high) = label_colours(labels)
    solid = points.shape[1] >= 3
    coordinates = points[:, : 3 if solid else 2].T
    axis.scatter(
        *coordinates,
        c=labels,
        cmap=colours,
        vmin=low,
        vmax=high,
        s=size,
        alpha=alpha,
        linewidths=0,
        rasterized=True,
    )
    frame_panel(axis, limit, azimuth, elevation=elevation, solid=solid)


def frame_panel(axis: Any, limit: float, azimuth: int, *, elevation: int = ELEVATION, solid: bool) -> None:
    """Gives a panel its limits and a faint frame, without ticks; arguments as of `draw_points`, solid ones are 3-D."""
    axis.set(xlim=(-limit, limit), ylim=(-limit, limit), xticks=[], yticks=[])
    if not solid:
        axis.set_aspect("equal")
        for spine in axis.spines.values():
            spine.set(visible=True, color="0.8", linewidth=0.5)
        return
    axis.set(zlim=(-limit, limit), zticks=[])
    axis.set_box_aspect((1, 1, 1), zoom=1.25)
    axis.view_init(elev=elevation, azim=azimuth)
    for side in (axis.xaxis, axis.yaxis, axis.zaxis):
        side.pane.set(facecolor="0.97", edgecolor="0.9", linewidth=0.4)
        side.line.set(color="0.85", linewidth=0.4)


def new_toy_figure(height: float) -> Figure:
    """A figure two columns wide whose top has room for the names of the two directions; height in inches."""
    figure = new_figure(DOUBLE_COLUMN, height)
    top = 1 - 0.17 / height
    figure.set_layout_engine("constrained", w_pad=0.01, h_pad=0.005, wspace=0.0, hspace=0.0, rect=(0, 0, 1, top))
    return figure


def draw_toys(panel: FigureBase, snapshots: Mapping[str, Mapping[str, np.ndarray]]) -> Tops:
    """Draws each flow in a row of a figure or of a part of one, as `draw_rows` says.

    Returns:
        The uppermost frames of inflation, of generation, and of generation from the empirical prior.
    """
    frames = min(len(snapshot["times"]) for snapshot in snapshots.values())
    empirical = any("generated_empirical" in snapshot for snapshot in snapshots.values())
    # Narrow empty columns part the blocks.
    widths = [*[1] * frames, 0.18, *[1] * frames, *([0.18, 1] if empirical else [])]
    grid = panel.add_gridspec(len(snapshots), len(widths), width_ratios=widths)
    tops: Tops = ([], [], [])
    for row, (title, snapshot) in enumerate(snapshots.items()):
        limit = half_width(snapshot)
        data, labels = snapshot["inflation"][0], snapshot["inflation_labels"]
        solid = data.shape[1] >= 3
        elevation = best_elevation(data) if solid else 0
        azimuth = best_azimuth(data[:, :3], labels, elevation) if solid else 0
        shares = snapshot["noise_share"]
        blocks = [
            (0, snapshot["inflation"], labels, shares),
            (frames + 1, snapshot["generation"], snapshot["generation_labels"], shares[::-1]),
        ]
        if "generated_empirical" in snapshot:
            last = snapshot["generated_empirical"][None]
            blocks.append((2 * frames + 2, last, snapshot["empirical_labels"], shares[:1]))
        for (first, points, colours, at), top in zip(blocks, tops, strict=False):
            for column in range(min(frames, len(points))):
                axis: Any = panel.add_subplot(grid[row, first + column], projection="3d" if solid else None)
                draw_points(axis, points[column], colours, limit, azimuth, elevation=elevation)
                if column >= len(top):
                    axis.set_title(f"{at[column]:.0%} noise".replace("%", " %"), fontsize=6.5)
                    top.append(axis)
                if first == column == 0:
                    text = axis.text2D if solid else axis.text
                    place: Any = {"rotation": 90, "ha": "right", "va": "center", "transform": axis.transAxes}
                    text(-0.09, 0.5, title, **place)
    return tops


def name_directions(figure: Figure, tops: Tops) -> None:
    """Writes the names of blocks above their frames, which `draw_toys` returned, once all else is drawn."""
    figure.draw_without_rendering()
    # As far from the edge in a figure of one row as in one of many.
    y = 1 - 0.015 / figure.get_figheight()
    for axes, name in zip(tops, ("inflation →", "generation →", "empirical"), strict=True):
        if not axes:
            continue
        left, right = axes[0].get_position().x0, axes[-1].get_position().x1
        figure.text((left + right) / 2, y, name, ha="center", va="top", fontsize=8)


def draw_rows(snapshots: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Draws each flow in a row: inflation from left to right, then generation from the prior.

    Points are in scaled coordinates of the eigenbasis, the first direction to the right, with the
    same limits in all frames of a row; of more than three coordinates the first three are drawn.
    Colours are labels of data, which generated points take from their latent's neighbourhood.
    Columns are named by the share of noise in the variance of the fastest direction.  Where a flow has them, points
    generated from the empirical prior of its compressed directions stand on the right.

    Arguments:
        snapshots: For each row title what `record_trajectory` returns; the same number of frames in all.

    Returns:
        The figure, two columns wide.
    """
    with figure_style():
        figure = new_toy_figure(len(snapshots) * ROW_HEIGHT + HEADER)
        name_directions(figure, draw_toys(figure, snapshots))
    return figure
