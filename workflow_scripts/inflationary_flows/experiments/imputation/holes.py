"""Holes in rows that are whole, so that what is imputed can be compared with what was there."""

from __future__ import annotations

from typing import Literal

import numpy as np

from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.seeding import derive_seed

Kind = Literal["cells", "columns", "patches"]


def make_holes(
    kind: Kind, n: int, dimension: int, *, cells: int, columns: float, patch: int, image: ImageFormat | None, seed: int
) -> np.ndarray:
    """Hidden cells, shape (n, D), as many in each row; no row loses all.

    Arguments:
        kind: `cells`, others in each row; `columns`, the same in all rows; `patches` of images.
        n, dimension: Rows, and columns D.
        cells: Hidden cells of a row of a table; of an image as many pixels as a patch has.
        columns: Share of the columns that is hidden.
        patch: Side of a patch, a square in a random place, pixels.
        image: Format of the images; none of a table.
        seed: Seed of places.
    """
    random = np.random.default_rng(derive_seed("holes", kind, seed))
    holes = np.zeros((n, dimension), dtype=bool)
    if kind == "patches":
        assert image is not None
        height, width = min(patch, image.height - 1), min(patch, image.width)
        squares = holes.reshape(n, image.channels, image.height, image.width)
        corners = random.integers((image.height - height + 1, image.width - width + 1), size=(n, 2))
        for square, (top, left) in zip(squares, corners, strict=True):
            square[:, top : top + height, left : left + width] = True
        return holes
    if kind == "columns":
        holes[:, random.choice(dimension, max(1, round(columns * (dimension - 1))), replace=False)] = True
        return holes
    wanted = cells if image is None else image.channels * patch**2
    order = np.argsort(random.random((n, dimension)), axis=1)
    np.put_along_axis(holes, order[:, : min(wanted, dimension - 1)], True, axis=1)
    return holes
