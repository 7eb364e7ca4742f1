"""The toys are what they are said to be: right shapes, exact moments, exact densities."""

import numpy as np
import pytest
from scipy.spatial import cKDTree
from sklearn import datasets

from inflationary_flows.data.oracles import draw_fresh, exact_mixture, find_toy
from inflationary_flows.data.toys import TOYS, EmbeddedToy
from inflationary_flows.errors import DataError

MONTE_CARLO = 1_000_000


def mixture_moments(means, weights, covariance):
    """Mean, covariance and third central moments E[d_i^2 d_j] of a mixture."""
    mean = weights @ means
    centred = means - mean
    second = (centred * weights[:, None]).T @ centred + covariance
    # Gaussian noise adds S_ii E[d_j] + 2 S_ij E[d_i], both zero for centred nodes.
    third = np.einsum("k,ki,kj->ij", weights, centred**2, centred)
    return mean, second, third


@pytest.mark.parametrize("name", TOYS)
def test_mixture_has_the_moments_of_the_samples(name):
    toy = TOYS[name]
    points, _ = toy.sample(MONTE_CARLO, np.random.default_rng(7))
    mean, covariance, third = mixture_moments(*toy.mixture())
    centred = points - mean
    for exact, terms in (
        (mean, points),
        (covariance, centred[:, :, None] * centred[:, None, :]),
        (third, centred[:, :, None] ** 2 * centred[:, None, :]),
    ):
        error = np.abs(terms.mean(axis=0) - exact)
        spread = terms.std(axis=0) / np.sqrt(MONTE_CARLO)
        # Within-cell widths are neglected along sine's y: O(h^2) of the midpoint rule.
        assert np.all(error < 4.5 * spread + 2e-4), name


@pytest.mark.parametrize("name", TOYS)
def test_toys_are_standardised_exactly_where_the_paper_means_it(name):
    toy = TOYS[name]
    means, weights, covariance = toy.mixture()
    mean, second, _ = mixture_moments(means, weights, covariance)
    expected = [1.0 if keep else 0.25 for keep in toy.standardised]
    np.testing.assert_allclose(mean, 0.0, atol=1e-12)
    np.testing.assert_allclose(np.diag(second), expected, rtol=1e-10)
    np.testing.assert_allclose(weights.sum(), 1.0, rtol=1e-14)


@pytest.mark.parametrize("name", [name for name in TOYS if name != "sine"])
def test_mixture_has_converged_at_its_default_resolution(name):
    toy = TOYS[name]
    points, _ = toy.sample(200, np.random.default_rng(1))

    def log_density(mixture):
        means, weights, covariance = mixture
        scaled = (points[:, None] - means[None]) / np.sqrt(np.diag(covariance))
        exponent = -0.5 * (scaled**2).sum(-1)
        top = exponent.max(1)
        return top + np.log(np.exp(exponent - top[:, None]) @ weights)

    coarse, fine = log_density(toy.mixture()), log_density(toy.mixture(2 * toy.resolution))
    np.testing.assert_allclose(coarse, fine, atol=1e-5)


def test_sine_mixture_has_converged_under_a_kernel():
    toy = TOYS["sine"]
    points, _ = toy.sample(200, np.random.default_rng(1))

    def log_density(resolution):
        means, weights, covariance = toy.mixture(resolution)
        scaled = (points[:, None] - means[None]) / np.sqrt(np.diag(covariance) + 5e-4)
        exponent = -0.5 * (scaled**2).sum(-1) - 0.5 * np.log(np.diag(covariance) + 5e-4).sum()
        return np.log(np.exp(exponent) @ weights)

    np.testing.assert_allclose(log_density(toy.resolution), log_density(2048), atol=2e-3)


@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("circles", lambda: datasets.make_circles(500, factor=0.5)[0]),
        ("moons", lambda: datasets.make_moons(500)[0]),
        ("s_curve", lambda: datasets.make_s_curve(500, random_state=0)[0]),
        ("swirl", lambda: datasets.make_swiss_roll(500, random_state=0)[0]),
    ],
)
def test_points_of_scikit_learn_lie_on_the_skeleton(name, points):
    toy = TOYS[name]
    skeleton, _, _ = toy.mixture(1024)
    _, scale = toy.location_and_scale
    # The skeleton's nodes have at most this distance from one another, in raw units.
    gap = {"circles": 7e-3, "moons": 6e-3, "s_curve": 2e-2, "swirl": 1.7e-1}[name]
    distances, _ = cKDTree(skeleton * scale).query(toy.standardise(points()) * scale)
    assert distances.max() < gap


