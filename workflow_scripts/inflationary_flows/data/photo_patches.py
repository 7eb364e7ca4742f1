r"""Patches of four photographs that come with scikit-image: natural colour images without a download.

The side of a patch is log-uniform between 64 pixels and what its region holds, s = 64 (S / 64)^u with u uniform, so
that structure of all scales is seen; the place is uniform.  Patches overlap, so that training, validation and test
patches come from disjoint regions of the photographs: the left, a middle band, the right. The right is wide because
narrow bands hold little but background: patches of a band of 15 % have a participation ratio below 3, those of the left
one near 9.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inflationary_flows.data.image_source import ImageSource
from inflationary_flows.data.picture_files import resized
from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.extras import needs
from inflationary_flows.files.files import sha256_of

# In the public domain, or given to it by their authors.
PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
LEAST_SIDE = 64
_SPLITS = ("train", "validation", "test")
# Shares of a photograph's width; the band is at least as wide as the smallest patch.
_LEFT = 0.6
_BAND = 0.1


@dataclass(frozen=True)
class Region:
    """Columns of a photograph that one split is cut from.

    Attributes:
        left, right: First column, and the first one after the last.
        height: Rows of the photograph.
    """

    left: int
    right: int
    height: int

    @property
    def largest_side(self) -> int:
        """Side of the largest patch that fits."""
        return min(self.right - self.left, self.height)


def regions(width: int, height: int) -> dict[str, Region]:
    """The regions of a photograph by split: the left, a middle band, the right."""
    left = round(_LEFT * width)
    edges = (0, left, left + max(LEAST_SIDE, round(_BAND * width)), width)
    return {split: Region(edges[i], edges[i + 1], height) for i, split in enumerate(_SPLITS)}


def cut_patches(resolution: int, resize: str, sizes: Mapping[str, int], seed: int) -> ImageSource:
    """Cuts random patches; fewer patches of a split are the first of more.

    Arguments:
        resolution: Pixels a side after resizing.
        resize: Name of the filter.
        sizes: Number of patches of each split.
        seed: Seed of where they are cut; each split has a stream of its own.
    """
    image = ImageFormat(3, resolution, resolution)
    photographs = read_photographs()
    parts = {
        split: _cut(list(photographs.values()), split, int(sizes[split]), image, resize, [seed, stream])
        for stream, split in enumerate(_SPLITS)
    }
    record = {
        "source_sha256": {name: sha256_of(_folder() / name) for name in PHOTOGRAPHS},
        "counts": {split: int(sizes[split]) for split in _SPLITS},
        "regions": {
            name: {split: [region.left, region.right] for split, region in regions(*photograph.size).items()}
            for name, photograph in photographs.items()
        },
        "resize": resize,
    }
    return ImageSource(parts, image, "photo_patches", record)


def read_photographs() -> dict[str, Any]:
    """The photographs by file name, as pictures of PIL in RGB."""
    with needs("pictures", "images"):
        from PIL import Image

    return {name: Image.open(io.BytesIO((_folder() / name).read_bytes())).convert("RGB") for name in PHOTOGRAPHS}


def _folder() -> Path:
    # The files themselves: the functions of skimage.data fetch what they believe to be missing.
    with needs("patches of photographs", "images"):
        import skimage

    return Path(skimage.__file__).parent / "data"


def _cut(
    photographs: list[Any], split: str, n: int, image: ImageFormat, resize: str, stream: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Patches (n, D) and the number of each one's photograph (n,)."""
    draws = np.random.default_rng(stream).random((n, 5))
    chosen = (draws[:, 0] * len(photographs)).astype(int)
    values = np.empty((n, image.dimension), dtype=np.uint8)
    for row, (number, (_, scale, across, down, flip)) in enumerate(zip(chosen, draws, strict=True)):
        photograph = photographs[number]
        region = regions(*photograph.size)[split]
        side = int(LEAST_SIDE * (region.largest_side / LEAST_SIDE) ** scale)
        left = region.left + int(across * (region.right - region.left - side + 1))
        top = int(down * (region.height - side + 1))
        patch = resized(photograph, (left, top, left + side, top + side), image, resize)
        if split == "train" and flip < 0.5:
            patch = patch.reshape(image.shape)[:, :, ::-1].reshape(-1)
        values[row] = patch
    return values, chosen.astype(np.float64)
