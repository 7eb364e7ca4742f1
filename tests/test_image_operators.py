"""Linear operators of images: closed forms, the adjoint, and SciPy as a second implementation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from inflationary_flows.data.image_operators import average_squares, blur, see_pixels, see_upper_half
from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.errors import DataError

IMAGE = ImageFormat(channels=3, height=6, width=4)
OPERATORS = {
    "half": see_upper_half(IMAGE),
    "pixels": see_pixels(IMAGE, np.eye(6, 4, dtype=bool)),
    "squares": average_squares(IMAGE),
    "blur": blur(IMAGE, 0.8),
    "wide blur": blur(IMAGE, 9.0),
}


def images(n: int = 5) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((n, *IMAGE.shape))


@pytest.mark.parametrize("name", OPERATORS)
def test_rows_add_up_to_one_and_flat_images_stay_flat(name: str) -> None:
    matrix = OPERATORS[name]
    assert matrix.shape[1] == IMAGE.dimension
    assert matrix.min() >= 0
    np.testing.assert_allclose(matrix.sum(1), 1, rtol=1e-12)
    flat = np.repeat([0.3, -1.0, 2.0], IMAGE.height * IMAGE.width)
    np.testing.assert_allclose(matrix @ flat, np.repeat([0.3, -1.0, 2.0], len(matrix) // 3))


def test_the_upper_half_is_seen_as_it_is() -> None:
    x = images()
    seen = x.reshape(5, -1) @ OPERATORS["half"].T
    np.testing.assert_array_equal(seen.reshape(5, 3, 3, 4), x[:, :, :3])
    assert len(see_upper_half(ImageFormat(1, 5, 2))) == 6


def test_pixels_of_a_mask_are_seen_in_the_order_of_the_image() -> None:
    x = images()
    seen = x.reshape(5, -1) @ OPERATORS["pixels"].T
    np.testing.assert_array_equal(seen, x[:, :, range(4), range(4)].reshape(5, -1))


def test_squares_are_averaged_and_their_adjoint_spreads_them() -> None:
    x = images()
    matrix = OPERATORS["squares"]
    expected = x.reshape(5, 3, 3, 2, 2, 2).mean((3, 5))
    np.testing.assert_allclose(x.reshape(5, -1) @ matrix.T, expected.reshape(5, -1), atol=1e-12)
    # The adjoint gives each pixel a quarter of its square: <y, A x> = <A^T y, x>.
    spread = expected.reshape(5, -1) @ matrix
    expected_spread = np.repeat(np.repeat(expected, 2, 2), 2, 3) / 4
    np.testing.assert_allclose(spread, expected_spread.reshape(5, -1), atol=1e-12)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(len(matrix)) / 4, atol=1e-12)


@pytest.mark.parametrize("std", [0.4, 0.8, 9.0])
def test_blur_is_that_of_scipy_with_reflecting_edges_and_its_own_adjoint(std: float) -> None:
    x, matrix = images(), blur(IMAGE, std)
    expected = gaussian_filter(x, (0, 0, std, std), mode="reflect", truncate=8.0)
    np.testing.assert_allclose((x.reshape(5, -1) @ matrix.T).reshape(x.shape), expected, atol=1e-12)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-15)


def test_narrow_blurs_do_nothing_and_wide_ones_leave_the_mean() -> None:
    np.testing.assert_allclose(blur(IMAGE, 1e-2), np.eye(IMAGE.dimension), atol=1e-15)
    one = blur(ImageFormat(1, 6, 4), 100.0)
    np.testing.assert_allclose(one, 1 / 24, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: see_pixels(IMAGE, np.ones((4, 6))), r"shape \(6, 4\).*got shape \(4, 6\)"),
        (lambda: see_pixels(IMAGE, np.zeros((6, 4))), "got no pixel"),
        (lambda: average_squares(IMAGE, 4), "a divisor of height and width, got 4 of 6 x 4 pixels"),
        (lambda: average_squares(IMAGE, 0), "a divisor"),
        (lambda: blur(IMAGE, 0.0), "a number > 0"),
    ],
)
def test_what_does_not_fit_is_refused(make, message: str) -> None:
    with pytest.raises(DataError, match=message):
        make()
