"""Two-sample statistics against brute force, closed forms and their own null distribution."""

from __future__ import annotations

import time

import numpy as np
import ot
import pytest
from scipy.stats import norm

from inflationary_flows.errors import DataError
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.metrics.two_sample import (
    FLOOR_COLUMNS,
    c2st_accuracy,
    energy_distance,
    energy_distance_of_halves,
    measure_floor,
    sliced_wasserstein,
    sliced_wasserstein_of_halves,
    standardise,
)


def brute_force_energy_distance(x: np.ndarray, y: np.ndarray) -> float:
    """The definition, pair by pair."""
    between = np.mean([np.linalg.norm(a - b) for a in x for b in y])
    within = [
        np.mean([np.linalg.norm(s[i] - s[j]) for i in range(len(s)) for j in range(len(s)) if i != j]) for s in (x, y)
    ]
    return float(2 * between - sum(within))


def noisy_rings(n: int, noise: float, seed: int) -> np.ndarray:
    """Two rings of about unit variance, shape (n, 2)."""
    generator = np.random.default_rng(seed)
    angle, radius = generator.uniform(0, 2 * np.pi, n), generator.choice([1.8, 0.9], n)
    ring = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return ring + noise * generator.standard_normal((n, 2))


@pytest.mark.parametrize(("n", "m", "dimension"), [(17, 23, 2), (30, 12, 5), (20, 20, 1)])
def test_energy_distance_equals_brute_force(n: int, m: int, dimension: int) -> None:
    generator = np.random.default_rng(n)
    x = generator.standard_normal((n, dimension))
    y = generator.standard_normal((m, dimension)) + 0.3
    assert energy_distance(x, y) == pytest.approx(brute_force_energy_distance(x, y), rel=1e-12)


def test_energy_distance_is_the_same_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((150, 3)), generator.standard_normal((110, 3))
    whole = energy_distance(x, y)
    monkeypatch.setattr("inflationary_flows.metrics.two_sample.BLOCK", 37)
    assert energy_distance(x, y) == pytest.approx(whole, rel=1e-12)


def test_energy_distance_of_shifted_gaussians_is_the_closed_form() -> None:
    # |X - Y| is a folded normal of mean mu and variance 2, |X - X'| of mean 0.
    generator = np.random.default_rng(1)
    shift, s = 0.8, np.sqrt(2)
    folded = s * np.sqrt(2 / np.pi) * np.exp(-((shift / s) ** 2) / 2) + shift * (1 - 2 * norm.cdf(-shift / s))
    exact = 2 * folded - 2 * s * np.sqrt(2 / np.pi)
    x, y = generator.standard_normal((2, 6_000, 1))
    assert energy_distance(x, y + shift) == pytest.approx(exact, rel=0.06)


def test_energy_distance_is_unbiased_between_sets_of_one_law() -> None:
    generator = np.random.default_rng(2)
    values = [energy_distance(*generator.standard_normal((2, 50, 2))) for _ in range(200)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))


def test_energy_distance_sees_small_differences_far_from_the_origin() -> None:
    # Matrix-product distances lose all digits here.
    generator = np.random.default_rng(3)
    x, y = generator.standard_normal((200, 2)), generator.standard_normal((200, 2))
    far = energy_distance(x + 1e6, y + 1e6)
    assert far == pytest.approx(energy_distance(x, y), abs=1e-8)


def test_null_distances_equal_those_of_the_halves() -> None:
    pool = np.random.default_rng(4).standard_normal((3_000, 2))
    generator = np.random.default_rng(5)
    sign = np.repeat([1.0, -1.0], 1_500)
    signs = np.stack([generator.permutation(sign) for _ in range(3)], axis=1)
    direct = [energy_distance(pool[s > 0], pool[s < 0]) for s in signs.T]
    # Their standard deviation is 1e-3.
    np.testing.assert_allclose(energy_distance_of_halves(pool, signs), direct, atol=1e-8)
    slices = [sliced_wasserstein(pool[s > 0], pool[s < 0], projections=20, seed=1) for s in signs.T]
    np.testing.assert_allclose(sliced_wasserstein_of_halves(pool, signs, projections=20, seed=1), slices, rtol=1e-10)


def test_sliced_wasserstein_equals_the_library() -> None:
    generator = np.random.default_rng(6)
    x, y = generator.standard_normal((300, 3)), 1.5 * generator.standard_normal((300, 3))
    library = ot.sliced_wasserstein_distance(x, y, n_projections=2_000, seed=0)
    assert sliced_wasserstein(x, y, projections=2_000) == pytest.approx(library, rel=0.02)


