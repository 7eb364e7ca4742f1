r"""What instruments see of images, as matrices: some pixels, means of squares of pixels, blurred images.

    y = A x,      A of shape (m, D)

x is an image as a point, flattened channel by channel, row by row (C, H, W); so is y, where it is an image.  Each row
of A adds up to 1: an image of one grey level stays one.  Channels are observed alike, A = I_C (x) B with B of one.

Of a blurred image each pixel is a mean with the weights of a Gaussian.  The image goes on beyond its edges as in a
mirror that stands between pixels (d c b a | a b c d | d c b a).  B is then symmetric: it is its own adjoint, and no
light is lost.
"""

from __future__ import annotations

import numpy as np

from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.errors import DataError

# Weights of Gaussians are left out beyond so many standard deviations: e^-32 of the largest.
_REACH = 8.0


def see_pixels(image: ImageFormat, seen: np.ndarray) -> np.ndarray:
    """Pixels that are seen, the others hidden: rows of the identity.

    Arguments:
        image: Format of the images.
        seen: Which pixels are seen, in all channels, shape (H, W), bool.

    Raises:
        DataError: if the mask has another shape, or no pixel is seen.
    """
    mask = np.asarray(seen, dtype=bool)
    if mask.shape != (image.height, image.width) or not mask.any():
        got = "no pixel" if mask.shape == (image.height, image.width) else f"shape {mask.shape}"
        expected = f"at least one pixel of a mask of shape ({image.height}, {image.width})"
        raise DataError("seen", expected, got, "give each pixel True or False")
    return _all_channels(image, np.eye(mask.size)[mask.ravel()])


def see_upper_half(image: ImageFormat) -> np.ndarray:
    """The upper half of an image, the middle row with it; the lower half is hidden."""
    rows = np.arange(image.height) < (image.height + 1) // 2
    return see_pixels(image, np.broadcast_to(rows[:, None], (image.height, image.width)))


def average_squares(image: ImageFormat, side: int = 2) -> np.ndarray:
    """Means of squares of pixels, an image of a smaller size.

    Arguments:
        image: Format of the images.
        side: Pixels of the side of a square; divides height and width.

    Raises:
        DataError: if it does not.
    """
    if side < 1 or image.height % side or image.width % side:
        got = f"{side} of {image.height} x {image.width} pixels"
        raise DataError("side", "a divisor of height and width", got, "take another size of squares")
    rows, columns = (np.kron(np.eye(n // side), np.full((1, side), 1 / side)) for n in (image.height, image.width))
    return _all_channels(image, np.kron(rows, columns))


def blur(image: ImageFormat, std: float) -> np.ndarray:
    """A Gaussian blur of a standard deviation in pixels, with reflecting edges.

    Raises:
        DataError: if the standard deviation is not positive.
    """
    if not std > 0:
        raise DataError("std", "a number > 0", str(std), "give the width of the blur in pixels")
    return _all_channels(image, np.kron(_blur_line(image.height, std), _blur_line(image.width, std)))


def _blur_line(n: int, std: float) -> np.ndarray:
    """The blur of n pixels in a line, shape (n, n)."""
    reach = int(np.ceil(_REACH * std))
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-np.square(offsets / std) / 2)
    # Two mirrors repeat the line and its mirror image with period 2 n.
    places = (np.arange(n)[:, None] + offsets) % (2 * n)
    places = np.minimum(places, 2 * n - 1 - places)
    matrix = np.zeros((n, n))
    np.add.at(matrix, (np.arange(n)[:, None], places), weights / weights.sum())
    return matrix


def _all_channels(image: ImageFormat, matrix: np.ndarray) -> np.ndarray:
    """The same for each channel."""
    result: np.ndarray = np.kron(np.eye(image.channels), matrix)
    return result
