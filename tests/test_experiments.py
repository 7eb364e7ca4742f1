"""The experiments on flows with exact denoisers, where the right answer is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import sklearn.manifold
import torch

from inflationary_flows.experiments.complexity.measure import measure_complexity
from inflationary_flows.experiments.flow_quality.measure import QUALITY_COLUMNS, measure_quality
from inflationary_flows.experiments.pr_over_time.measure import (
    PR_COLUMNS,
    make_both_kernels,
    participation_ratio_over_time,
)
from inflationary_flows.experiments.roundtrip.measure import ROUNDTRIP_COLUMNS, measure_roundtrip
from inflationary_flows.experiments.snapshots.measure import spread_of_points
from inflationary_flows.experiments.snapshots.trajectory import (
    nearest_labels,
    record_trajectory,
    reproduce,
    spread_times,
)
from inflationary_flows.experiments.solver_comparison.measure import (
    REFERENCE,
    SOLVER_COLUMNS,
    compare_solvers,
)
from inflationary_flows.mathematics.denoisers import Denoiser, GaussianDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis, participation_ratio, participation_ratio_of
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.oracles import exact_denoiser
from inflationary_flows.mathematics.schedules import Kernel, make_schedule
from inflationary_flows.metrics.latents import (
    mardia_kurtosis,
    mardia_skewness,
    measure_latents,
    measure_neighbourhoods,
    standardise_fully,
    trustworthiness,
)
from inflationary_flows.metrics.two_sample import measure_floor

MEANS = np.array([[1.1, 0.3], [-0.9, 0.5], [0.0, -1.2]])
WEIGHTS = np.array([0.4, 0.35, 0.25])
NOISE = 0.25


def draw(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of a three-component mixture and their components."""
    generator = np.random.default_rng(seed)
    component = generator.choice(3, size=n, p=WEIGHTS)
    return MEANS[component] + NOISE * generator.standard_normal((n, 2)), component.astype(float)


def mixture_flow(kept_dims: int | None) -> Flow:
    """The exact flow of the mixture."""
    train, _ = draw(20_000, 0)
    basis = Eigenbasis.fit(train)
    schedule = make_schedule(basis.eigenvalues, kept_dims=kept_dims, signal_left=1e-3)
    denoiser = exact_denoiser(schedule, basis, MEANS, WEIGHTS, NOISE**2 * np.eye(2))
    flow = Flow(denoiser, basis, solver=SolverSettings("rk4", 24))
    if kept_dims:
        flow.compressed_latents = torch.from_numpy(flow.inflate(train[:2_000]))[:, kept_dims:]
    return flow


@pytest.fixture(scope="module", params=[None, 1], ids=["prp", "prr1"])
def flow(request: pytest.FixtureRequest) -> Flow:
    return mixture_flow(request.param)


def measure(flow: Flow, denoiser: Denoiser | None = None, **settings: Any) -> dict[str, Any]:
    """Rows of `measure_quality` by metric, on small held-out sets."""
    validation, test = draw(1_500, 1)[0], draw(1_500, 2)[0]
    rows = measure_quality(
        flow,
        validation=validation,
        test=test,
        floor=measure_floor(validation, test, samples=1_500, wasserstein_splits=10),
        exact=denoiser or flow.denoiser,
        samples=1_500,
        neighbour_samples=500,
        **settings,
    )
    assert all(tuple(row) == QUALITY_COLUMNS for row in rows)
    return {row["metric"]: row for row in rows}


@pytest.fixture(scope="module")
def quality(flow: Flow) -> dict[str, Any]:
    return measure(flow)


def test_an_exact_flow_is_at_the_floor(quality: dict[str, Any]) -> None:
    rows = quality
    energy = rows["energy_distance_true_pt"]
    assert energy["value"] < 2 * energy["reference"]
    assert rows["sliced_wasserstein_true_pt"]["value"] < (1.5 * rows["sliced_wasserstein_true_pt"]["reference"])
    assert rows["c2st_accuracy_true_pt"]["value"] == pytest.approx(0.5, abs=0.035)
    assert rows["excess_denoising_error"]["value"] == 0
    assert rows["latent_mean_error"]["value"] < 5 * rows["latent_mean_error"]["reference"]
    assert rows["latent_cov_error"]["value"] < 5 * rows["latent_cov_error"]["reference"]
    assert 0.5 < rows["trustworthiness_forward"]["value"] <= 1
    assert 0.5 < rows["trustworthiness_backward"]["value"] <= 1