def test_sliced_wasserstein_of_a_shift_in_one_dimension_is_the_shift() -> None:
    x = np.random.default_rng(7).standard_normal((500, 1))
    assert sliced_wasserstein(x, x + 0.7) == pytest.approx(0.7, rel=1e-12)


@pytest.mark.parametrize("shift", [0.5, 1.0])
def test_classifier_comes_near_the_best_possible_accuracy(shift: float) -> None:
    generator = np.random.default_rng(8)
    x, y = generator.standard_normal((2, 4_000, 2))
    best = norm.cdf(shift / 2)
    assert best - 0.03 < c2st_accuracy(x, y + np.array([shift, 0])) < best + 0.02


def test_classifier_sees_a_slightly_thicker_ring() -> None:
    assert c2st_accuracy(noisy_rings(6_000, 0.14, 0), noisy_rings(6_000, 0.18, 1)) > 0.52


def test_classifier_cannot_tell_sets_of_one_law() -> None:
    accuracies = [c2st_accuracy(noisy_rings(1_500, 0.14, 2 * i), noisy_rings(1_500, 0.14, 2 * i + 1)) for i in range(4)]
    assert np.mean(accuracies) == pytest.approx(0.5, abs=0.02)


def test_classifier_is_deterministic() -> None:
    x, y = noisy_rings(500, 0.14, 0), noisy_rings(500, 0.2, 1)
    assert c2st_accuracy(x, y, seed=3) == c2st_accuracy(x, y, seed=3)


def test_floor_covers_fresh_sets() -> None:
    validation, test = noisy_rings(1_000, 0.14, 10), noisy_rings(2_000, 0.14, 11)
    rows = {row["metric"]: row for row in measure_floor(validation, test, samples=5_000, wasserstein_splits=10)}
    assert all(tuple(row) == FLOOR_COLUMNS and row["n"] == 1_000 for row in rows.values())
    fresh = [
        energy_distance(noisy_rings(1_000, 0.14, 20 + 2 * i), noisy_rings(1_000, 0.14, 21 + 2 * i)) for i in range(40)
    ]
    floor = rows["energy_distance"]
    assert abs(floor["mean"]) < floor["sd"] / 3
    assert np.mean(np.array(fresh) <= floor["q95"]) >= 0.8
    assert np.std(fresh) == pytest.approx(floor["sd"], rel=0.5)
    assert rows["sliced_wasserstein"]["q95"] > rows["sliced_wasserstein"]["mean"] > 0
    assert rows["c2st_accuracy"]["mean"] == 0.5


def test_floor_is_deterministic() -> None:
    x, y = noisy_rings(200, 0.14, 0), noisy_rings(200, 0.14, 1)
    assert measure_floor(x, y, energy_splits=5) == measure_floor(x, y, energy_splits=5)


def test_standardise_divides_by_the_basis() -> None:
    generator = np.random.default_rng(9)
    x = generator.standard_normal((400, 2)) * [3.0, 0.1] + [5.0, -1.0]
    basis = Eigenbasis.fit(x, x.std(axis=0, ddof=1))
    standardised = standardise(x, basis)
    np.testing.assert_allclose(standardised.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(standardised.std(axis=0, ddof=1), 1)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.zeros((5, 2)), np.zeros((5, 3))),
        (np.zeros(5), np.zeros((5, 1))),
        (np.zeros((1, 2)), np.zeros((5, 2))),
        (np.full((5, 2), np.nan), np.zeros((5, 2))),
    ],
)
def test_unfit_sets_are_refused(x: np.ndarray, y: np.ndarray) -> None:
    with pytest.raises(DataError, match="expected"):
        energy_distance(x, y)


@pytest.mark.slow
def test_ten_thousand_points_take_seconds() -> None:
    x, y = noisy_rings(10_000, 0.14, 0), noisy_rings(10_000, 0.14, 1)
    start = time.process_time()
    c2st_accuracy(x, y)
    measure_floor(x, y)
    assert time.process_time() - start < 60


@pytest.mark.parametrize("grouped", [True, False])
def test_rows_of_a_group_are_judged_by_networks_that_have_not_seen_it(grouped):
    # Three points of each set at every place: those left to learn from lean to the set of which fewer are judged.
    random = np.random.default_rng(0)
    places = random.standard_normal((300, 5)) * 5
    x, y = (np.repeat(places, 3, 0) + 0.1 * random.standard_normal((900, 5)) for _ in range(2))
    accuracy = c2st_accuracy(x, y, groups=np.repeat(np.arange(300), 3) if grouped else None)
    assert (abs(accuracy - 0.5) < 0.04) == grouped
