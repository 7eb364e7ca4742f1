"""Many images on one sheet, pixel by pixel, to see at a glance what a flow makes."""

from __future__ import annotations

import os

import numpy as np
from PIL import Image

from inflationary_flows.files.files import atomic_write
from inflationary_flows.plotting.images import as_colours, mosaic

# A sheet of images is about as many pixels wide.
_WIDTH = 1000


def contact_sheet(images: np.ndarray, levels: int, *, columns: int = 16, rows: int = 10) -> np.ndarray:
    """Puts the first images in rows and columns, each pixel enlarged to a square.

    Arguments:
        images: Grey levels, shape (n, C, H, W), uint8.
        levels: The highest one.
        columns, rows: Most images beside and below each other.

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