def test_empirical_prior_is_measured_where_directions_are_compressed(flow: Flow, quality: dict[str, Any]) -> None:
    generated = {name for name in quality if name.endswith("_prior_empirical")}
    reduces = flow.schedule.kept_dims < flow.dimension
    statistics = ("energy_distance", "sliced_wasserstein", "c2st_accuracy")
    assert generated == ({f"{name}_prior_empirical" for name in statistics} if reduces else set())


def test_a_wrong_denoiser_is_seen_by_every_statistic() -> None:
    right = mixture_flow(None)
    wrong = Flow(GaussianDenoiser(right.schedule), right.basis, solver=right.solver)
    rows = measure(wrong, denoiser=right.denoiser)
    for statistic in ("energy_distance", "sliced_wasserstein"):
        row = rows[f"{statistic}_true_pt"]
        assert row["value"] > 2 * row["reference"]
    assert rows["c2st_accuracy_true_pt"]["value"] > 0.6
    assert rows["excess_denoising_error"]["value"] > 0.05


def test_quality_is_deterministic_and_leaves_out_the_unknown() -> None:
    flow = mixture_flow(None)
    validation, test = draw(300, 1)[0], draw(200, 2)[0]
    floor = measure_floor(validation, test, energy_splits=5, wasserstein_splits=3)
    arguments = {"validation": validation, "test": test, "floor": floor, "samples": 10_000}
    first = measure_quality(flow, **arguments)
    assert first == measure_quality(flow, **arguments)
    assert "excess_denoising_error" not in {row["metric"] for row in first}
    assert {row["n"] for row in first} == {200}


def test_gaussian_latents_pass_the_tests_of_gaussianity_and_others_fail() -> None:
    generator = np.random.default_rng(3)
    normal = generator.standard_normal((4_000, 3))
    rows = {row["metric"]: row for row in measure_latents(normal, 2)}
    assert rows["latent_skewness"]["value"] < 1.5 * rows["latent_skewness"]["reference"]
    assert rows["latent_kurtosis"]["value"] == pytest.approx(1, abs=0.05)
    assert rows["latent_cov_error"]["value"] < 2 * rows["latent_cov_error"]["reference"]
    skewed = {row["metric"]: row for row in measure_latents(np.exp(normal), 2)}
    assert skewed["latent_skewness"]["value"] > 10 * skewed["latent_skewness"]["reference"]
    assert skewed["latent_kurtosis"]["value"] > 2
    # Compressed directions do not count.
    mixed = np.concatenate([normal[:, :2], np.exp(normal[:, 2:])], axis=1)
    assert measure_latents(mixed, 2)[2]["value"] == rows["latent_skewness"]["value"]


def test_mardia_statistics_equal_their_definitions() -> None:
    y = standardise_fully(np.random.default_rng(4).standard_normal((60, 2)) ** 3)
    np.testing.assert_allclose(y.T @ y / 60, np.eye(2), atol=1e-12)
    skewness = np.mean([[float(a @ b) ** 3 for a in y] for b in y])
    assert mardia_skewness(y) == pytest.approx(skewness, rel=1e-10)
    assert mardia_kurtosis(y) == pytest.approx(np.mean([float(a @ a) ** 2 for a in y]) / 8)


def test_neighbourhoods_survive_a_rotation_and_not_a_shuffle() -> None:
    generator = np.random.default_rng(5)
    x = generator.standard_normal((300, 2))
    turned = x @ np.array([[0.6, -0.8], [0.8, 0.6]])
    assert [row["value"] for row in measure_neighbourhoods(x, turned, 10)] == pytest.approx([1, 1])
    shuffled = generator.permutation(x)
    noisy = x + 0.3 * generator.standard_normal(x.shape)
    assert trustworthiness(x, noisy, 7) == pytest.approx(sklearn.manifold.trustworthiness(x, noisy, n_neighbors=7))
    assert all(row["value"] < 0.6 for row in measure_neighbourhoods(x, shuffled, 10))
    assert measure_neighbourhoods(x[:5], x[:5], 10)[0]["value"] == 1


