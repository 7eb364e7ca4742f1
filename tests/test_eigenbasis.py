"""The eigenbasis: equal to a decomposition of all points at once, whatever they are kept in, however many."""

import time

import numpy as np
import pytest
import torch

from inflationary_flows.data.pixels import ImageFormat, Pixels
from inflationary_flows.errors import DataError
from inflationary_flows.mathematics import eigenbasis
from inflationary_flows.mathematics.eigenbasis import Eigenbasis, cut_angle
from pictures import noise


@pytest.fixture
def few_rows(monkeypatch):
    """Makes every fit one of many chunks."""
    monkeypatch.setattr(eigenbasis, "_ROWS", 7)


def correlated(n: int = 100, dimension: int = 6) -> np.ndarray:
    """Points of different variances, far from the origin."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, dimension)) @ rng.standard_normal((dimension, dimension)) + 1000.0


def test_chunks_give_the_covariance_of_all_rows(few_rows):
    x = correlated()
    basis = Eigenbasis.fit(x)
    np.testing.assert_allclose(basis.mean, x.mean(0), rtol=1e-14)
    np.testing.assert_allclose(basis.eigenvalues, np.linalg.eigvalsh(np.cov(x.T))[::-1], rtol=1e-10)
    singular = np.linalg.svd(x - x.mean(0), compute_uv=False) ** 2 / (len(x) - 1)
    np.testing.assert_allclose(basis.eigenvalues, singular, rtol=1e-10)
    rebuilt = basis.vectors * basis.eigenvalues @ basis.vectors.T
    np.testing.assert_allclose(rebuilt, np.cov(x.T), rtol=0, atol=1e-10)


def test_number_of_rows_at_a_time_changes_rounding_only(monkeypatch):
    x = correlated()
    whole = Eigenbasis.fit(x, x.std(0))
    for rows in (1, 3, 99, 100, 101):
        monkeypatch.setattr(eigenbasis, "_ROWS", rows)
        parts = Eigenbasis.fit(x, x.std(0))
        torch.testing.assert_close(parts.eigenvalues, whole.eigenvalues, rtol=1e-12, atol=1e-13)
        torch.testing.assert_close(parts.vectors, whole.vectors, rtol=0, atol=1e-10)


def test_arrays_tensors_and_pixels_give_the_same_basis(few_rows):
    pixels = Pixels(noise(50, 12), ImageFormat(3, 2, 2))
    bases = [Eigenbasis.fit(x) for x in (pixels, np.asarray(pixels), torch.as_tensor(pixels))]
    for other in bases[1:]:
        for name in ("mean", "scale", "vectors", "eigenvalues"):
            assert torch.equal(getattr(bases[0], name), getattr(other, name))


def test_few_images_leave_directions_without_variance():
    basis = Eigenbasis.fit(Pixels(noise(5, 12), ImageFormat(3, 2, 2)))
    assert (basis.eigenvalues >= 0).all()
    assert (basis.eigenvalues[4:] < 1e-14).all()
    assert (basis.eigenvalues[:4] > 1e-3).all()
    torch.testing.assert_close(basis.vectors.T @ basis.vectors, torch.eye(12, dtype=torch.float64))


@pytest.mark.parametrize("x", [np.zeros((1, 3)), np.zeros(3), np.zeros((0, 3))])
def test_what_is_no_set_of_points_is_refused(x):
    with pytest.raises(DataError, match="at least 2 rows"):
        Eigenbasis.fit(x)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_single_odd_number_is_found_in_any_chunk(few_rows, value):
    x = correlated()
    x[93, 2] = value
    with pytest.raises(DataError, match="a finite matrix"):
        Eigenbasis.fit(x)


@pytest.mark.parametrize(("kept", "towards"), [(1, 2), (2, 3)])
def test_the_angle_at_the_cut_is_that_between_samples(kept, towards):
    rows, variances = 400, np.array([4.0, 2.0, 0.7])
    turns = []
    for seed in range(400):
        x = np.random.default_rng(seed).standard_normal((rows, 3)) * np.sqrt(variances)
        vectors = Eigenbasis.fit(x).vectors
        turns.append(float(vectors[towards - 1, kept - 1]))
    assert np.std(turns) == pytest.approx(cut_angle(variances, kept, rows), rel=0.12)


def test_equal_variances_leave_the_directions_open_and_a_whole_space_none():
    assert cut_angle(np.array([1.0, 1.0]), 1, 10_000) == pytest.approx(np.pi / 2)
    assert cut_angle(np.array([1.0, 1.0]), 2, 10_000) == 0


@pytest.mark.long
def test_three_thousand_dimensions_take_seconds_and_little_memory():
    images = Pixels(noise(20_000, 3072), ImageFormat(3, 32, 32))
    begin = time.monotonic()
    basis = Eigenbasis.fit(images)
    assert time.monotonic() - begin < 90
    # Of independent grey levels all directions have the variance of one, but for the spread of random matrices.
    variance = images.image.to_points(np.arange(256, dtype=np.uint8)).var()
    edge = np.sqrt(3072 / 20_000)
    assert basis.eigenvalues[0] == pytest.approx(variance * (1 + edge) ** 2, rel=0.02)
    assert basis.eigenvalues[-1] == pytest.approx(variance * (1 - edge) ** 2, rel=0.02)
