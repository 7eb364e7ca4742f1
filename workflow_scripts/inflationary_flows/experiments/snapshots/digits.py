"""Digits that flows generate, and digits before and after a round trip."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inflationary_flows.errors import DataError
from inflationary_flows.plotting.style import DOUBLE_COLUMN, figure_style, new_figure

_GAP = 1


def as_images(points: np.ndarray) -> np.ndarray:
    """Rows of pixels, shape (n, D), as square images.

    Raises:
        DataError: if D is not a square.
    """
    side = math.isqrt(points.shape[1])
    if side**2 != points.shape[1]:
        raise DataError(
            "digits figure",
            "square images, D = 64 for digits",
            f"D = {points.shape[1]}",
            "draw other data sets as points, or from the tables",
        )
    return points.reshape(len(points), side, side)


def tile(images: np.ndarray, rows: int, columns: int, paper: float) -> np.ndarray:
    """Puts images, shape (n, side, side), row by row on a canvas of colour `paper`."""
    side = images.shape[1]
    pitch = side + _GAP
    canvas = np.full((rows * pitch + _GAP, columns * pitch + _GAP), paper)
    for place, image in enumerate(images[: rows * columns]):
        top, left = _GAP + (place // columns) * pitch, _GAP + (place % columns) * pitch
        canvas[top : top + side, left : left + side] = image
    return canvas


def _show(axis: Axes, canvas: np.ndarray, low: float, high: float, cmap: str = "gray_r") -> None:
    """One canvas without axes."""
    axis.imshow(canvas, cmap=cmap, vmin=low, vmax=high, interpolation="nearest", aspect="equal")
    axis.set(xticks=[], yticks=[])
    axis.grid(visible=False)
    for spine in axis.spines.values():
        spine.set_visible(False)


def _power_of_ten(value: float) -> str:
    """A number with two digits, and a power of ten where it is far from one, as mathematics."""
    if value == 0 or 0.1 <= value < 100:
        return f"{value:.2g}"
    exponent = math.floor(math.log10(value))
    return rf"{value / 10**exponent:.1f} \times 10^{{{exponent}}}"


def draw_samples(snapshots: Mapping[str, Mapping[str, np.ndarray]], *, rows: int = 6, columns: int = 8) -> Figure:
    """Draws generated digits of each flow, beside held-out ones.

    Arguments:
        snapshots: For each title what `reproduce` returns of square images.
        rows, columns: Digits in each mosaic.

    Returns:
        The figure: a column of mosaics for each flow, from the prior above, from the true p_T
            below; held-out digits
        first.

    Raises:
        DataError: if the points are not square images.
    """
    titles = list(snapshots)
    data = next(iter(snapshots.values()))["original"]
    low, high = float(data.min()), float(data.max())
    with figure_style():
        width = DOUBLE_COLUMN / max(4, len(titles) + 1) * (len(titles) + 1)
        panel = width / (len(titles) + 1) * rows / columns
        figure = new_figure(width, 2 * 0.9 * panel + 0.2)
        figure.set_layout_engine("constrained", w_pad=0.03, h_pad=0.03, wspace=0.02, hspace=0.02)
        axes = figure.subplots(2, len(titles) + 1, squeeze=False)
        count = rows * columns
        held_out = (data[:count], data[count : 2 * count])
        for row, kind in enumerate(("generated_prior", "generated_true_pt")):
            _show(axes[row, 0], tile(as_images(held_out[row]), rows, columns, low), low, high)
            for column, title in enumerate(titles, start=1):
                images = as_images(snapshots[title][kind])
                _show(axes[row, column], tile(images, rows, columns, low), low, high)
                axes[0, column].set_title(title)
        axes[0, 0].set_title("held-out data")
        axes[0, 1].set_ylabel("latents from\nthe prior")
        axes[1, 1].set_ylabel("latents from\nthe true $p_T$")
    return figure


def draw_roundtrips(snapshots: Mapping[str, Mapping[str, np.ndarray]], *, digits: int = 10) -> Figure:
    """Draws digits, what comes back from a round trip, and the difference, its scale stated.

    Arguments:
        snapshots: For each title what `reproduce` returns of square images.
        digits: Digits of each flow.

    Returns:
        The figure: three rows for each flow.

    Raises:
        DataError: if the points are not square images.
    """
    data = next(iter(snapshots.values()))["original"]
    low, high = float(data.min()), float(data.max())
    with figure_style():
        width = DOUBLE_COLUMN * 0.75
        strip = (width - 1.0) / digits
        figure = new_figure(width, len(snapshots) * (3 * strip + 0.46))
        figure.set_layout_engine("constrained", w_pad=0.07, h_pad=0.01, wspace=0.0, hspace=0.0)
        blocks = figure.subfigures(len(snapshots), 1, squeeze=False)[:, 0]
        for block, (title, snapshot) in zip(blocks, snapshots.items(), strict=True):
            original, back = snapshot["original"][:digits], snapshot["roundtrip"][:digits]
            difference = back - original
            scale = float(np.abs(difference).max())
            axes = block.subplots(3, 1)
            _show(axes[0], tile(as_images(original), 1, digits, low), low, high)
            _show(axes[1], tile(as_images(back), 1, digits, low), low, high)
            bound = scale or 1.0
            _show(axes[2], tile(as_images(difference), 1, digits, 0.0), -bound, bound, "RdBu_r")
            names = ("data", "round trip", f"difference,\n$\\pm {_power_of_ten(scale)}$")
            for axis, name in zip(axes, names, strict=True):
                axis.set_ylabel(name, rotation=0, ha="right", va="center")
            axes[0].set_title(title)
    return figure