def test_roundtrip_compares_the_default_with_the_papers_setting(flow: Flow) -> None:
    x, _ = draw(100, 6)
    default, paper = measure_roundtrip(flow, x, samples=60, paper_steps=50)
    assert tuple(default) == ROUNDTRIP_COLUMNS == tuple(paper)
    assert (default["solver"], default["steps"], default["evaluations"]) == ("rk4", 24, 96)
    assert (paper["solver"], paper["steps"], paper["evaluations"]) == ("euler_scaled", 50, 50)
    assert default["n"] == paper["n"] == 60
    error = flow.round_trip(x[:60]) - x[:60]
    assert default["mse"] == pytest.approx(float(np.mean(error**2)), rel=1e-6)
    assert default["max_error"] == pytest.approx(float(np.abs(error).max()), rel=1e-6)
    assert default["mse"] < paper["mse"] / 100


def test_solver_comparison_ranks_solvers_above_a_finer_reference(flow: Flow) -> None:
    rows = compare_solvers(
        flow,
        draw(80, 7)[0],
        steps={"euler": [32], "rk4": [8, 16], "euler_scaled": [32]},
        samples=60,
        tolerances=[1e-4],
        reference_steps=80,
    )
    assert all(tuple(row) == SOLVER_COLUMNS for row in rows)
    by = {(row["solver"], row["steps"]): row for row in rows}
    reference = next(row for row in rows if row["solver"] == REFERENCE)
    assert reference["evaluations"] == 85
    assert all(row["generation_rmse"] > 3 * reference["generation_rmse"] for row in rows if row["solver"] != REFERENCE)
    assert by["rk4", 16]["generation_rmse"] < by["rk4", 8]["generation_rmse"]
    assert by["rk4", 8]["evaluations"] == by["euler", 32]["evaluations"] == 32
    assert by["rk4", 8]["generation_rmse"] < by["euler_scaled", 32]["generation_rmse"]
    adaptive = next(row for row in rows if row["solver"] == "dopri5")
    assert adaptive["steps"] == adaptive["evaluations"] > 6


def test_proportional_prp_keeps_the_participation_ratio_in_the_table() -> None:
    spectrum = np.array([3.0, 1.0, 0.2])
    rows = participation_ratio_over_time(spectrum, {"kernel": "floor", "signal_left": 1e-3}, points=7)
    assert all(tuple(row) == PR_COLUMNS for row in rows)
    kept = [row["participation_ratio"] for row in rows if row["kernel"] == "proportional"]
    np.testing.assert_allclose(kept, participation_ratio(spectrum), rtol=1e-10)
    inflated = [row["participation_ratio"] for row in rows if row["kernel"] == "floor"]
    assert inflated[-1] == pytest.approx(3, rel=1e-2)
    assert [row["t_fraction"] for row in rows[:7]] == pytest.approx(np.linspace(0, 1, 7))


@pytest.mark.parametrize(("kernel", "end"), [("proportional", 2.31), ("floor", 5.99)])
def test_points_of_a_flow_have_the_participation_ratio_of_its_kernel(kernel: Kernel, end: float) -> None:
    """F = 0 is the exact flow of Gaussian data: the paper's kernel keeps the ratio, that of its code does not."""
    spectrum = np.array([3.0, 1.0, 0.5, 0.2, 0.1, 0.1])
    rotation = np.linalg.qr(np.random.default_rng(1).standard_normal((6, 6)))[0]
    x = np.random.default_rng(0).standard_normal((2_000, 6)) * np.sqrt(spectrum) @ rotation.T
    basis = Eigenbasis.fit(x)
    schedule = make_schedule(basis.eigenvalues, kernel=kernel, signal_left=1e-3)
    flow = Flow(GaussianDenoiser(schedule), basis, solver=SolverSettings(steps=20))
    rows = spread_of_points(flow, x, samples=2_000, seed=0)
    assert {(row["kernel"], row["of"]) for row in rows} == {(kernel, "points")}
    for row in rows:
        assert row["participation_ratio"] == pytest.approx(schedule.participation_ratio_at(row["t"]), rel=0.06)
    assert rows[-1]["participation_ratio"] == pytest.approx(
        participation_ratio(spectrum) if end == 2 else end, rel=0.06
    )


