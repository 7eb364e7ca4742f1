"""Contact sheets: many images of a flow in one picture, pixel by pixel."""

from __future__ import annotations

import os

import numpy as np

from inflationary_flows.errors import DataError
from inflationary_flows.extras import needs
from inflationary_flows.files.files import atomic_write

with needs("contact sheets", "images"):
    from PIL import Image

# A sheet of images is about as many pixels wide.
_WIDTH = 1000
_PAPER = 1.0
# Pixels between images, as a share of their side.
GAP_SHARE = 1 / 16


def as_colours(images: np.ndarray, levels: int, ink: bool = False) -> np.ndarray:
    """Images of grey levels as colours from 0 to 1; one channel becomes grey.

    Arguments:
        images: Shape (n, C, H, W), C = 1 or 3, values 0 to `levels`.
        levels: Highest grey level.
        ink: Whether to turn light into dark, for writing on a dark ground.

    Returns:
        Shape (n, H, W, 3), float64.

    Raises:
        DataError: if the array has another shape.
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise DataError(
            "figure of images",
            "an array of shape (n, 1 or 3, height, width)",
            f"shape {images.shape}",
            "draw tables and toys with their own figures",
        )
    colours = np.moveaxis(images, 1, 3).astype(np.float64) / levels
    return np.broadcast_to(1 - colours if ink else colours, (*colours.shape[:3], 3))


def mosaic(images: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Puts images row by row on white paper; missing ones leave it white.

    Arguments:
        images: Shape (n, H, W, 3), colours from 0 to 1.
        rows, columns: Places.

    Returns:
        Shape (height, width, 3).
    """
    height, width = images.shape[1:3]
    gap = max(1, round(GAP_SHARE * height))
    canvas = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), _PAPER)
    for place, image in enumerate(images[: rows * columns]):
        top, left = (place // columns) * (height + gap), (place % columns) * (width + gap)
        canvas[top : top + height, left : left + width] = image
    return canvas


def contact_sheet(images: np.ndarray, levels: int, *, columns: int = 16, rows: int = 10) -> np.ndarray:
    """Puts the first images in rows and columns, each pixel enlarged to a square.

    Arguments:
        images: Grey levels, shape (n, C, H, W), uint8.
        levels: The highest one.
        columns, rows: Largest numbers of columns and rows.

    Returns:
        The sheet, shape (height, width, 3), uint8.
    """
    shown = images[: columns * rows]
    canvas = mosaic(as_colours(shown, levels), -(-len(shown) // columns), min(columns, len(shown)))
    zoom = max(1, _WIDTH // canvas.shape[1])
    return np.round(255 * canvas.repeat(zoom, 0).repeat(zoom, 1)).astype(np.uint8)


def save_contact_sheet(path: str | os.PathLike[str], images: np.ndarray, levels: int) -> None:
    """Writes a contact sheet as PNG; arguments as of `contact_sheet`."""
    with atomic_write(path) as temporary:
        Image.fromarray(contact_sheet(images, levels)).save(temporary, format="PNG")
