"""Data that inflate to latents and are generated back, in a loop, as GIF."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from inflationary_flows.files.contact_sheet import as_colours, mosaic
from inflationary_flows.files.files import atomic_write
from inflationary_flows.plotting.images import columns_within, is_ink
from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.style import COLOURS, figure_style
from inflationary_flows.plotting.toys import best_azimuth, draw_points, half_width

_DPI = 100
# Pixels: side of the square that points or pictures fill, margin around it, lines of text above and below it.
_SIDE, _MARGIN, _ABOVE, _BELOW = 340, 8, 24, 26
_WIDTH, _HEIGHT = _SIDE + 2 * _MARGIN, _SIDE + _ABOVE + _BELOW
# Pixels: left end, length and height of the bar, and the gap to its names.
_BAR_LEFT, _BAR_LENGTH, _BAR_HEIGHT, _BAR_GAP = 40, 186, 7, 6
# Area of a point, square points of type; and how large the box of 3-D points is, all of whose corners should be seen.
_POINT_SIZE, _ZOOM = 8, 1.15
# Entries of the palette that all frames share, those of paper, text and bar among them, and frames it is made from.
_PALETTE, _SAMPLED = 32, 12

# Each way with its heading, which points to where the bar goes, and its colour.
_WAYS = {"inflation": ("inflation →", COLOURS[0]), "generation": ("← generation", COLOURS[1])}
_PAPER, _INK, _EMPTY = "#FFFFFF", "#262626", "#E6E6E6"
_FIXED = (_PAPER, _INK, _EMPTY, *(colour for _, colour in _WAYS.values()))

# Draws on a figure what a way shows in the frame of a number.
Drawing = Callable[[Figure, str, int], None]


def draw_animation(material: Material) -> list[np.ndarray]:
    """Draws inflation, then generation, of all flows of a data set, one below the other, those that preserve first.

    Points have the colours and the point of view of figures 2 and 3, and like them scaled coordinates of the
    eigenbasis; images are a square of pictures. The bar below shows the share of noise in the variance of the fastest
    direction.

    Arguments:
        material: Array `animation` of the param `flows`, from `record_points` or `record_images`, k frames each
            way. The param `points` says how many points are drawn, the first ones; of images all are.

    Returns:
        2 k frames, each of shape (height, width, 3), uint8.
    """
    arrays = {flow[1]: found for flow, found in material.flow_arrays("animation").items()}
    dataset = material.labels.dataset(material.flows()[0][0])
    rows = [
        _draw_flow(arrays[name], f"{dataset}, {material.labels.schedule(name)}", material.params["points"])
        for name in material.preserving_first(arrays)
    ]
    return [np.concatenate(frames) for frames in zip(*rows, strict=True)]


def _draw_flow(arrays: Mapping[str, np.ndarray], title: str, points: int) -> list[np.ndarray]:
    """Frames of one flow."""
    draw = _pictures_of(arrays) if "levels" in arrays else _points_of(arrays, points)
    shares = arrays["noise_share"]
    with figure_style():
        return [
            _draw_frame(draw, title, way, number, float(share))
            for way, at in zip(_WAYS, (shares, shares[::-1]), strict=True)
            for number, share in enumerate(at)
        ]


def _points_of(arrays: Mapping[str, np.ndarray], points: int) -> Drawing:
    limit = half_width(arrays)
    solid = arrays["inflation"].shape[2] >= 3
    azimuth = best_azimuth(arrays["inflation"][0][:, :3], arrays["inflation_labels"]) if solid else 0
    place = (_MARGIN / _WIDTH, _BELOW / _HEIGHT, _SIDE / _WIDTH, _SIDE / _HEIGHT)

    def draw(figure: Figure, way: str, number: int) -> None:
        axis: Any = figure.add_axes(place, projection="3d" if solid else None)
        labels = arrays[f"{way}_labels"][:points]
        # Opaque: see-through points need more colours than a palette has.
        draw_points(axis, arrays[way][number][:points], labels, limit, azimuth, size=_POINT_SIZE, alpha=1.0)
        if solid:
            axis.set_box_aspect((1, 1, 1), zoom=_ZOOM)

    return draw


def _pictures_of(arrays: Mapping[str, np.ndarray]) -> Drawing:
    levels, first = int(arrays["levels"]), arrays["inflation"][0]
    ink = is_ink(first, levels)
    columns = min(math.ceil(math.sqrt(len(first))), max(1, columns_within(_SIDE, max(first.shape[2:]))))
    rows = min(-(-len(first) // columns), columns)

    def draw(figure: Figure, way: str, number: int) -> None:
        canvas = mosaic(as_colours(arrays[way][number], levels, ink), rows, columns)
        zoom = max(1, _SIDE // max(canvas.shape[:2]))
        enlarged = canvas.repeat(zoom, 0).repeat(zoom, 1)
        height, width = enlarged.shape[:2]
        figure.figimage(enlarged, (_WIDTH - width) // 2, _BELOW + (_SIDE - height) // 2, origin="upper")

    return draw


def _draw_frame(draw: Drawing, title: str, way: str, number: int, share: float) -> np.ndarray:
    """One frame, shape (height, width, 3), uint8."""
    figure = Figure(figsize=(_WIDTH / _DPI, _HEIGHT / _DPI), dpi=_DPI, facecolor=_PAPER)
    canvas = FigureCanvasAgg(figure)
    draw(figure, way, number)
    heading, colour = _WAYS[way]
    above, below = 1 - 0.5 * _ABOVE / _HEIGHT, 0.5 * _BELOW / _HEIGHT
    left, right = _MARGIN / _WIDTH, 1 - _MARGIN / _WIDTH
    figure.text(left, above, title, ha="left", va="center", fontsize=8.5, color=_INK)
    figure.text(right, above, heading, ha="right", va="center", fontsize=8.5, color=colour)
    figure.text((_BAR_LEFT - _BAR_GAP) / _WIDTH, below, "data", ha="right", va="center", color=_INK)
    figure.text((_BAR_LEFT + _BAR_LENGTH + _BAR_GAP) / _WIDTH, below, "latents", ha="left", va="center", color=_INK)
    figure.text(right, below, f"{100 * share:.0f} % noise", ha="right", va="center", color=colour)
    corner = (_BAR_LEFT, round(0.5 * (_BELOW - _BAR_HEIGHT)))
    for length, fill in ((_BAR_LENGTH, _EMPTY), (round(share * _BAR_LENGTH), colour)):
        # Without a transform, patches are in pixels.
        figure.add_artist(Rectangle(corner, length, _BAR_HEIGHT, transform=None, facecolor=fill, linewidth=0))
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def save_animation(path: str | os.PathLike[str], frames: Sequence[np.ndarray], material: Material) -> None:
    """Writes frames as a GIF that plays for ever; equal frames give equal files.

    Arguments:
        path: Where to write.
        frames: Inflation, then as many of generation, each of shape (height, width, 3), uint8.
        material: Param `frame_seconds`, how long a frame lasts; GIF counts in hundredths of a second. Param
            `hold_seconds`, how long the first and the last frame of each way last.
    """
    params = material.params
    palette = _shared_palette(frames)
    indexed = [_indexed(frame, palette) for frame in frames]
    held = {0, len(frames) // 2 - 1, len(frames) // 2, len(frames) - 1}
    seconds = [params["hold_seconds" if number in held else "frame_seconds"] for number in range(len(frames))]
    with atomic_write(path) as temporary:
        # Each frame paints over the one before it, and pixels that stay are left out.
        indexed[0].save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=indexed[1:],
            duration=[10 * round(100 * duration) for duration in seconds],
            loop=0,
            optimize=True,
            disposal=1,
        )


def _shared_palette(frames: Sequence[np.ndarray]) -> np.ndarray:
    """Colours of all frames, shape (m, 3), uint8: a few as they are, and what stands for the others best."""
    fixed = np.round(255 * to_rgba_array(_FIXED)[:, :3]).astype(np.uint8)
    sampled = np.stack(frames[:: -(-len(frames) // _SAMPLED)]).reshape(-1, 3)
    others = sampled[(sampled[:, None] != fixed).any(axis=2).all(axis=1)]
    reduced = Image.fromarray(others[None]).quantize(_PALETTE - len(fixed), method=Image.Quantize.MEDIANCUT)
    return np.concatenate([fixed, np.reshape(reduced.getpalette() or [], (-1, 3)).astype(np.uint8)])


def _indexed(frame: np.ndarray, palette: np.ndarray) -> Image.Image:
    """A frame with each pixel in the nearest colour of a palette; Pillow's own search is only nearly that."""
    packed = frame.astype(np.int64) @ (1 << 16, 1 << 8, 1)
    distinct, places = np.unique(packed, return_inverse=True)
    colours = np.stack([distinct >> 16, distinct >> 8 & 255, distinct & 255], axis=1)
    nearest = np.square(colours[:, None] - palette.astype(np.int64)).sum(axis=2).argmin(axis=1)
    image = Image.fromarray(nearest.astype(np.uint8)[places].reshape(packed.shape))
    image.putpalette(palette.flatten().tolist())
    return image
