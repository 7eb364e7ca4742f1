"""The public API on flows with exact denoisers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch

from inflationary_flows.errors import DataError
from inflationary_flows.mathematics.denoisers import GaussianDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.schedules import make_schedule
from oracles import PRR, SCHEDULES, GaussianCase, mixture_data, mixture_flow


@pytest.fixture
def flow() -> Flow:
    return mixture_flow({"signal_left": 1e-3})[0]


@pytest.fixture
def x() -> np.ndarray:
    return mixture_data()[0][:300]


def test_callers_arrays_are_left_alone_and_their_kind_is_returned(flow, x):
    tensor, before = torch.from_numpy(x.copy()), x.copy()
    z = flow.inflate(x)
    assert isinstance(z, np.ndarray)
    assert isinstance(flow.inflate(tensor), torch.Tensor)
    flow.generate(z)
    flow.round_trip(x)
    flow.noised_latents(tensor, 0)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(tensor.numpy(), before)


@pytest.mark.parametrize("solver", ["rk4", "euler_scaled", "adams_bashforth4"])
def test_batch_size_does_not_matter(flow, x, solver):
    whole = flow.inflate(x, solver=solver, steps=20)
    flow.batch_size = 7
    np.testing.assert_allclose(flow.inflate(x, solver=solver, steps=20), whole, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("settings", SCHEDULES.values(), ids=SCHEDULES)
def test_latents_have_the_exact_covariance(settings):
    """Inflated noised data: the covariance of p_T is exact for any data, Gaussian or not."""
    flow, x = mixture_flow(settings)
    z = flow.inflate(flow.noised_data(torch.from_numpy(x), 0), steps=40)
    whitened = (z / flow.schedule.latent_std).numpy()
    np.testing.assert_allclose(np.cov(whitened.T), np.eye(2), atol=0.06)
    direct = (flow.noised_latents(torch.from_numpy(x), 1) / flow.schedule.latent_std).numpy()
    np.testing.assert_allclose(np.cov(direct.T), np.eye(2), atol=0.06)


def test_trajectory_starts_at_the_data_and_ends_at_the_latents(flow, x):
    schedule = flow.schedule
    times = [schedule.t_max, schedule.t_min, 5.0]
    path = flow.inflate(x, times=times)
    assert path.shape == (3, *x.shape)
    u = flow.basis.to_eigen(torch.from_numpy(x))
    np.testing.assert_allclose(path[1], (schedule.scale(0.0) * u).numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(path[0], flow.inflate(x), rtol=1e-10, atol=1e-12)


def test_trajectories_of_both_directions_are_one_curve():
    flow, x = mixture_flow({"signal_left": 1e-3}, solver=SolverSettings("rk4", 100))
    times = [1.0, 4.0, 9.0]
    there = flow.inflate(x[:50], times=times)
    back = flow.generate(flow.inflate(x[:50]), times=times)
    np.testing.assert_allclose(there, back, atol=2e-4)


def test_more_samples_of_a_seed_begin_with_the_fewer(flow):
    np.testing.assert_allclose(flow.sample(50, seed=3)[:7], flow.sample(7, seed=3), rtol=1e-12)
    assert not np.allclose(flow.sample(7, seed=3), flow.sample(7, seed=4))


class TestCompressedPrior:
    def flow(self) -> tuple[Flow, torch.Tensor]:
        flow, x = mixture_flow(PRR)
        flow.compressed_latents = torch.from_numpy(flow.inflate(x)[:, 1:])
        return flow, flow.compressed_latents

    def test_gaussian_has_the_exact_variances(self):
        flow, _ = self.flow()
        z = flow.sample_latents(20_000, 0, "gaussian")
        torch.testing.assert_close(z.std(0), flow.schedule.latent_std, rtol=0.03, atol=0)

    def test_empirical_draws_few_inflated_training_data_as_they_are(self):
        flow, latents = self.flow()
        flow.compressed_latents = latents[:300]
        z = flow.sample_latents(500, 0, "empirical")
        assert set(z[:, 1].tolist()) <= set(latents[:300, 0].tolist())

    def test_many_get_kernel_noise_and_draws_have_the_density_of_the_prior(self):
        """Two narrow peaks: the density integrates to one and is that of draws; the Gaussian's is far off."""
        flow, _ = self.flow()
        std = flow.schedule.latent_std[1]
        peaks = torch.randn(4_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        flow.compressed_latents = (std * (0.2 * peaks + torch.tensor([-1.0, 1.0]).repeat(2_000)))[:, None]
        prior, gaussian = flow.prior("empirical"), flow.prior("gaussian")
        width = float(prior.bandwidth / std)
        assert width == pytest.approx(0.5 * 4_000**-0.2, rel=0.05)
        grid = torch.linspace(-3, 3, 2_001, dtype=torch.float64)
        y = torch.stack([torch.zeros_like(grid), grid], 1)
        density = (prior.log_density(y) - gaussian.log_density(0 * y[:1]) / 2).exp()
        assert float(density.sum() * (grid[1] - grid[0])) == pytest.approx(1.0, abs=1e-6)
        drawn = prior.sample(20_000, seed=0)[:, 1] / std
        below = torch.cumsum(density, 0) * (grid[1] - grid[0])
        share = torch.bucketize(drawn, grid).clamp(max=2_000)
        assert scipy.stats.kstest(below[share].numpy(), "uniform").pvalue > 1e-3
        drawn = torch.stack([torch.zeros_like(drawn), drawn], 1)
        assert float((prior.log_density(drawn) - gaussian.log_density(drawn)).mean()) > 0.5

    def test_zero_leaves_nothing(self):
        flow, _ = self.flow()
        assert float(flow.sample_latents(10, 0, "zero")[:, 1].abs().max()) == 0.0

    def test_kept_directions_are_the_same_for_all(self):
        flow, _ = self.flow()
        kept = [flow.sample_latents(10, 0, p)[:, 0] for p in ("gaussian", "empirical", "zero")]
        assert torch.equal(kept[0], kept[1])
        assert torch.equal(kept[0], kept[2])

    def test_empirical_without_data_is_refused(self):
        with pytest.raises(DataError, match="compressed latents"):
            mixture_flow(PRR)[0].sample_latents(3, 0, "empirical")


class TestLogProbability:
    @pytest.mark.parametrize("settings", SCHEDULES.values(), ids=SCHEDULES)
    @pytest.mark.parametrize("exact", [True, False])
    def test_is_the_closed_form_for_gaussian_data(self, settings, exact):
        case = GaussianCase(settings)
        case.flow.solver = SolverSettings("rk4", 100)
        x = torch.randn(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        schedule, t = case.schedule, case.schedule.t_max
        end = case.mean + (x - case.mean) * case.growth(t)
        prior = torch.distributions.Normal(0.0, schedule.total_std(t))
        expected = prior.log_prob(end).sum(1) + case.growth(t).log().sum()
        # The Jacobian is diagonal here, so that even Rademacher probes are exact.
        torch.testing.assert_close(case.flow.log_prob(x, exact=exact), expected, atol=1e-4, rtol=0)

    def test_accounts_for_the_units_of_a_table(self):
        rng = np.random.default_rng(0)
        x = rng.standard_normal((3000, 2)) @ np.array([[2.0, 0.0], [1.0, 50.0]]) + 5
        basis = Eigenbasis.fit(x, scale=x.std(0))
        schedule = make_schedule(basis.eigenvalues, signal_left=1e-3, gamma0=1e-9)
        flow = Flow(GaussianDenoiser(schedule), basis)
        expected = torch.distributions.MultivariateNormal(
            torch.from_numpy(x.mean(0)), torch.from_numpy(np.cov(x.T))
        ).log_prob(torch.from_numpy(x[:9]))
        np.testing.assert_allclose(flow.log_prob(x[:9]), expected.numpy(), atol=1e-5)

    @pytest.mark.parametrize("name", ["floor prp", "floor prr orig", "proportional prp"])
    def test_integrates_to_one_on_a_grid(self, name):
        flow, _ = mixture_flow(SCHEDULES[name], solver=SolverSettings("rk4", 60))
        axis = np.linspace(-5, 5, 81)
        grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
        density = np.exp(flow.log_prob(grid))
        assert density.sum() * (axis[1] - axis[0]) ** 2 == pytest.approx(1.0, abs=2e-3)

    def test_integrates_to_one_under_resampled_compressed_latents_and_is_nearer_to_the_data(self):
        flow, x = mixture_flow(PRR, solver=SolverSettings("rk4", 60))
        gaussian = flow.log_prob(x[:300]).mean()
        flow.compressed_latents = torch.from_numpy(flow.inflate(x[300:])[:, 1:])
        flow.compressed_prior = "empirical"
        assert flow.log_prob(x[:300]).mean() > gaussian + 0.02
        axis = np.linspace(-5, 5, 81)
        grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
        density = np.exp(flow.log_prob(grid))
        assert density.sum() * (axis[1] - axis[0]) ** 2 == pytest.approx(1.0, abs=2e-3)

    def test_approaches_the_mixture_density_of_the_data(self):
        flow, x = mixture_flow({"signal_left": 1e-5, "gamma0": 1e-5}, solver=SolverSettings("rk4", 150))
        _, means, variance = mixture_data()
        away = x[:50, None] - means[None]
        parts = -(away**2).sum(-1) / (2 * variance) - math.log(2 * math.pi * variance * len(means))
        expected = np.logaddexp.reduce(parts, axis=1)
        np.testing.assert_allclose(flow.log_prob(x[:50]), expected, atol=0.05)

    def test_hutchinson_estimates_the_exact_trace(self):
        flow, x = mixture_flow({"signal_left": 1e-3}, dimension=4, solver=SolverSettings("rk4", 20))
        exact = flow.log_prob(x[:30])
        few, many = (np.abs(flow.log_prob(x[:30], exact=False, probes=k) - exact).mean() for k in (2, 128))
        assert many < few
        assert many < 0.3

    def test_the_standard_error_is_that_of_the_estimate(self):
        flow, x = mixture_flow({"signal_left": 1e-3}, dimension=4, solver=SolverSettings("rk4", 4))
        exact, none = flow.log_prob(x[:50], return_error=True)
        assert not none.any()
        estimate, error = flow.log_prob(x[:50], exact=False, probes=16, return_error=True)
        np.testing.assert_array_equal(estimate, flow.log_prob(x[:50], exact=False, probes=16))
        assert 0.7 < np.sqrt(np.mean(((estimate - exact) / error) ** 2)) < 1.4
        # Errors of points are independent, so that those of a mean fall with their number.
        again, _ = flow.log_prob(np.tile(x[:1], (50, 1)), exact=False, probes=2, return_error=True)
        assert len(np.unique(again)) > 25
        with pytest.raises(DataError, match="probes: expected a whole number from 2"):
            flow.log_prob(x[:3], exact=False, probes=1, return_error=True)

    def test_estimates_do_not_depend_on_batches(self):
        flow, x = mixture_flow({"signal_left": 1e-3}, dimension=4, solver=SolverSettings("rk4", 5))
        whole = flow.log_prob(x[:9], exact=False, probes=3)
        flow.batch_size = 4
        np.testing.assert_allclose(flow.log_prob(x[:9], exact=False, probes=3), whole, rtol=1e-12)

    def test_digits_have_an_exact_trace(self):
        flow, x = mixture_flow({"signal_left": 1e-3}, dimension=64, solver=SolverSettings("rk4", 2))
        np.testing.assert_array_equal(flow.log_prob(x[:2]), flow.log_prob(x[:2], exact=True))


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((3, 5)), r"\(n, 2\)"),
        (np.zeros(2), r"x\[None\]"),
        (np.array([[0.0, 1.0], [np.nan, 0.0]]), "row 1"),
    ],
)
@pytest.mark.parametrize("method", ["inflate", "generate", "log_prob", "round_trip"])
def test_points_that_do_not_fit_are_refused(flow, points, message, method):
    with pytest.raises(DataError, match=message):
        getattr(flow, method)(points)


@pytest.mark.parametrize("options", [{"solver": "rk9"}, {"steps": 0}])
def test_unknown_integration_is_refused(flow, x, options):
    with pytest.raises(DataError, match="expected"):
        flow.inflate(x, **options)


def test_no_points_are_no_problem(flow):
    assert flow.inflate(np.empty((0, 2))).shape == (0, 2)
    assert flow.sample(0, seed=0).shape == (0, 2)


def test_null_directions_of_embedded_data_round_trip():
    rng = np.random.default_rng(0)
    flat = rng.standard_normal((500, 2)) @ np.linalg.qr(rng.standard_normal((5, 2)))[0].T
    basis = Eigenbasis.fit(flat)
    schedule = make_schedule(basis.eigenvalues, kept_dims=2, signal_left=1e-3)
    flow = Flow(GaussianDenoiser(schedule), basis)
    np.testing.assert_allclose(flow.round_trip(flat), flat, atol=1e-9)