def test_the_participation_ratio_of_few_points_has_no_bias_of_their_number() -> None:
    random = np.random.default_rng(0)
    found = [participation_ratio_of(random.standard_normal((100, 50))) for _ in range(50)]
    naive = [participation_ratio(np.linalg.eigvalsh(np.cov(random.standard_normal((100, 50)).T))) for _ in range(50)]
    assert np.mean(found) == pytest.approx(50, rel=0.03)
    assert np.mean(naive) < 35


def test_both_kernels_exist_where_orig_gaps_are_negative() -> None:
    spectrum = np.array([3.0, 1.0, 0.2])
    settings = {"kept_dims": 2, "gap": "orig", "signal_left": 1e-6}
    schedules = make_both_kernels(spectrum, settings)
    assert schedules["floor"].exponents.tolist() == [2, 2, -1]
    assert schedules["proportional"].exponents.tolist() == [2, 2, 0]
    end = participation_ratio_over_time(spectrum, settings, points=2)[-1]
    assert end["participation_ratio"] == pytest.approx(participation_ratio(spectrum[:2]), rel=1e-3)


def test_snapshots_start_at_data_and_end_at_latents(flow: Flow) -> None:
    x, labels = draw(60, 8)
    arrays = record_trajectory(flow, x, labels, samples=50, frames=4)
    assert arrays["inflation"].shape == arrays["generation"].shape == (4, 50, 2)
    schedule = flow.schedule
    start = (flow.basis.to_eigen(torch.from_numpy(x[:50])) * schedule.scale(schedule.t_min)).numpy()
    np.testing.assert_allclose(arrays["inflation"][0], start, atol=1e-10)
    np.testing.assert_allclose(arrays["inflation"][-1], flow.inflate(x[:50]), atol=1e-10)
    np.testing.assert_array_equal(arrays["inflation_labels"], labels[:50])
    again = reproduce(flow, x, samples=50, seed=0)
    generated = flow.basis.to_eigen(torch.from_numpy(again["generated_prior"]))
    generated = (generated * schedule.scale(schedule.t_min)).numpy()
    np.testing.assert_allclose(arrays["generation"][-1], generated, atol=1e-10)
    np.testing.assert_array_equal(again["original"], x[:50])
    np.testing.assert_allclose(again["roundtrip"], x[:50], atol=1e-2)
    assert set(arrays["generation_labels"]) <= set(labels)


@pytest.mark.parametrize("kernel", ["floor", "proportional"])
def test_frames_are_spread_between_the_first_and_the_last_time(kernel: str) -> None:
    schedule = make_schedule(np.array([2.0, 1.0]), kernel=kernel, signal_left=1e-3)
    times, share = spread_times(schedule, 5)
    assert times[0] == pytest.approx(schedule.t_min, abs=1e-9)
    assert times[-1] == pytest.approx(schedule.t_max)
    assert np.all(np.diff(times) > 0)
    gamma = schedule.gamma(torch.from_numpy(times))[:, 0].numpy()
    np.testing.assert_allclose(share, gamma / (2 + gamma), rtol=1e-6)


def test_labels_come_from_the_nearest_point() -> None:
    known = np.array([[0.0, 0.0], [1.0, 1.0]])
    points = np.array([[0.1, 0.2], [2.0, 2.0], [0.4, 0.4]])
    np.testing.assert_array_equal(nearest_labels(points, known, np.array([3, 7])), [3, 7, 3])


@pytest.mark.slow
def test_scaling_is_measured_in_fresh_processes_within_the_budget() -> None:
    rows = measure_complexity(points=(100, 20_000), dimensions=(2, 40), steps=2, budget=100_000)
    assert [(row["n"], row["dimension"]) for row in rows] == [(100, 2), (20_000, 2), (100, 40)]
    columns = ["n", "dimension", "steps", "evaluations", "seconds", "peak_memory_mb", "base_memory_mb"]
    assert all(list(row) == columns and row["evaluations"] == 8 for row in rows)
    assert all(row["peak_memory_mb"] >= row["base_memory_mb"] > 10 for row in rows)
    assert all(row["seconds"] > 0 and math.isfinite(row["seconds"]) for row in rows)
