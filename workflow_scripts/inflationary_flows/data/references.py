"""Which images of a data set generated ones are held against."""

from __future__ import annotations

from typing import Literal

import numpy as np

from inflationary_flows.data.splits import Splits
from inflationary_flows.errors import DataError

REFERENCES = {"train": ("train", "validation"), "test": ("test",), "all": ("train", "validation", "test")}
Reference = Literal["train", "test", "all"]


def reference_images(splits: Splits, reference: Reference) -> np.ndarray:
    """The images of a data set that generated ones are held against.

    Arguments:
        splits: Splits of an image data set.
        reference: `train` (with validation: the official training images), `test` or `all`.

    Returns:
        Grey levels, shape (n, C, H, W), uint8.

    Raises:
        DataError: if the points are no images.
    """
    image = splits.image
    if image is None:
        raise DataError("data set", "images", "points of a table or toy", "list an image data set here")
    values = [np.asarray(getattr(splits, part).values) for part in REFERENCES[reference]]
    return np.concatenate(values).reshape(-1, image.channels, image.height, image.width)
