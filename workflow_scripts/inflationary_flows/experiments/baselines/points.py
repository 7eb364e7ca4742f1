"""Points that compared methods generate: toys beside held-out points, images beside what few numbers keep of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from inflationary_flows.errors import DataError
from inflationary_flows.experiments.baselines.panels import method_looks
from inflationary_flows.files.contact_sheet import as_colours, mosaic
from inflationary_flows.plotting.images import is_ink, name_rows, show_canvas
from inflationary_flows.plotting.style import DOUBLE_COLUMN, figure_style, new_figure
from inflationary_flows.plotting.toys import best_azimuth, best_elevation, frame_panel

# Arrays of each model; `held_out` and `reconstructed` are the same points, before and after.
ARRAYS = ("generated", "held_out", "reconstructed")

# Inches: names on the left, titles above, between columns, between rows; largest panel of a toy, side of an image.
_LEFT, _TITLES, _APART, _BETWEEN, _LARGEST_TOY, _LARGEST_IMAGE = 0.3, 0.24, 0.14, 0.12, 1.35, 0.28
# Names of rows of images need more room than those of toys.
_IMAGE_NAMES = 0.7
# Rows of generated images above the two of a reconstruction.
_GENERATED_ROWS = 2
# Half the width of panels over that of held-out points, in the plane and in space. What is beyond is left out.
_ROOM = {2: 1.2, 3: 1.05}
_HELD_OUT = "0.72"


@dataclass(frozen=True)
class Pictures:
    """How the points of a data set are images.

    Attributes:
        shape: (C, H, W).
        levels: Highest grey level; points have 2 v / levels - 1 for a level v.
    """

    shape: tuple[int, int, int]
    levels: int


@dataclass(frozen=True, eq=False)
class PointRow:
    """A row of the figure: a data set with its schedule.

    Attributes:
        title: How it is called.
        models: `ARRAYS` by method, shape (n, D), data units.
        pictures: How points are images; None for toys and tables.
    """

    title: str
    models: Mapping[str, Mapping[str, np.ndarray]]
    pictures: Pictures | None = None


def draw_points(rows: list[PointRow], methods: Mapping[str, str]) -> Figure:
    """Draws what each method generates, a column each.

    Toys: held-out points in grey, generated ones in the colour of the method, in data coordinates; of more than two
    coordinates the first three principal directions of held-out points.  Images: generated ones above, below them
    held-out ones and what is made again of these from the kept latents.

    Arguments:
        rows: Data sets with their schedules, from above.
        methods: Labels of methods by name, ours first; those without a model have no column.

    Returns:
        The figure, two columns wide.

    Raises:
        DataError: if points of images have not the size of images.
    """
    looks = method_looks(methods)
    columns = [name for name in methods if any(name in row.models for row in rows)]
    left = _LEFT + (_IMAGE_NAMES if any(row.pictures for row in rows) else 0.0)
    width = (DOUBLE_COLUMN - left - _APART * len(columns)) / len(columns)
    heights = [_height_of(row, width) for row in rows]
    page = _TITLES + sum(heights) + _BETWEEN * len(rows)
    with figure_style():
        figure = new_figure(DOUBLE_COLUMN, page)
        figure.set_layout_engine("none")
        for column, name in enumerate(columns):
            middle = (left + column * (width + _APART) + width / 2) / DOUBLE_COLUMN
            figure.text(middle, 1 - 0.2 * _TITLES / page, methods[name], ha="center", va="top", color=looks[name][0])
        top = _TITLES
        for row, height in zip(rows, heights, strict=True):
            centre = 1 - (top + height / 2) / page
            figure.text(0.1 / DOUBLE_COLUMN, centre, row.title, rotation=90, ha="center", va="center")
            cells = {
                name: left + column * (width + _APART) for column, name in enumerate(columns) if name in row.models
            }
            if row.pictures is None:
                _draw_toys(figure, row, {name: (x, top, width, height) for name, x in cells.items()}, looks)
            else:
                _draw_images(figure, row, row.pictures, cells, top, width)
            top += height + _BETWEEN
    return figure


def _images_beside(width: float) -> int:
    """Number of images beside each other in a column."""
    return math.ceil(width / _LARGEST_IMAGE)


def _height_of(row: PointRow, width: float) -> float:
    """Height of a row, inches; images have the gaps that `mosaic` leaves between them."""
    if row.pictures is None:
        return min(width, _LARGEST_TOY)
    nothing = np.empty((0, *row.pictures.shape[1:], 3))
    canvases = [mosaic(nothing, rows, _images_beside(width)).shape for rows in (_GENERATED_ROWS, 2)]
    return sum(width * height / broad for height, broad, _ in canvases) + _BETWEEN / 2


def _draw_toys(
    figure: Figure,
    row: PointRow,
    cells: Mapping[str, tuple[float, float, float, float]],
    looks: Mapping[str, tuple[str, str]],
) -> None:
    """Panels at cells (left, top, width, height), inches, all seen alike."""
    held_out = next(iter(row.models.values()))["held_out"]
    centre, directions = held_out.mean(axis=0), _directions(held_out)
    seen = (held_out - centre) @ directions
    solid = seen.shape[1] == 3
    limit = _ROOM[seen.shape[1]] * float(np.quantile(np.abs(seen), 0.98 if solid else 0.999))
    elevation = best_elevation(seen) if solid else 0
    azimuth = best_azimuth(seen, seen, elevation) if solid else 0
    page_width, page_height = figure.get_size_inches()
    for name, (left, top, width, height) in cells.items():
        place = (left / page_width, 1 - (top + height) / page_height, width / page_width, height / page_height)
        # Generated points lie above held-out ones, also where those are nearer.
        kind: dict[str, Any] = {"projection": "3d", "computed_zorder": False} if solid else {}
        axis: Any = figure.add_axes(place, **kind)
        for points, colour, size in ((held_out, _HELD_OUT, 1.6), (row.models[name]["generated"], looks[name][0], 1.2)):
            drawn = (points - centre) @ directions
            drawn = drawn[(np.abs(drawn) <= limit).all(axis=1)]
            axis.scatter(*drawn.T, color=colour, s=size, alpha=0.8, linewidths=0, rasterized=True)
        axis.grid(visible=False)
        frame_panel(axis, limit, azimuth, elevation=elevation, solid=solid)


def _directions(points: np.ndarray) -> np.ndarray:
    """Directions to draw, shape (D, 2 or 3): coordinates of the plane, else principal directions."""
    dimension = points.shape[1]
    if dimension <= 2:
        return np.eye(dimension, 2)
    _, vectors = np.linalg.eigh(np.cov(points, rowvar=False))
    vectors = vectors[:, :-4:-1]
    # Eigenvectors have no sign of their own.
    return vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(3)])


def _draw_images(
    figure: Figure, row: PointRow, pictures: Pictures, cells: Mapping[str, float], top: float, width: float
) -> None:
    """Mosaics whose left edges are at cells, inches."""
    columns = _images_beside(width)
    first = next(iter(row.models.values()))
    ink = is_ink(_as_levels(first["held_out"], pictures), pictures.levels)
    for number, (name, left) in enumerate(cells.items()):
        arrays = {key: as_colours(_as_levels(row.models[name][key], pictures), pictures.levels, ink) for key in ARRAYS}
        pairs = [arrays[key][:columns] for key in ARRAYS[1:]]
        above = mosaic(arrays["generated"], _GENERATED_ROWS, columns)
        upper = show_canvas(figure, above, left, top, width)
        below = top + width * above.shape[0] / above.shape[1] + _BETWEEN / 2
        lower = show_canvas(figure, mosaic(np.concatenate(pairs), 2, columns), left, below, width)
        if number == 0:
            name_rows(upper, [0.5], ["generated"])
            name_rows(lower, [0.25, 0.75], ["held out", "reconstructed"])


def _as_levels(points: np.ndarray, pictures: Pictures) -> np.ndarray:
    """Points as images of grey levels, shape (n, C, H, W); what lies outside of the levels is cut off."""
    if points.shape[1] != int(np.prod(pictures.shape)):
        raise DataError(
            "figure of compared methods",
            f"points of {int(np.prod(pictures.shape))} coordinates, for images {pictures.shape}",
            f"D = {points.shape[1]}",
            "make the points again; they are of another data set",
        )
    scaled = np.clip((points + 1) * (pictures.levels / 2), 0, pictures.levels)
    return np.rint(scaled).reshape(len(points), *pictures.shape)
