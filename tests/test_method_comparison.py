"""Methods side by side: a perfect model passes, faulty ones fail, and costs are what was spent."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import norm

from inflationary_flows.artifacts.bases import save_basis
from inflationary_flows.artifacts.classifiers import save_classifier
from inflationary_flows.artifacts.features import save_reference
from inflationary_flows.artifacts.images import load_images
from inflationary_flows.baselines import methods
from inflationary_flows.baselines.method import Model, RandomNumbers
from inflationary_flows.checkpoint import Checkpoint
from inflationary_flows.data.oracles import draw_fresh
from inflationary_flows.data.pixels import ImageFormat, Pixels
from inflationary_flows.data.splits import Splits
from inflationary_flows.errors import DataError, Interrupted
from inflationary_flows.experiments.baselines import quality as method_quality
from inflationary_flows.experiments.baselines.costs import (
    COST_METRICS,
    TimedMethod,
    clock_of,
    measure_method_costs,
    step_seconds,
)
from inflationary_flows.experiments.baselines.coverage import CoverageSettings, measure_posteriors
from inflationary_flows.experiments.baselines.encoder import measure_encoder
from inflationary_flows.experiments.baselines.images import frechet_rows, generate_method_images
from inflationary_flows.experiments.baselines.quality import (
    measure_generated,
    measure_method_quality,
    standardise_varying,
)
from inflationary_flows.experiments.baselines.references import make_references
from inflationary_flows.experiments.paper_comparison.measure import COMPARED, NOT_RUN, compare_with_paper
from inflationary_flows.experiments.table4.measure import (
    NOT_PUBLISHED,
    ONE_SEED,
    TABLE4_COLUMNS,
    measure,
    tabulate_table4,
)
from inflationary_flows.files.files import sha256_of
from inflationary_flows.files.tables import write_csv
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.metrics.features import make_digits_classifier
from inflationary_flows.metrics.frechet import fit_statistics
from inflationary_flows.metrics.scores import score_posteriors
from inflationary_flows.metrics.tarp import coverage_rows, fixed_references, make_replicates
from inflationary_flows.metrics.two_sample import measure_floor, standardise
from inflationary_flows.networks.digits_classifier import DigitsClassifier
from inflationary_flows.seeding import derive_seed
from job_scripts import Named, run_script
from repository import REPOSITORY
from stores import Memory, kept, stopping_after

CIRCLES = {"kind": "circles", "seed": 0}
PUBLISHED = pd.read_csv(REPOSITORY / "configs/paper_tables.csv")


class Drawing:
    """A model whose samples come from a function, and which keeps the first d principal components."""

    kept_dims = 1
    parameters = 0
    evaluations = 1

    def __init__(self, draw: Callable[[int, int], np.ndarray], basis: Eigenbasis) -> None:
        self.draw, self.basis = draw, basis
        self.dimension = basis.dimension

    def sample(self, n: int, seed: int, random: RandomNumbers | None = None) -> np.ndarray:
        points = self.draw(n, seed)
        return self.reconstruct(points) if random == "d" else points

    def sample_numbered(self, first: int, count: int, seed: int) -> np.ndarray:
        return self.draw(first + count, seed)[first:]

    def reconstruct(self, x: np.ndarray) -> np.ndarray:
        u = self.basis.to_eigen(torch.from_numpy(x))
        u[:, self.kept_dims :] = 0
        return self.basis.from_eigen(u).numpy()

    def round_trip(self, x: np.ndarray) -> np.ndarray:
        return x

    def to(self, device: str) -> Model:
        return self


def fresh(n: int, seed: int) -> np.ndarray:
    """Points of the circles from a stream that no split has."""
    points = draw_fresh(CIRCLES, n, derive_seed("a perfect model", seed))
    assert points is not None
    return points


def shifted(n: int, seed: int) -> np.ndarray:
    """The same, shifted by a fifth of a standard deviation."""
    return fresh(n, seed) + np.array([0.2, 0.0])


@pytest.fixture(scope="module")
def circles() -> tuple[Eigenbasis, np.ndarray]:
    points = draw_fresh(CIRCLES, 6000, 1)
    assert points is not None
    return Eigenbasis.fit(points[:2000]), points[2000:]


def values_of(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Values by metric; of generated points those from D random numbers."""
    return {row["metric"]: row["value"] for row in rows if row.get("random") != "d"}


# ---------------------------------------------------------------------------------------------
# Quality


def test_a_perfect_model_is_within_the_floor_and_a_shifted_one_is_not(circles: tuple[Eigenbasis, np.ndarray]) -> None:
    basis, test = circles
    n = 1500
    pool = standardise(test, basis)
    floor = {row["metric"]: row for row in measure_floor(pool[:2000], pool[2000:], samples=n, wasserstein_splits=2)}
    perfect, beside = (
        values_of(measure_generated(draw(n, 1), test[:n], basis, "D", seed=0)) for draw in (fresh, shifted)
    )
    for metric in ("energy_distance", "c2st_accuracy"):
        above = {
            name: (values[metric] - floor[metric]["mean"]) / floor[metric]["sd"]
            for name, values in (("perfect", perfect), ("beside", beside))
        }
        assert abs(above["perfect"]) < 3, metric
        assert above["beside"] > 6, metric


