r"""Images as points: 8-bit grey levels on the disk, numbers in [-1, 1] in the mathematics.

    x = 2 v / levels - 1,   v = floor(clip((x + 1) levels / 2 + 1/2, 0, levels))

A point is an image flattened channel by channel, row by row (C, H, W).  Grey levels are stored, because they take a
byte where float64 takes eight; rows become float64 when they are indexed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

_DIGITS_SIDE = 8
_DIGITS_LEVELS = 16
_CIFAR_SIDE = 32
_BYTES = 256
# Highest grey level of the usual images.
EIGHT_BITS = 255


@dataclass(frozen=True)
class ImageFormat:
    """Size and grey levels of a set of images.

    Attributes:
        channels: 1 for grey, 3 for red, green and blue.
        height, width: Pixels.
        levels: Highest grey level that is stored, 255 or less.
    """

    channels: int
    height: int
    width: int
    levels: int = EIGHT_BITS

    @property
    def dimension(self) -> int:
        """D, the number of coordinates of an image as a point."""
        return self.channels * self.height * self.width

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of one image, (C, H, W)."""
        return self.channels, self.height, self.width

    @property
    def least_variance(self) -> float:
        """Variance of the rounding to grey levels: uniform over a step of 2 / levels, in units of x squared."""
        return (2.0 / self.levels) ** 2 / 12.0

    def to_points(self, values: np.ndarray) -> np.ndarray:
        """Grey levels, uint8 of any shape, as numbers in [-1, 1], float64 of the same shape."""
        return (2.0 * np.arange(_BYTES) / self.levels - 1.0)[values]

    def to_levels(self, points: np.ndarray) -> np.ndarray:
        """Numbers of any shape as the nearest grey levels, uint8; what lies outside of [-1, 1] is cut off."""
        scaled = (np.asarray(points, dtype=np.float64) + 1.0) * (self.levels / 2.0) + 0.5
        return np.floor(np.clip(scaled, 0.0, self.levels)).astype(np.uint8)

    def describe(self) -> dict[str, int]:
        """The four numbers by name, as metadata hold them."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Pixels:
    """Images that index and convert like an array of points, shape (n, D), float64.

    Attributes:
        values: Grey levels, shape (n, D), uint8, often a memory map.
        image: Their format.
    """

    values: np.ndarray
    image: ImageFormat

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, D)."""
        return self.values.shape

    @property
    def ndim(self) -> int:
        """2, as of any array of points."""
        return self.values.ndim

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of what indexing gives."""
        return np.dtype(np.float64)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, key: Any) -> np.ndarray:
        return self.image.to_points(self.values[key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("numbers are computed from grey levels: there is no array to share")
        return np.asarray(self[:], dtype=dtype)

    # Without these torch would convert row by row.
    def __dlpack__(self, **options: Any) -> Any:
        return np.asarray(self).__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        # A fresh array: memory maps that may not be written refuse.
        return np.empty(0).__dlpack_device__()


def find_image_format(dataset: Mapping[str, Any]) -> ImageFormat | None:
    """Format of a data set's images, known from its settings alone.

    Arguments:
        dataset: `kind`; `resolution` and `channels`, where the kind leaves them open.

    Returns:
        The format; None for toys and tables.
    """
    kind = dataset["kind"]
    if kind == "digits":
        return ImageFormat(1, _DIGITS_SIDE, _DIGITS_SIDE, _DIGITS_LEVELS)
    if kind == "cifar10":
        return ImageFormat(3, _CIFAR_SIDE, _CIFAR_SIDE)
    channels = {"afhqv2": 3, "photo_patches": 3, "idx": 1, "image_folder": int(dataset.get("channels", 3))}
    if kind not in channels:
        return None
    side = int(dataset["resolution"])
    return ImageFormat(channels[kind], side, side)
