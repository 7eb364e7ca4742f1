"""Data of lower rank than their space: toys put linearly into more dimensions, whose other eigenvalues are zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from inflationary_flows.data.toys import TOYS, EmbeddedToy, Toy
from inflationary_flows.experiments.flow_quality.measure import measure_quality, noised_along_null
from inflationary_flows.experiments.pr_over_time.measure import participation_ratio_over_time
from inflationary_flows.experiments.roundtrip.measure import measure_roundtrip
from inflationary_flows.experiments.snapshots.trajectory import record_trajectory
from inflationary_flows.experiments.solver_comparison.measure import compare_solvers
from inflationary_flows.experiments.thin_coordinate_study.measure import measure_thin_coordinate_loss
from inflationary_flows.mathematics.denoisers import GaussianDenoiser, NetworkDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis, participation_ratio
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.oracles import exact_denoiser
from inflationary_flows.mathematics.prior import CompressedPrior
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.metrics.latents import measure_latents
from inflationary_flows.metrics.two_sample import c2st_accuracy, measure_floor
from inflationary_flows.networks.build import build_network
from inflationary_flows.training.fit import fit
from inflationary_flows.training.kernels import Kernels
from inflationary_flows.training.settings import TrainingSettings
from inflationary_flows.training.validation import excess_denoising_error, excess_times, mean_excess
from stores import kept

# Null directions narrow, stand still or widen, as D - d is smaller than d, equal or larger.
DIMENSIONS = (3, 4, 10)
SCHEDULES: dict[str, dict[str, Any]] = {
    "floor prp": {"signal_left": 1e-3},
    "floor prr": {"signal_left": 1e-4, "kept_dims": 2},
    "floor prr below the rank": {"signal_left": 1e-3, "kept_dims": 1},
    "proportional prp": {"signal_left": 1e-3, "kernel": "proportional"},
    "proportional prr": {"signal_left": 1e-3, "kernel": "proportional", "kept_dims": 2},
}
MLP = {"kind": "mlp", "space": "eigen", "width": 64, "blocks": 2, "frequencies": 32}
SHORT = TrainingSettings(steps=300, batch_size=256, learning_rate=1e-2, warmup_steps=20, reference_size=256)

CASES = [("floor prr", dimension) for dimension in DIMENSIONS]
CASES += [(name, 3) for name in SCHEDULES if name != "floor prr"]


def toy_of(dimension: int) -> EmbeddedToy:
    return EmbeddedToy(TOYS["circles"], dimension, seed=1)


def points_of(dimension: int, n: int, seed: int) -> np.ndarray:
    return toy_of(dimension).sample(n, np.random.default_rng(seed))[0]


def exact_flow(schedule: str, dimension: int, prior: CompressedPrior = "gaussian") -> Flow:
    """The flow of embedded circles with their exact denoiser."""
    basis = Eigenbasis.fit(points_of(dimension, 5_000, seed=0))
    fitted = make_schedule(basis.eigenvalues, **SCHEDULES[schedule])
    denoiser = exact_denoiser(fitted, basis, *toy_of(dimension).mixture(48))
    flow = Flow(denoiser, basis, solver=SolverSettings("rk4", 24), compressed_prior=prior)
    if fitted.kept_dims < dimension:
        noised = flow.noised_data(torch.from_numpy(points_of(dimension, 500, seed=1)), seed=0)
        flow.compressed_latents = flow.inflate(noised)[:, fitted.kept_dims :]
    return flow


def off_plane(points: np.ndarray, dimension: int) -> np.ndarray:
    """What of points, shape (n, D), lies outside of the plane that the toy was put into."""
    frame = toy_of(dimension).frame
    return points - points @ frame @ frame.T


@pytest.mark.parametrize(("schedule", "dimension"), CASES)
def test_points_return_from_finite_latents_and_density(schedule: str, dimension: int) -> None:
    flow, x = exact_flow(schedule, dimension), points_of(dimension, 100, seed=2)
    latents = flow.inflate(x)
    assert np.isfinite(latents).all()
    assert np.isfinite(flow.log_prob(x)).all()
    assert np.sqrt(np.mean((flow.generate(latents) - x) ** 2)) < 1e-3


# Where the kernel is proportional and compressed directions do not widen, null ones have no law: they stay at zero.
@pytest.mark.parametrize(("schedule", "dimension"), [case for case in CASES if case[0] != "proportional prr"])
def test_latents_of_null_directions_have_their_exact_law(schedule: str, dimension: int) -> None:
    flow = exact_flow(schedule, dimension)
    latents = flow.inflate(flow.noised_data(points_of(dimension, 2_000, seed=2), seed=0))
    whitened = latents / flow.schedule.latent_std.numpy()
    rows = {row["metric"]: row for row in measure_latents(whitened, flow.schedule.kept_dims)}
    assert rows["latent_cov_error"]["value"] < 2 * rows["latent_cov_error"]["reference"]


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_generated_points_keep_to_the_plane_as_the_compressed_prior_says(dimension: int) -> None:
    off = {}
    for prior in ("zero", "gaussian", "empirical"):
        flow = exact_flow("floor prr", dimension, prior)
        off[prior] = off_plane(flow.sample(2_000, seed=0), dimension)
    assert np.abs(off["zero"]).max() < 1e-9
    # The flow starts from data smoothed by the first kernel, and so do the latents that are resampled.
    expected = np.sqrt((dimension - 2) * flow.schedule.gamma0)
    for prior in ("gaussian", "empirical"):
        assert np.sqrt(np.sum(off[prior] ** 2, axis=1).mean()) == pytest.approx(expected, rel=0.1)


def test_a_trained_flow_keeps_to_the_plane_without_compressed_latents() -> None:
    x = points_of(3, 3_000, seed=0)
    basis = Eigenbasis.fit(x[:2_500])
    schedule = make_schedule(basis.eigenvalues, **SCHEDULES["floor prr"])
    denoiser, history = fit(x[:2_500], x[2_500:], basis, Kernels([schedule]), MLP, SHORT, seed=0, checkpoint=kept())
    assert all(np.isfinite(row["validation_loss"]) for row in history)
    flow = Flow(denoiser, basis, compressed_prior="zero")
    generated = flow.sample(1_000, seed=0)
    assert np.abs(off_plane(generated, 3)).max() < 1e-9
    assert np.abs(flow.round_trip(x[2_500:]) - x[2_500:]).max() < 1e-3
    assert measure_thin_coordinate_loss(flow, x[2_500:])[0]["reconstruction_mse"] < 1e-7


@pytest.mark.parametrize("space", ["eigen", "wiener", "ambient"])
def test_a_network_neither_sees_nor_moves_null_directions(space: str) -> None:
    basis = Eigenbasis.fit(points_of(5, 2_000, seed=0))
    schedule = make_schedule(basis.eigenvalues, **SCHEDULES["floor prr"])
    assert schedule.spanned.tolist() == [True, True, False, False, False]
    network = build_network(MLP, 5, seed=0).double()
    with torch.no_grad():
        network.last.weight.normal_(generator=torch.Generator().manual_seed(0))
    denoiser = NetworkDenoiser(schedule, network, basis, space)
    y = torch.randn(20, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    moved = y + 3 * ~schedule.spanned
    values, jacobian = denoiser.raw_with_jacobian(y, 2.0)
    torch.testing.assert_close(denoiser.raw(moved, 2.0), values)
    assert bool((values[:, :2] != 0).all())
    assert bool((values[:, 2:] == 0).all())
    assert bool((jacobian[:, 2:] == 0).all())
    assert bool((jacobian[:, :, 2:] == 0).all())
    by_differences = (denoiser.raw(y + 1e-6 * torch.eye(5)[0], 2.0) - values) / 1e-6
    torch.testing.assert_close(jacobian[..., 0], by_differences, atol=1e-4, rtol=1e-4)


def error_left(toy: Toy | EmbeddedToy) -> float:
    """Excess denoising error after a short training, as a share of that of an untrained network, whose F is zero."""
    x = toy.sample(6_000, np.random.default_rng(0))[0]
    basis = Eigenbasis.fit(x[:5_000])
    schedule = make_schedule(basis.eigenvalues, **SCHEDULES["floor prp"])
    exact, times = exact_denoiser(schedule, basis, *toy.mixture(48)), excess_times(schedule)
    denoiser, _ = fit(x[:5_000], x[5_000:], basis, Kernels([schedule]), MLP, SHORT, seed=0, checkpoint=kept())
    u0 = basis.to_eigen(torch.from_numpy(x[5_000:])).numpy()
    trained, untrained = (
        mean_excess(schedule, times, excess_denoising_error(each, exact, u0, 0, times), above=0.01)
        for each in (denoiser, GaussianDenoiser(schedule))
    )
    return trained / untrained


def test_null_directions_do_not_keep_a_network_from_learning() -> None:
    plain = error_left(TOYS["circles"])
    assert plain < 0.2
    assert error_left(toy_of(10)) < 1.3 * plain


@pytest.mark.parametrize(("schedule", "dimension"), [("floor prr", 10), ("proportional prp", 3)])
def test_every_measurement_of_a_flow_is_a_number(schedule: str, dimension: int) -> None:
    flow = exact_flow(schedule, dimension)
    validation, test = points_of(dimension, 200, seed=2), points_of(dimension, 200, seed=3)
    floor = measure_floor(validation, test, samples=200, energy_splits=20, wasserstein_splits=5)
    rows = measure_quality(
        flow,
        validation=validation,
        test=test,
        floor=floor,
        exact=flow.denoiser,
        samples=200,
        projections=20,
        neighbour_samples=100,
    )
    rows += measure_roundtrip(flow, test[:50], paper_steps=100)
    steps = {"rk4": [8], "adams_bashforth6": [30], "euler_scaled": [50]}
    rows += compare_solvers(flow, test[:20], samples=20, reference_steps=32, steps=steps, tolerances=[1e-2])
    rows += participation_ratio_over_time(flow.basis.eigenvalues.numpy(), SCHEDULES[schedule], points=5)
    numbers = [value for row in rows for value in row.values() if isinstance(value, float)]
    assert len(numbers) > 40
    assert np.isfinite(numbers).all()
    traced = record_trajectory(flow, test[:50], np.arange(50.0), samples=50, frames=3)
    assert all(np.isfinite(values).all() for values in traced.values())


def test_an_exact_flow_cannot_be_told_from_fresh_points_by_its_noise_across_the_plane() -> None:
    flow, fresh = exact_flow("floor prr", 4), points_of(4, 1_000, seed=3)
    generated = flow.generate(flow.noised_latents(points_of(4, 1_000, seed=2), seed=0))
    noised = noised_along_null(flow, fresh, seed=0)
    np.testing.assert_allclose(noised - off_plane(noised, 4), fresh, atol=1e-9)
    assert off_plane(noised, 4).std() == pytest.approx(off_plane(generated, 4).std(), rel=0.1)
    assert c2st_accuracy(generated, noised) == pytest.approx(0.5, abs=0.045)
    assert c2st_accuracy(generated, fresh) > 0.7


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_participation_ratio_is_that_of_the_toy_itself(dimension: int) -> None:
    basis = Eigenbasis.fit(points_of(dimension, 5_000, seed=0))
    base = TOYS["circles"].sample(5_000, np.random.default_rng(0))[0]
    assert basis.participation_ratio == pytest.approx(participation_ratio(Eigenbasis.fit(base).eigenvalues), rel=1e-9)
    rows = participation_ratio_over_time(basis.eigenvalues.numpy(), SCHEDULES["floor prr"], points=3)
    ends = [row["participation_ratio"] for row in rows if row["t_fraction"] in (0, 1)]
    assert ends == pytest.approx([2] * 4, rel=0.01)