def test_sine_is_the_formula():
    toy = TOYS["sine"]
    points, _ = toy.sample(100_000, np.random.default_rng(0))
    location, scale = toy.location_and_scale
    x, y = (points * scale + location).T
    noise = y - np.sin(4 * np.pi * x) / 4
    assert np.abs(x).max() <= 1.0
    assert noise.std() == pytest.approx(0.15, rel=0.01)
    assert abs(np.corrcoef(x, noise)[0, 1]) < 0.02
    np.testing.assert_allclose(scale, [np.sqrt(1 / 3), np.sqrt(1 / 32 + 0.15**2)], rtol=1e-12)


@pytest.mark.parametrize("name", ["alt_s_curve", "alt_swirl"])
def test_variants_replace_the_second_coordinate_by_noise(name):
    points, label = TOYS[name].sample(200_000, np.random.default_rng(0))
    base, _ = TOYS[name.removeprefix("alt_")].sample(200_000, np.random.default_rng(1))
    assert points[:, 1].std() == pytest.approx(0.5, rel=0.01)
    assert abs(np.corrcoef(points[:, 1], label)[0, 1]) < 0.01
    for coordinate in (0, 2):
        quantiles = np.linspace(0.05, 0.95, 10)
        np.testing.assert_allclose(
            np.quantile(points[:, coordinate], quantiles),
            np.quantile(base[:, coordinate], quantiles),
            atol=0.03,
        )


@pytest.mark.parametrize("name", TOYS)
def test_labels_colour_along_the_curve(name):
    points, label = TOYS[name].sample(20_000, np.random.default_rng(0))
    assert points.shape == (20_000, TOYS[name].dimension)
    assert 0.0 <= label.min() < 0.01 < 0.99 < label.max() <= 1.0


def test_embedded_toy_keeps_distances_and_has_null_directions():
    toy = EmbeddedToy(TOYS["moons"], dimension=6, seed=1)
    points, label = toy.sample(2_000, np.random.default_rng(3))
    flat, flat_label = TOYS["moons"].sample(2_000, np.random.default_rng(3))
    np.testing.assert_allclose(toy.frame.T @ toy.frame, np.eye(2), atol=1e-14)
    np.testing.assert_allclose(points @ toy.frame, flat, atol=1e-13)
    np.testing.assert_array_equal(label, flat_label)
    means, weights, covariance = toy.mixture()
    assert np.linalg.matrix_rank(covariance, tol=1e-12) == 2
    _, second, _ = mixture_moments(means, weights, covariance)
    np.testing.assert_allclose(np.linalg.eigvalsh(second)[:4], 0.0, atol=1e-14)


def test_embedding_depends_on_the_seed_alone():
    first, again, other = (EmbeddedToy(TOYS["circles"], 5, seed).frame for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


def test_embedding_needs_a_higher_dimension():
    with pytest.raises(DataError, match="a dimension above 3"):
        EmbeddedToy(TOYS["swirl"], 3, 0).sample(10, np.random.default_rng(0))


def test_oracles_are_known_for_toys_only():
    assert exact_mixture({"kind": "digits"}) is None
    assert draw_fresh({"kind": "csv"}, 5, 0) is None
    embedded = {"kind": "embedded", "base": "circles", "dimension": 4, "seed": 0}
    means, weights, covariance = exact_mixture(embedded, 32)
    assert means.shape == (64, 4)
    assert weights.shape == (64,)
    assert covariance.shape == (4, 4)
    assert isinstance(find_toy(embedded), EmbeddedToy)


def test_fresh_points_depend_on_both_seeds():
    draws = [
        draw_fresh({"kind": "circles", "seed": seed}, 5, fresh) for seed, fresh in ((0, 0), (0, 0), (0, 1), (1, 0))
    ]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])
    assert not np.array_equal(draws[0], draws[3])
