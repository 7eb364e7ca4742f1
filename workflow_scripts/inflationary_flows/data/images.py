"""Sets of images: where each kind is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inflationary_flows.data.image_source import ImageSource
from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.extras import needs


def read_images(dataset: Mapping[str, Any]) -> ImageSource:
    """Reads a set of images.

    Arguments:
        dataset: `kind`, then `path` (all but digits and photo_patches; a file or folder, or the list of
            downloaded files), `resolution`, `resize` (afhqv2, image_folder, photo_patches), `channels`
            (image_folder), `seed` and `sizes` (photo_patches).

    Raises:
        DataError: if the source is missing, truncated, unsafe to read, or holds something else.
    """
    kind = dataset["kind"]
    if kind == "digits":
        return read_digits()
    if kind == "photo_patches":
        from inflationary_flows.data.photo_patches import cut_patches

        return cut_patches(int(dataset["resolution"]), dataset["resize"], dataset["sizes"], int(dataset["seed"]))
    paths = _paths(dataset["path"])
    if kind == "cifar10":
        from inflationary_flows.data.cifar import read_cifar10

        return read_cifar10(paths[0])
    if kind == "idx":
        from inflationary_flows.data.idx import read_idx

        return read_idx(paths, int(dataset["resolution"]))
    from inflationary_flows.data.picture_files import read_afhqv2, read_image_folder

    if kind == "afhqv2":
        return read_afhqv2(paths[0], int(dataset["resolution"]), dataset["resize"])
    channels = int(dataset["channels"])
    return read_image_folder(paths[0], int(dataset["resolution"]), dataset["resize"], channels)


def read_digits() -> ImageSource:
    """Returns scikit-learn's 1,797 digits, grey levels 0..16, and their classes."""
    with needs("the digits", "images"):
        from sklearn.datasets import load_digits

    grey, classes = load_digits(return_X_y=True)
    part = (grey.astype(np.uint8), classes.astype(np.float64))
    return ImageSource({"train": part}, ImageFormat(1, 8, 8, 16), "digits", {"counts": {"train": len(grey)}})


def _paths(path: str | Sequence[str]) -> list[Path]:
    return [Path(path)] if isinstance(path, str) else [Path(each) for each in path]
