"""Images on figures: canvases of many of them, where they stand, and names beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inflationary_flows.files.contact_sheet import GAP_SHARE

# Grey images whose median is below this share of the levels are ink on a dark ground: they are drawn on paper.
_DARK = 0.2


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


def width_of(columns: int, side: float) -> float:
    """Width of a mosaic, inches."""
    return side * (columns + (columns - 1) * GAP_SHARE)


def columns_within(width: float, side: float) -> int:
    """Most images of a side that stand side by side in a width of the same unit."""
    return int((width / side + GAP_SHARE) / (1 + GAP_SHARE) + 1e-9)
