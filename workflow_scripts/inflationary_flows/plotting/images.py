"""Images that flows generate, and images, their latents and what comes back from them (figure 5 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inflationary_flows.files.contact_sheet import as_colours, mosaic
from inflationary_flows.plotting.style import DOUBLE_COLUMN, figure_style, new_figure

_PAPER = 1.0
# Pixels between images, as a share of their side.
_GAP_SHARE = 1 / 16
# Side of an image on paper and the height that a page has, inches.
_LARGEST, _SMALLEST, _PAGE = 0.46, 0.2, 8.9
# Inches for names to the left of images, for a title above them, between bands, and between two mosaics.
_NAMES, _TITLE, _BETWEEN, _APART = 0.8, 0.17, 0.06, 0.2
# Inches of white to the right of all images and below them.
_MARGIN = 0.03
# Grey images whose median is below this share of the levels are ink on a dark ground: they are drawn on paper.
_DARK = 0.2

STAGES = ("original", "latent", "recovered")


def is_ink(images: np.ndarray, levels: int) -> bool:
    """Whether images show something light on a dark ground, in grey."""
    return images.shape[1] == 1 and float(np.median(images)) < _DARK * levels


def show_canvas(figure: Figure, canvas: np.ndarray, left: float, top: float, width: float) -> Axes:
    """Places a canvas without axes on a figure; inches from its left and upper edge."""
    page_width, page_height = figure.get_size_inches()
    height = width * canvas.shape[0] / canvas.shape[1]
    place = (left / page_width, 1 - (top + height) / page_height, width / page_width, height / page_height)
    axis = figure.add_axes(place)
    axis.imshow(canvas, interpolation="nearest", aspect="auto")
    axis.set(xticks=[], yticks=[])
    axis.grid(visible=False)
    for spine in axis.spines.values():
        spine.set_visible(False)
    return axis


def name_rows(axis: Axes, heights: Sequence[float], names: Sequence[str]) -> None:
    """Names to the left of a canvas; heights from its upper edge, as shares of it."""
    lower, upper = axis.get_ylim()
    axis.set_yticks([upper + height * (lower - upper) for height in heights], names)
    axis.tick_params(axis="y", length=0, labelsize=7)


def _width(columns: int, side: float) -> float:
    """Width of a mosaic, inches."""
    return side * (columns + (columns - 1) * _GAP_SHARE)


def columns_within(width: float, side: float) -> int:
    """Most images of a side beside each other in a width of the same unit."""
    return int((width / side + _GAP_SHARE) / (1 + _GAP_SHARE) + 1e-9)


def plot_image_samples(
    samples: Mapping[str, np.ndarray], *, levels: int = 255, data: np.ndarray | None = None, rows: int = 2
) -> Figure:
    """Draws generated images, a band for each flow.

    Arguments:
        samples: Images of each flow by title, shape (n, C, H, W), in the order to draw them, such as that of kept
            dimensions or of gaps.
        levels: Highest grey level.
        data: Held-out images, drawn first.
        rows: Rows of images in a band; one where there are more than eight flows, or few images.

    Raises:
        DataError: if an array is not one of images.
    """
    bands = {**({"data": data} if data is not None else {}), **samples}
    first = next(iter(bands.values()))
    longest = max(len(band) for band in bands.values())
    rows = 1 if len(samples) > 8 or longest <= columns_within(DOUBLE_COLUMN - _NAMES - _MARGIN, _LARGEST) else rows
    ink = first.ndim == 4 and is_ink(first, levels)
    side = min(_LARGEST, max(_SMALLEST, _PAGE / (rows * len(bands)) - _BETWEEN))
    columns = min(
        columns_within(DOUBLE_COLUMN - _NAMES - _MARGIN, side), max(-(-len(band) // rows) for band in bands.values())
    )
    pitch = _width(rows, side) + _BETWEEN
    with figure_style():
        figure = new_figure(_NAMES + _width(columns, side) + _MARGIN, len(bands) * pitch + _MARGIN)
        figure.set_layout_engine("none")
        for place, (title, band) in enumerate(bands.items()):
            canvas = mosaic(as_colours(band, levels, ink), rows, columns)
            axis = show_canvas(figure, canvas, _NAMES, place * pitch + _MARGIN, _width(columns, side))
            name_rows(axis, [0.5], [title.replace(", ", ",\n")])
    return figure


def plot_round_trips(pictures: Mapping[str, Mapping[str, np.ndarray]], *, levels: int = 255) -> Figure:
    """Draws figure 5: images, their latents as images, and what generation makes of these; beside them samples.

    Arguments:
        pictures: For each title arrays `original`, `latent`, `recovered` and `samples`, shape (n, C, H, W), grey
            levels.
        levels: Highest grey level.

    Returns:
        The figure: a band of three rows for each flow.

    Raises:
        DataError: if an array is not one of images.
    """
    first = next(iter(pictures.values()))
    rows = len(STAGES)
    ink = first["original"].ndim == 4 and is_ink(first["original"], levels)
    side = min(_LARGEST, max(_SMALLEST, (_PAGE / len(pictures) - _TITLE - _BETWEEN) / (rows * (1 + _GAP_SHARE))))
    columns = columns_within(DOUBLE_COLUMN - _NAMES - _APART - _MARGIN, side)
    shown = min(len(first["original"]), round(0.6 * columns))
    generated = min(-(-len(first["samples"]) // rows), columns - shown)
    right = _NAMES + _width(shown, side) + _APART
    pitch = _TITLE + _width(rows, side) + _BETWEEN
    with figure_style():
        figure = new_figure(right + _width(generated, side) + _MARGIN, len(pictures) * pitch)
        figure.set_layout_engine("none")
        for place, (title, arrays) in enumerate(pictures.items()):
            ways = np.concatenate([as_colours(arrays[stage][:shown], levels, ink) for stage in STAGES])
            top = place * pitch + _TITLE
            axis = show_canvas(figure, mosaic(ways, rows, shown), _NAMES, top, _width(shown, side))
            name_rows(axis, [(row + 0.5) / rows for row in range(rows)], STAGES)
            axis.set_title(title, loc="left")
            samples = mosaic(as_colours(arrays["samples"], levels, ink), rows, generated)
            axis = show_canvas(figure, samples, right, top, _width(generated, side))
            axis.set_title("samples" if place == 0 else "", loc="left")
    return figure