@pytest.fixture
def no_classifier(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out what takes longest."""
    monkeypatch.setattr(method_quality, "c2st_accuracy", lambda x, y, *, seed: 0.5)


@pytest.mark.usefixtures("no_classifier")
def test_a_projection_loses_the_variances_that_it_drops() -> None:
    rng = np.random.default_rng(0)
    scale = np.array([1.0, 10.0, 0.1, 2.0])
    mixing = np.linalg.qr(rng.standard_normal((4, 4)))[0] * np.array([2.0, 1.0, 0.5, 0.1])
    x = rng.standard_normal((800, 4)) @ mixing.T
    for units, dropped in ((np.ones(4), None), (scale, 0.0)):
        basis = Eigenbasis.fit(x * units, units)
        model = Drawing(lambda n, seed: rng.standard_normal((n, 4)), basis)
        rows, _ = measure_method_quality(model, test=x * units, basis=basis, samples=10**6)
        found = values_of(rows)["reconstruction_mse"]
        # In data units: with common ones, the trace of what is left out, over the coordinates.
        left = (basis.vectors[:, 1:] * basis.eigenvalues[1:].sqrt()).numpy() * units[:, None]
        expected = np.square(left).sum() * 799 / 800 / 4
        assert found == pytest.approx(expected, rel=1e-9)
        if dropped is None:
            assert found == pytest.approx(float(basis.eigenvalues[1:].sum()) * 799 / 800 / 4, rel=1e-9)
        assert {row["n"] for row in rows} == {800}


@pytest.mark.usefixtures("no_classifier")
def test_shown_points_belong_to_each_other(circles: tuple[Eigenbasis, np.ndarray]) -> None:
    basis, test = circles
    model = Drawing(fresh, basis)
    rows, points = measure_method_quality(model, test=test, basis=basis, samples=300, shown=50)
    assert set(points) == {"generated", "held_out", "reconstructed"}
    for array in points.values():
        assert (array.shape, array.dtype) == ((50, 2), np.float64)
    assert {row["random"] for row in rows if row["metric"] == "energy_distance"} == {"D", "d"}
    energies = [row["value"] for row in rows if row["metric"] == "energy_distance"]
    # A line is farther from two circles than these are from themselves.
    assert energies[1] > energies[0] + 0.05
    assert values_of(rows)["roundtrip_mse"] == 0
    np.testing.assert_array_equal(points["held_out"], test[:50])
    np.testing.assert_allclose(points["reconstructed"], model.reconstruct(test[:50]))
    rows, points = measure_method_quality(model, test=test[:200], basis=basis, samples=300, shown=500)
    assert {row["n"] for row in rows} == {len(array) for array in points.values()} == {200}


def test_constant_coordinates_and_empty_directions_tell_nothing_apart() -> None:
    rng = np.random.default_rng(0)

    def draw(n: int, noise: float) -> np.ndarray:
        plane = rng.standard_normal((n, 2))
        # The third coordinate repeats the first, the fourth is constant; a model puts some noise onto both.
        x = np.column_stack([plane, plane[:, 0], np.full(n, -1.0)])
        return x + noise * rng.standard_normal((n, 1)) * np.array([1.0, 0.0, -1.0, 1.0])

    basis = Eigenbasis.fit(draw(2000, 0.0))
    test = draw(1000, 0.0)
    rows, _ = measure_method_quality(Drawing(lambda n, seed: draw(n, 0.02), basis), test=test, basis=basis)
    assert values_of(rows)["c2st_accuracy"] < 0.56
    z = standardise_varying(draw(10, 0.02), basis)
    assert not z[:, 3].any()
    np.testing.assert_allclose(z[:, 0], z[:, 2], atol=1e-12)
    # Where everything varies, nothing changes.
    full = Eigenbasis.fit(rng.standard_normal((50, 3)))
    x = rng.standard_normal((5, 3))
    np.testing.assert_array_equal(standardise_varying(x, full), standardise(x, full))


def test_points_that_are_not_finite_are_an_error(circles: tuple[Eigenbasis, np.ndarray]) -> None:
    basis, test = circles
    with pytest.raises(DataError, match="diverged"):
        measure_method_quality(Drawing(lambda n, seed: np.full((n, 2), np.nan), basis), test=test[:50], basis=basis)


# ---------------------------------------------------------------------------------------------
# Coverage

LEVELS = [0.1, 0.3, 0.5, 0.7, 0.9]


def covered(
    draw: Callable[[int, int], np.ndarray], noise_stds: tuple[float, ...] = (0.5, 1.0), replicates: int = 600
) -> tuple[pd.DataFrame, dict[str, float]]:
    truth, exact = (draw_fresh(CIRCLES, n, seed) for n, seed in ((replicates, 11), (4000, 12)))
    assert truth is not None
    assert exact is not None
    settings = CoverageSettings(noise_stds=noise_stds, levels=LEVELS, references=10, pool=4000)
    coverage, summary = measure_posteriors(draw(4000, 13), truth, exact, settings)
    assert {row["n"] for row in summary} == {replicates}
    return pd.DataFrame(coverage), values_of(summary)


def test_a_perfect_prior_covers_and_a_shifted_one_does_not() -> None:
    rows, summary = covered(fresh)
    assert (np.abs(rows["coverage"] - rows["level"]) < 5 * rows["se"]).all()
    assert (rows["p_value"] > 1e-3).all()
    references = ["random", "centre", "worst"]
    assert len(fixed_references(np.zeros((2, 2)))) == 3**2
    assert list(rows["level"]) == 2 * len(references) * LEVELS
    assert list(rows["reference"].unique()) == references
    metrics = ("tarp_error", "tarp_p", "tarp_ess", "log_score", "energy_score")
    assert set(summary) == {f"{metric}_{noise}" for metric in metrics for noise in ("0.5", "1")}
    # The worst of all references is in the table.
    largest = np.abs(rows["coverage"] - rows["level"])[rows["noise_std"] == 1.0].max()
    assert summary["tarp_error_1"] == pytest.approx(largest, abs=0)
    assert summary["tarp_ess_0.5"] > 20
    rows, beside = covered(lambda n, seed: fresh(n, seed) + np.array([0.7, 0.0]))
    assert (rows["p_value"] < 1e-3).all()
    assert beside["tarp_error_1"] > 2 * summary["tarp_error_1"]


def test_noise_is_in_standard_deviations_of_the_data() -> None:
    truth, exact = draw_fresh(CIRCLES, 200, 11), draw_fresh(CIRCLES, 2000, 12)
    assert truth is not None
    assert exact is not None
    settings = CoverageSettings(noise_stds=(0.5,), levels=LEVELS, references=5, pool=1000)
    once, times = (
        measure_posteriors(units * fresh(1000, 3), units * truth, units * exact, settings) for units in (1.0, 7.0)
    )
    assert values_of(times[1]) == pytest.approx(values_of(once[1]))


def test_posteriors_of_a_collapsed_model_are_measured_not_refused() -> None:
    # Samples so far away that the nearest has all the weight.
    rows, summary = covered(lambda n, seed: 40.0 + fresh(n, seed), noise_stds=(0.3,), replicates=200)
    assert summary["tarp_ess_0.3"] == pytest.approx(1.0, abs=0.5)
    assert summary["tarp_error_0.3"] > 0.3
    assert (rows["p_value"] < 1e-6).all()


def test_a_model_of_a_single_point_is_rejected_at_every_noise() -> None:
    # Weights of equal points are equal: the effective sample size does not see it, coverage does.
    rows, _ = covered(lambda n, seed: np.tile([1.0, 0.0], (n, 1)))
    assert (rows["p_value"] < 1e-6).all()


def test_masses_of_zero_and_one_are_rejected_although_levels_never_differ() -> None:
    rng = np.random.default_rng(0)
    # Half of them are 1: the mean over levels is right, every single level but one half is wrong.
    closer, central = ((rng.random((400, 1)) < 0.5).astype(float) for _ in range(2))
    rows = coverage_rows(closer, central[:, 0], LEVELS)
    assert np.mean([row["coverage"] for row in rows]) == pytest.approx(0.5, abs=0.1)
    assert rows[0]["p_value"] < 1e-6
    assert coverage_rows(np.ones((400, 1)), np.ones(400), LEVELS)[0]["p_value"] < 1e-6
    # An interval that a few replicates miss by chance is no evidence.
    levels = [0.5, 0.505]
    closer = rng.random((60, 1))
    closer[(closer > 0.49) & (closer < 0.51)] = 0.3
    assert coverage_rows(closer, rng.random(60), levels)[0]["p_value"] > 0.01


def test_priors_that_know_less_than_the_truth_come_out_worse() -> None:
    points = draw_fresh(CIRCLES, 4000, 7)
    assert points is not None
    references = make_references(CIRCLES, points, Eigenbasis.fit(points), kept_dims=1)
    assert set(references) == {"exact", "gaussian", "box"}
    noises, found = ("0.5", "1"), {}
    for name, reference in references.items():
        rows, summary = covered(lambda n, seed, r=reference: r.draw(n, seed, "D"))
        found[name] = summary
        if name == "box":
            # Around observations alone, coverage of a flat prior misses no level by more than of the right one.
            around = rows[(rows["reference"] == "random") & (rows["noise_std"] == 0.5)]
            assert np.abs(around["coverage"] - around["level"]).max() < 0.05
    for noise in noises:
        exact = {metric.rpartition("_")[0]: value for metric, value in found["exact"].items() if metric.endswith(noise)}
        assert exact["tarp_p"] > 1e-2
        assert exact["tarp_error"] < 0.08
        for name in ("gaussian", "box"):
            assert found[name][f"tarp_p_{noise}"] < 1e-3
            assert found[name][f"tarp_error_{noise}"] > 1.5 * exact["tarp_error"]
            assert found[name][f"log_score_{noise}"] < exact["log_score"] - 0.1
            assert found[name][f"energy_score_{noise}"] > exact["energy_score"]


@pytest.mark.parametrize("spread", [1.0, 0.8, 2.0])
def test_scores_are_those_of_the_conjugate_posterior(spread: float) -> None:
    rng = np.random.default_rng(0)
    truth, noise, width = rng.standard_normal((2000, 1)), 0.8, 0.3
    replicates = make_replicates(truth, noise, 1, 0, centre=np.zeros(1))
    scores = score_posteriors(spread * rng.standard_normal((5000, 1)), replicates, width, seed=1)
    shrink = spread**2 / (spread**2 + noise**2)
    std = np.sqrt(shrink) * noise
    # Expectations: the truth is off the mean by a normal number of this variance.
    off = (1 - shrink) ** 2 + shrink**2 * noise**2
    blurred = std**2 + width**2
    expected = -0.5 * np.log(2 * np.pi * blurred) - (off + width**2) / (2 * blurred)
    assert scores.log_density.mean() == pytest.approx(expected, abs=0.04)
    # E|X - x| - E|X - X'| / 2 of normal numbers.
    energy = np.sqrt(2 / np.pi * (off + std**2)) - std / np.sqrt(np.pi)
    assert scores.energy.mean() == pytest.approx(energy, rel=0.03)


def test_the_right_prior_has_the_best_scores() -> None:
    rng = np.random.default_rng(0)
    replicates = make_replicates(rng.standard_normal((2000, 2)), 1.0, 1, 0, centre=np.zeros(2))
    pool = rng.standard_normal((2000, 2))
    found = {spread: score_posteriors(spread * pool, replicates, 0.1, seed=1) for spread in (0.7, 1.0, 1.4)}
    assert max(found, key=lambda spread: found[spread].log_density.mean()) == 1.0
    assert min(found, key=lambda spread: found[spread].energy.mean()) == 1.0


class LinearEncoder:
    """x = z + noise, of which the posterior is known: its standard deviation is taken a factor of what it is."""

    noise = 0.7

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def sample_joint(self, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        z, noise = np.random.default_rng(seed).standard_normal((2, n, 2))
        return z, z + self.noise * noise

    def encode(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shrink = 1 / (1 + self.noise**2)
        return shrink * x, np.full_like(x, self.factor * np.sqrt(shrink) * self.noise)

    def log_likelihood(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        squared = np.square(x[:, None] - z).sum(2) / self.noise**2
        return -squared / 2 - np.log(2 * np.pi * self.noise**2)


@pytest.mark.parametrize("factor", [1.0, 0.8, 1.25])
def test_a_trained_posterior_is_compared_with_that_of_its_model(factor: float) -> None:
    found = {row["metric"]: row["value"] for row in measure_encoder(LinearEncoder(factor), 2000, LEVELS, seed=0)}
    assert found["q_width"] == pytest.approx(1 / factor, rel=0.04)
    assert found["q_coverage_50"] == pytest.approx(2 * norm.cdf(0.6745 * factor) - 1, abs=0.03)
    # Of two independent latents.
    divergence = 2 * (np.log(factor) + 1 / (2 * factor**2) - 1 / 2)
    assert found["q_kl"] == pytest.approx(divergence, abs=0.06)
    variance = LinearEncoder.noise**2 / (1 + LinearEncoder.noise**2)
    entropy = np.log(2 * np.pi * np.e * variance)
    assert found["q_log_score"] == pytest.approx(-entropy - divergence, abs=0.06)
    if factor == 1.0:
        assert min(found["q_sbc_p"], found["q_tarp_p"]) > 1e-2
        assert found["q_tarp_error"] < 0.04
    else:
        assert max(found["q_sbc_p"], found["q_tarp_p"]) < 1e-3
        assert found["q_tarp_error"] > 0.04


# ---------------------------------------------------------------------------------------------
# Costs


class Clock:
    """Time that passes only as work says."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[tuple[str, int]] = []

    def __call__(self) -> float:
        return self.now

    def method(self, name: str, *, once: float, step: float, sample: float, steps: int) -> TimedMethod:
        """A method of these costs, whose first and last steps take longer."""

        def fit(count: int, checkpoint: Checkpoint) -> None:
            self.calls.append((name, count))
            self.now += once
            for number in range(count):
                self.now += step + (once if number in (0, count - 1) else 0.0)
                reason = checkpoint.stop() if number < count - 1 else None
                if reason:
                    raise checkpoint.interrupted("training", number + 1, count, reason)
            self.now += once

        def draw(count: int) -> None:
            self.now += sample * count

        return TimedMethod(fit, draw, parameters=len(name), steps=steps)


def test_only_steps_are_timed_and_methods_take_turns() -> None:
    clock = Clock()
    compared = {
        "slow": clock.method("slow", once=100.0, step=2.0, sample=0.5, steps=60),
        "quick": clock.method("quick", once=3.0, step=0.25, sample=0.125, steps=480),
    }
    table = pd.DataFrame(measure_method_costs(compared, timing_steps=8, rounds=2, samples=16, clock=clock))
    assert list(table.columns) == ["method", "metric", "random", "value", "n"]
    assert list(table["metric"]) == 2 * list(COST_METRICS)
    costs = table.pivot(index="method", columns="metric", values="value")
    assert costs.loc["slow"].to_dict() == {
        "parameters": 4,
        "steps": 60,
        "step_seconds": 2.0,
        "training_seconds": 120.0,
        "sample_seconds": 0.5,
    }
    # Equal time for unequal steps.
    assert costs["training_seconds"].tolist() == [120.0, 120.0]
    # A round before those that count.
    assert clock.calls == 3 * [("slow", 10), ("quick", 10)]


def test_phases_have_their_shares() -> None:
    clock = Clock()

    def fit(count: int, checkpoint: Checkpoint) -> None:
        for number in range(count):
            clock.now += 1.0 if number < count // 2 else 5.0
            if number < count - 1 and (reason := checkpoint.stop()):
                raise checkpoint.interrupted("training", number + 1, count, reason)

    assert step_seconds(TimedMethod(fit, len, 1, 1000), 10, clock) == 3.0


def test_a_round_in_which_the_machine_was_busy_is_left_out() -> None:
    clock, calls = Clock(), 0

    def fit(count: int, checkpoint: Checkpoint) -> None:
        nonlocal calls
        calls += 1
        for number in range(count - 1):
            clock.now += 50.0 if calls == 3 else 1.0
            if reason := checkpoint.stop():
                raise checkpoint.interrupted("training", number + 1, count, reason)

    rows = measure_method_costs({"m": TimedMethod(fit, lambda n: None, 1, 10)}, rounds=3, clock=clock)
    assert values_of(rows)["step_seconds"] == 1.0


def test_a_method_without_steps_is_timed_as_a_whole() -> None:
    clock = Clock()

    def fit(count: int, checkpoint: Checkpoint) -> None:
        clock.now += 12.0

    rows = measure_method_costs({"closed form": TimedMethod(fit, lambda n: None, 1, 4)}, rounds=1, clock=clock)
    assert values_of(rows) == {
        "parameters": 1,
        "steps": 4,
        "step_seconds": 3.0,
        "training_seconds": 12.0,
        "sample_seconds": 0.0,
    }


def test_the_ratio_of_two_busy_loops_is_measured() -> None:
    def busy(work: int) -> TimedMethod:
        def loop(count: int) -> None:
            total = 0
            for number in range(work * count):
                total += number

        def fit(count: int, checkpoint: Checkpoint) -> None:
            loop(20)
            for number in range(count):
                loop(1)
                if number < count - 1 and (reason := checkpoint.stop()):
                    raise checkpoint.interrupted("training", number + 1, count, reason)

        return TimedMethod(fit, loop, parameters=1, steps=100)

    compared = {"one": busy(20_000), "three": busy(60_000)}
    table = pd.DataFrame(measure_method_costs(compared, timing_steps=20, rounds=5, samples=20, clock=clock_of("cpu")))
    costs = table.pivot(index="method", columns="metric", values="value")
    for metric in ("step_seconds", "training_seconds", "sample_seconds"):
        assert costs.loc["three", metric] / costs.loc["one", metric] == pytest.approx(3.0, rel=0.3)


def test_waiting_does_not_count_on_a_cpu() -> None:
    begin = clock_of("cpu")()
    time.sleep(0.2)
    assert clock_of("cpu")() - begin < 0.1


# ---------------------------------------------------------------------------------------------
# Images

IMAGE = ImageFormat(1, 8, 8, 16)


def noise_images(first: int, count: int, seed: int) -> np.ndarray:
    return np.stack([np.random.default_rng([seed, n]).uniform(-1, 1, 64) for n in range(first, first + count)])


class Noise(Drawing):
    """Images of noise, each from a seed of its own."""

    def sample_numbered(self, first: int, count: int, seed: int) -> np.ndarray:
        return noise_images(first, count, seed)


@pytest.fixture(scope="module")
def noise() -> Noise:
    return Noise(lambda n, seed: noise_images(0, n, seed), Eigenbasis.fit(noise_images(0, 100, 0)))


def test_images_depend_neither_on_batches_nor_on_interruptions(noise: Noise) -> None:
    whole = generate_method_images(noise, IMAGE, count=11, sample_seed=2)
    assert (whole.shape, whole.dtype) == ((11, 1, 8, 8), np.uint8)
    np.testing.assert_array_equal(whole.reshape(11, -1), IMAGE.to_levels(noise_images(0, 11, 2)))
    store = Memory()
    for _ in range(2):
        with pytest.raises(Interrupted):
            generate_method_images(
                noise, IMAGE, count=11, sample_seed=2, batch_size=4, checkpoint=kept(store, stop=stopping_after(1))
            )
    resumed = generate_method_images(noise, IMAGE, count=11, sample_seed=2, batch_size=4, checkpoint=kept(store))
    np.testing.assert_array_equal(resumed, whole)
    assert not np.array_equal(generate_method_images(noise, IMAGE, count=11, sample_seed=3), whole)


def test_an_image_that_is_not_finite_does_not_become_grey(noise: Noise, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise, "sample_numbered", lambda first, count, seed: np.full((count, 64), np.nan))
    with pytest.raises(DataError, match="training curve"):
        generate_method_images(noise, IMAGE, count=3, sample_seed=0)


def test_draws_are_summed_up_by_mean_and_best() -> None:
    assert frechet_rows("fid", [30.0, 24.0, 27.0], 10_000) == [
        {"metric": "fid", "random": None, "value": 27.0, "n": 10_000},
        {"metric": "fid_best", "random": None, "value": 24.0, "n": 10_000},
    ]


# ---------------------------------------------------------------------------------------------
# Table 4

SCHEDULES: dict[str, dict[str, Any]] = {
    "prr30": {"kept_dims": 30, "gap": "constant", "inflation_gap": 1.02},
    "prr40": {"kept_dims": 40, "gap": "constant", "inflation_gap": 1.02},
    "wide30": {"kept_dims": 30, "gap": "constant", "inflation_gap": 1.1},
    "prr10": {"kept_dims": 10},
    "prr2": {"kept_dims": 2},
}
KINDS = {"cifar10": "cifar10", "digits": "digits"}
RATIOS = pd.DataFrame({"dataset": ["cifar10"], "dimension": [3072], "participation_ratio": [9.3]})
NOTHING = pd.DataFrame()


def runs(method: str, values: list[float], **cells: Any) -> pd.DataFrame:
    """Rows of baselines.csv: mean and best of the draws of each seed."""
    place = {"method": method, "dataset": "cifar10", "schedule": "prr30", "metric": "fid", "n": 10_000, **cells}
    rows = [
        {**place, "seed": seed, **row}
        for seed, value in enumerate(values)
        for row in frechet_rows(place["metric"], [value + 5.0, value, value + 7.0], place["n"])
    ]
    return pd.DataFrame(rows)


def table4(*tables: pd.DataFrame, methods: dict[str, str] | None = None) -> pd.DataFrame:
    baselines = pd.concat(tables, ignore_index=True) if tables else NOTHING
    return tabulate_table4(PUBLISHED, baselines, RATIOS, SCHEDULES, KINDS, methods)


def test_without_runs_every_published_number_says_so(tmp_path: Path) -> None:
    table = table4()
    assert tuple(table.columns) == TABLE4_COLUMNS
    published = PUBLISHED[PUBLISHED["table"] == "4"]
    assert len(table) == 12
    assert list(table["published"]) == list(published["mean"])
    assert list(table["dims"]) == [30] * 4 + [40] * 4 + [62] * 4
    assert set(table["status"]) == set(table["ours"]) == set(table["schedule"]) == {NOT_RUN}
    assert_no_blank(table, tmp_path)


def assert_no_blank(table: pd.DataFrame, folder: Path) -> None:
    write_csv(folder / "table.csv", table)
    written = pd.read_csv(folder / "table.csv", dtype=str, keep_default_na=False)
    assert not (written == "").any(axis=None)
    assert not written.isin(["nan", "None"]).any(axis=None)


def test_our_runs_stand_beside_the_published_ones_and_others_below(tmp_path: Path) -> None:
    digits = {"dataset": "digits", "metric": "fd_digits", "n": 1000}
    table = table4(
        runs("m_flow", [100.0, 102.0, 104.0]),
        runs("inflationary_flow", [20.0], schedule="prr40"),
        runs("m_flow", [7.0], schedule="prr10", **digits),
        runs("m_flow", [9.0, 8.0], schedule="prr2", **digits),
    )
    compared = table[table["status"] == COMPARED].to_dict("records")
    assert len(compared) == 2
    first, second = compared
    assert (first["method"], first["dims"], first["schedule"], first["published"]) == ("m_flow", 30, "prr30", 541.2)
    assert (first["ours"], first["ours_best"], first["n"]) == (102.0, 100.0, 10_000)
    assert first["ours_two_sigma"] == pytest.approx(4.0)
    assert (second["method"], second["dims"], second["published"]) == ("inflationary_flow", 40, 24.3)
    assert second["ours_two_sigma"] == ONE_SEED
    ours = table[table["status"] == NOT_PUBLISHED].to_dict("records")
    # By dimensions, not by name.
    assert [(row["schedule"], row["dims"], row["ours"]) for row in ours] == [("prr2", 2, 8.5), ("prr10", 10, 7.0)]
    assert {row["metric"] for row in ours} == {"fd_digits_best"}
    assert {row["published"] for row in ours} == {NOT_PUBLISHED}
    assert len(table) == 14
    assert_no_blank(table, tmp_path)


@pytest.mark.parametrize(
    ("measured", "status"),
    [
        (runs("m_flow", [100.0]), COMPARED),
        (runs("m_flow", [100.0], schedule="wide30"), COMPARED),
        (runs("inflationary_flow", [20.0]), COMPARED),
        (runs("inflationary_flow", [20.0], schedule="wide30"), NOT_RUN),
        (runs("m_flow", [100.0], n=1000), NOT_RUN),
        (runs("m_flow", [100.0], metric="fd_effnetlite0"), NOT_RUN),
        (runs("m_flow", [100.0], schedule="prr10"), NOT_RUN),
        (runs("m_flow", [100.0], dataset="digits"), NOT_RUN),
        (runs("fifth", [100.0]), NOT_RUN),
    ],
    ids=["injective", "any gap", "flow", "gap", "images", "extractor", "dims", "data set", "method"],
)
def test_only_the_same_measurement_is_compared(measured: pd.DataFrame, status: str) -> None:
    table = table4(measured)
    beside = set(table["status"][:12]) - {NOT_RUN}
    assert beside == ({COMPARED} if status == COMPARED else set())
    # What is not compared is not lost.
    assert len(table) == 12 + (status == NOT_RUN)
    rows = compare_with_paper(PUBLISHED, NOTHING, NOTHING, RATIOS, SCHEDULES, KINDS, measured)
    rows = rows[rows["metric"] == "fid_best_10k"]
    assert list(rows["status"]) == list(table["status"][:12])


def test_images_of_another_size_are_not_compared() -> None:
    small = RATIOS.assign(dimension=768)
    table = tabulate_table4(PUBLISHED, runs("m_flow", [100.0]), small, SCHEDULES, KINDS)
    assert COMPARED not in set(table["status"])


def test_a_method_is_known_by_its_kind() -> None:
    table = table4(runs("mine", [100.0]), methods={"mine": "rectangular_flow"})
    (row,) = table[table["status"] == COMPARED].to_dict("records")
    assert (row["method"], row["published"]) == ("mine", 544.0)


def test_table_4_stands_in_the_comparison_with_the_paper() -> None:
    baselines = runs("canonical_manifold_flow", [500.0, 510.0])
    table = compare_with_paper(PUBLISHED, NOTHING, NOTHING, RATIOS, SCHEDULES, KINDS, baselines)
    (row,) = table[(table["metric"] == "fid_best_10k") & (table["status"] == COMPARED)].to_dict("records")
    assert (row["method"], row["dims"], row["ours"], row["sample_seeds"]) == ("canonical_manifold_flow", 30, 505.0, 2)
    assert row["difference"] == pytest.approx(505.0 - 532.6)
    assert row["flow"] == "cifar10/prr30"
    assert not (table == "").any(axis=None)


# ---------------------------------------------------------------------------------------------
# Scripts

# Probabilistic principal components: a method of its own, so that scripts are tested, not training.
GAUSSIAN = """
from dataclasses import dataclass
import numpy as np


@dataclass(frozen=True)
class Settings:
    learning_rate: float = 1e-3
    spread: float = 1.0


class Plane:
    evaluations = 3

    def __init__(self, mean, map, steps, seed):
        self.mean, self.map, self.steps, self.seed = mean, map, steps, seed
        self.dimension, self.kept_dims = map.shape
        self.parameters = map.size + mean.size

    def _points(self, rows):
        return self.mean + rows @ self.map.T

    def sample(self, n, seed, random=None):
        return self._points(np.random.default_rng(seed).standard_normal((n, self.kept_dims)))

    def sample_numbered(self, first, count, seed):
        each = [np.random.default_rng([seed, n]).standard_normal(self.kept_dims) for n in range(first, first + count)]
        return self._points(np.stack(each))

    def reconstruct(self, x):
        return self._points(np.linalg.lstsq(self.map, (x - self.mean).T, rcond=None)[0].T)

    def round_trip(self, x):
        return self.reconstruct(x)

    def to(self, device):
        return self


def fit(task, settings, *, steps, seed, checkpoint, device="cpu"):
    vectors = (task.basis.vectors * task.basis.eigenvalues.sqrt()).numpy()[:, : task.kept_dims]
    checkpoint.save({"done": np.array(steps)}, step=steps)
    return Plane(task.basis.mean.numpy(), settings.spread * vectors, steps, seed), [{"step": steps, "loss": 0.5}]


def pack(model):
    return {"mean": model.mean, "map": model.map}, {"steps": model.steps, "seed": model.seed}


def unpack(tensors, metadata):
    return Plane(tensors["mean"], tensors["map"], metadata["steps"], metadata["seed"])
"""


NAMES = {"schedules": SCHEDULES, "kinds": KINDS, "methods": {}}


@pytest.fixture
def plane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The kind of a method whose module the library finds; the working directory is an empty one."""
    folder = tmp_path / "methods"
    folder.mkdir()
    (folder / "plane.py").write_text(GAUSSIAN)
    monkeypatch.setattr(methods, "__path__", [*methods.__path__, str(folder)])
    monkeypatch.chdir(tmp_path)
    yield "plane"
    sys.modules.pop(f"{methods.__name__}.plane", None)


DATA = Named(splits="results/splits.safetensors", eigenbasis="results/basis.safetensors")
PROBLEM = {
    "schedule": {"kept_dims": 1},
    "network": {},
    "training": {},
    "solver": {},
    "compressed_prior": "gaussian",
    "budget": {},
}
RUN = {"method": "plane", "dataset": "circles", "schedule": "prr1"}
FOLDER = "results/baselines/plane/circles/prr1/seed3"


def keep_data(points: Any, image: ImageFormat | None = None) -> None:
    """Writes splits and eigenbasis."""
    n = len(points) // 3
    parts = [points[:n], points[n : 2 * n], points[2 * n :]]
    labels = [np.zeros(len(part)) for part in parts]
    basis = Eigenbasis.fit(parts[0])
    rows = [Pixels(image.to_levels(part), image) for part in parts] if image else parts
    splits = Splits(*rows, *labels, scale=np.ones(points.shape[1]), image=image)
    Path("results").mkdir(exist_ok=True)
    splits.save(DATA.splits, "results/splits.json")
    save_basis(Path(DATA.eigenbasis), basis)


def search_and_train(kind: str, run: dict[str, str], folder: str, task: dict[str, Any]) -> None:
    found = Named(table="results/search.csv", settings="results/settings.json")
    common = {"kind": kind, "defaults": {"learning_rate": 0.1}, **task, "state": "results/.training", "source": "s"}
    options = {"candidates": [{"spread": 3.0}, {"spread": 1.0}, {"spread": 0.2}], "steps": 1, "samples": 500, "seed": 0}
    run_script("search_method", DATA, found, Named(**common, **options), Named(**run))
    inputs = Named(splits=DATA.splits, eigenbasis=DATA.eigenbasis, settings=found.settings)
    outputs = Named(model=f"{folder}/model.safetensors", curve=f"{folder}/training.jsonl")
    run_script("train_method", inputs, outputs, Named(**common, steps=2, seed=3), Named(**run, seed="3"))


def test_scripts_search_train_and_measure_points(plane: str) -> None:
    points = draw_fresh(CIRCLES, 1500, 5)
    assert points is not None
    keep_data(points)
    search_and_train(plane, RUN, FOLDER, PROBLEM)
    table = pd.read_csv("results/search.csv")
    columns = ("method", "dataset", "schedule", "candidate", "settings", "steps", "metric", "value", "chosen")
    assert tuple(table.columns) == columns
    assert list(table["chosen"]) == [False, True, False]
    assert json.loads(Path("results/settings.json").read_text(encoding="utf-8")) == {
        "settings": {"learning_rate": 0.1, "spread": 1.0}
    }
    assert json.loads(Path(f"{FOLDER}/training.jsonl").read_text(encoding="utf-8")) == {"step": 2, "loss": 0.5}
    # Two runs with a state each, of which the search has one a candidate.
    states = sorted(path.parent.name for path in Path("results/.training").glob("*/*.safetensors"))
    assert len(set(states)) == 2
    assert len(states) == 4

    model = Named(model=f"{FOLDER}/model.safetensors")
    where = Named(**RUN, seed="3")
    measured = Named(table=f"{FOLDER}/quality.csv", points=f"{FOLDER}/points.npz")
    inputs = Named(**dict(DATA.items()), **dict(model.items()))
    run_script("measure_method", inputs, measured, Named(samples=400, shown=50, seed=0, source="s"), where)
    quality = pd.read_csv(measured.table)
    assert tuple(quality.columns) == ("method", "dataset", "schedule", "seed", "metric", "random", "value", "n")
    assert set(quality["metric"]) == {"energy_distance", "c2st_accuracy", "reconstruction_mse", "roundtrip_mse"}
    with np.load(measured.points) as arrays:
        assert {name: array.shape for name, array in arrays.items()} == dict.fromkeys(
            ("generated", "held_out", "reconstructed"), (50, 2)
        )

    inputs = Named(**dict(DATA.items()), models=[model.model])
    compared = Named(table="results/comparison.csv", coverage="results/coverage.csv")
    options = {"noise_stds": [1.0], "levels": LEVELS, "replicates": 100, "references": 5, "pool": 500, "tarp_seed": 0}
    of_models = {"models": [("plane", "3")], "first_seed": "3", "samples": 400, "seed": 0, "kept_dims": 1}
    params = Named(dataset=CIRCLES, **options, **of_models)
    run_script("measure_comparison", inputs, compared, params, Named(dataset="circles", schedule="prr1"))
    coverage = pd.read_csv(compared.coverage)
    columns = ("method", "dataset", "schedule", "seed", "random", "noise_std", "reference", "level", "coverage", "se")
    assert tuple(coverage.columns) == (*columns, "worst", "p_value", "looks", "replicates")
    # A line is no prior of two circles.
    assert (coverage[coverage["method"] == "plane"]["p_value"] < 1e-3).all()
    assert (coverage[coverage["method"] == "exact"]["p_value"] > 1e-3).all()
    table = pd.read_csv(compared.table)
    assert tuple(table.columns) == tuple(quality.columns)
    assert set(table["method"]) == {"plane", "exact", "gaussian", "box"}
    assert set(table["seed"]) == {3}
    (pca,) = table[(table["method"] == "gaussian") & (table["metric"] == "reconstruction_mse")]["value"]
    (own,) = quality[quality["metric"] == "reconstruction_mse"]["value"]
    assert pca == pytest.approx(own)

    inputs = Named(**dict(DATA.items()), settings=["results/settings.json"], models=[model.model])
    timing = {"steps": 1, "rounds": 1, "samples": 10, "seed": 3}
    steps = {"plane": {"kind": plane, "steps": 70}}
    params = Named(methods=steps, **PROBLEM, **timing)
    run_script("measure_method_costs", inputs, Named(table="results/costs.csv"), params, Named(**RUN, seed="3"))
    costs = pd.read_csv("results/costs.csv")
    assert tuple(costs.columns) == tuple(quality.columns)
    values = dict(zip(costs["metric"], costs["value"], strict=True))
    assert (values["parameters"], values["steps"]) == (4, 70)
    assert values["training_seconds"] == pytest.approx(70 * values["step_seconds"])


def test_scripts_generate_images_and_measure_their_distance(plane: str) -> None:
    keep_data(np.random.default_rng(0).uniform(-1, 1, (300, 64)), IMAGE)
    run, folder = {**RUN, "dataset": "digits"}, "results/baselines/plane/digits/prr1/seed3"
    search_and_train(plane, run, folder, {**PROBLEM, "schedule": {"kept_dims": 4}})
    model = Named(model=f"{folder}/model.safetensors")
    draws = []
    for draw in ("0", "1"):
        outputs = Named(images=f"{folder}/images/sample{draw}.safetensors")
        params = Named(image=asdict(IMAGE), samples=40, state="results/.generation")
        run_script("generate_method_images", model, outputs, params, Named(**run, seed="3", sample_seed=draw))
        images, (described,) = load_images(outputs.images)
        assert images.shape == (40, 1, 8, 8)
        assert (described["sample_seed"], described["evaluations"], described["levels"]) == (int(draw), 3, 16)
        draws.append(outputs.images)
    assert not any(Path("results/.generation").iterdir())

    torch.manual_seed(0)
    classifier, weights = DigitsClassifier(), "results/classifier.safetensors"
    save_classifier(weights, classifier, {})
    extractor = make_digits_classifier(classifier.eval(), sha256_of(weights))
    real = np.random.default_rng(1).integers(0, 17, (80, 1, 8, 8)).astype(np.uint8)
    save_reference("results/reference.safetensors", fit_statistics(real, 16, extractor), "train")
    inputs = Named(images=draws, references=["results/reference.safetensors"], weights_digits_classifier=weights)
    outputs = Named(table=f"{folder}/frechet.csv", protocol=f"{folder}/frechet.json")
    params = Named(extractors=["digits_classifier"], feature_samples=40, sha256=None, layer=None)
    run_script("measure_method_frechet", inputs, outputs, params, Named(**run, seed="3"))
    table = pd.read_csv(outputs.table)
    assert tuple(table.columns) == ("method", "dataset", "schedule", "seed", "metric", "random", "value", "n")
    assert list(table["metric"]) == ["fd_digits", "fd_digits_best"]
    protocols = json.loads(Path(outputs.protocol).read_text(encoding="utf-8"))
    distances = [protocol["frechet"]["value"] for protocol in protocols]
    assert [protocol["sample_seed"] for protocol in protocols] == [0, 1]
    assert list(table["value"]) == pytest.approx([np.mean(distances), min(distances)])
    assert set(table["n"]) == {40}


def test_table_4_needs_no_runs() -> None:
    empty = measure(published=PUBLISHED, baselines=pd.DataFrame(), participation=RATIOS, **NAMES).tables["table4"]
    assert {row["status"] for row in empty} == {NOT_RUN}
    compared = runs("m_flow", [100.0, 101.0])
    rows = measure(published=PUBLISHED, baselines=compared, participation=RATIOS, **NAMES).tables["table4"]
    assert [row["status"] for row in rows].count(COMPARED) == 1
