"""Exact denoisers against brute force, and the two forms of every denoiser against each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inflationary_flows.mathematics import denoisers
from inflationary_flows.mathematics.denoisers import (
    GaussianDenoiser,
    MixtureDenoiser,
    NetworkDenoiser,
    weighted_mean,
)
from inflationary_flows.mathematics.eigenbasis import Eigenbasis, participation_ratio
from inflationary_flows.mathematics.schedules import make_schedule
from oracles import SCHEDULES, mixture_flow


def brute_force_mixture_mean(u, means, weights, covariance, gamma):
    """E[u_0 | u] component by component, with explicit Gaussian densities."""
    out = np.zeros_like(u)
    total = covariance + np.diag(gamma)
    for i, point in enumerate(u):
        logs, parts = [], []
        for mean, weight in zip(means, weights, strict=True):
            away = point - mean
            logs.append(np.log(weight) - away @ np.linalg.solve(total, away) / 2)
            parts.append(mean + covariance @ np.linalg.solve(total, away))
        p = np.exp(np.array(logs) - np.max(logs))
        out[i] = (p / p.sum()) @ np.array(parts)
    return out


@pytest.mark.parametrize("settings", SCHEDULES.values(), ids=SCHEDULES)
def test_mixture_denoiser_is_the_posterior_mean(settings):
    rng = np.random.default_rng(1)
    means, weights = rng.standard_normal((7, 3)), rng.dirichlet(np.ones(7))
    root = 0.3 * rng.standard_normal((3, 3))
    covariance = root @ root.T
    schedule = make_schedule(np.array([1.5, 1.0, 0.5]), **settings)
    exact = MixtureDenoiser(schedule, *map(torch.from_numpy, (means, weights, covariance)))
    u = rng.standard_normal((6, 3)) * 2
    for clock in (0.1, 0.5, 0.9):
        t = float(schedule.time_at(clock))
        expected = brute_force_mixture_mean(u, means, weights, covariance, schedule.gamma(t).numpy())
        np.testing.assert_allclose(exact(torch.from_numpy(u), t).numpy(), expected, rtol=1e-9, atol=1e-10)


def test_point_set_is_the_limit_of_narrow_components():
    schedule = make_schedule(np.array([1.0, 0.6]), signal_left=1e-3)
    points = torch.randn(40, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    u = points[:10] + 0.3
    narrow = MixtureDenoiser(schedule, points, covariance=1e-12 * torch.eye(2))
    torch.testing.assert_close(MixtureDenoiser(schedule, points)(u, 4.0), narrow(u, 4.0), rtol=1e-6, atol=1e-8)


def test_gaussian_denoiser_shrinks_towards_the_mean():
    schedule = make_schedule(np.array([2.0, 0.5]), signal_left=1e-3)
    u = torch.tensor([[1.0, -3.0]], dtype=torch.float64)
    for t in (0.0, 3.0, 8.0):
        gamma = schedule.gamma(t)
        expected = u * schedule.eigenvalues / (schedule.eigenvalues + gamma)
        torch.testing.assert_close(GaussianDenoiser(schedule)(u, t), expected)


@pytest.mark.parametrize("settings", SCHEDULES.values(), ids=SCHEDULES)
def test_raw_output_and_denoiser_are_two_forms_of_one(settings):
    flow, x = mixture_flow(settings)
    schedule = flow.schedule
    u = flow.basis.to_eigen(torch.from_numpy(x[:50]))
    for clock in (0.05, 0.4, 0.95):
        t = float(schedule.time_at(clock))
        raw = flow.denoiser.raw(u * schedule.c_in(t), t)
        rebuilt = schedule.c_skip(t) * u + schedule.c_out(t) * raw
        torch.testing.assert_close(rebuilt, flow.denoiser(u, t), rtol=1e-9, atol=1e-11)


def test_tweedie_gives_the_score_of_the_marginal():
    flow, _ = mixture_flow({"signal_left": 1e-3})
    exact, schedule, t = flow.denoiser, flow.schedule, 7.0
    u = torch.randn(5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    u.requires_grad_()
    total = torch.linalg.inv(exact.covariance + torch.diag(schedule.gamma(t)))
    away = u[:, None] - exact.means[None]
    log_density = torch.logsumexp(-torch.einsum("nki,ij,nkj->nk", away, total, away) / 2, 1)
    (score,) = torch.autograd.grad(log_density.sum(), u)
    tweedie = (exact(u.detach(), t) - u.detach()) / schedule.gamma(t)
    torch.testing.assert_close(score, tweedie, rtol=1e-8, atol=1e-10)


def test_chunks_change_nothing(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    points, means = (torch.randn(n, 3, generator=generator, dtype=torch.float64) for n in (50, 70))
    precision = torch.rand(50, 3, generator=generator, dtype=torch.float64) * 20
    whole = weighted_mean(points, means, precision)
    monkeypatch.setattr(denoisers, "_CHUNK_ELEMENTS", 24)
    torch.testing.assert_close(weighted_mean(points, means, precision), whole, rtol=1e-12, atol=1e-14)


def test_far_points_do_not_underflow():
    schedule = make_schedule(np.array([1.0, 1.0]), signal_left=1e-3)
    means = torch.tensor([[0.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    far = torch.tensor([[1e4, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(MixtureDenoiser(schedule, means)(far, 0.0), means[1:])


def test_ambient_network_sees_the_data_space_and_answers_in_the_eigenbasis():
    x, *_ = np.random.default_rng(0).standard_normal((1, 500, 3)) @ np.diag([2.0, 1.0, 0.5])
    basis = Eigenbasis.fit(x)
    schedule = make_schedule(basis.eigenvalues, signal_left=1e-3)

    class Shear(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.arange(9.0).view(3, 3))

        def forward(self, y, clock):
            return y @ self.weight

    network = Shear()
    y = torch.randn(4, 3)
    rotation = basis.vectors.float()
    ambient = NetworkDenoiser(schedule, network, basis, "ambient").raw(y, 1.0)
    torch.testing.assert_close(ambient, y @ rotation.T @ network.weight @ rotation)
    assert not torch.allclose(ambient, NetworkDenoiser(schedule, network, basis, "eigen").raw(y, 1.0))


@pytest.mark.parametrize("settings", SCHEDULES.values(), ids=SCHEDULES)
def test_a_network_may_see_the_wiener_estimate(settings):
    """That of the exact denoiser of Gaussian data, of size 1 over points of the Gaussian."""
    basis = Eigenbasis.fit(np.random.default_rng(0).standard_normal((500, 3)) @ np.diag([2.0, 1.0, 0.1]))
    schedule = make_schedule(basis.eigenvalues, **settings)

    class Recorder(torch.nn.Linear):
        def forward(self, y, clock):
            self.seen = y
            return y

    network = Recorder(1, 1)
    denoiser = NetworkDenoiser(schedule, network, basis, "wiener")
    y = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for t in map(float, schedule.time_at(torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64))):
        denoiser.raw(y, t)
        estimate = GaussianDenoiser(schedule)(y * schedule.total_std(t), t)
        ratio = network.seen / estimate
        torch.testing.assert_close(ratio, ratio[:1, :1].expand_as(ratio), rtol=1e-5, atol=0)
        assert float(network.seen.square().mean()) == pytest.approx(1, abs=0.1)
        one_by_one = network.seen
        denoiser.raw(y, torch.full((len(y),), t, dtype=torch.float64))
        torch.testing.assert_close(network.seen, one_by_one)


class TestEigenbasis:
    x = np.random.default_rng(5).standard_normal((400, 4)) @ np.diag([3, 2, 1, 0.1]) + 7

    def test_diagonalises_the_covariance(self):
        basis = Eigenbasis.fit(self.x)
        u = basis.to_eigen(torch.from_numpy(self.x))
        torch.testing.assert_close(torch.cov(u.T), torch.diag(basis.eigenvalues), atol=1e-10, rtol=0)
        assert bool((basis.eigenvalues.diff() <= 0).all())
        torch.testing.assert_close(u.mean(0), torch.zeros(4, dtype=torch.float64), atol=1e-12, rtol=0)

    def test_inverts(self):
        basis = Eigenbasis.fit(self.x, scale=np.array([1.0, 10.0, 0.1, 2.0]))
        x = torch.from_numpy(self.x)
        torch.testing.assert_close(basis.from_eigen(basis.to_eigen(x)), x, rtol=1e-12, atol=1e-12)

    def test_signs_do_not_depend_on_row_order(self):
        shuffled = np.random.default_rng(0).permutation(self.x)
        torch.testing.assert_close(Eigenbasis.fit(self.x).vectors, Eigenbasis.fit(shuffled).vectors, rtol=0, atol=1e-9)

    def test_scaled_table_has_the_basis_of_its_correlations(self):
        basis = Eigenbasis.fit(self.x, scale=self.x.std(0, ddof=1))
        assert float(basis.eigenvalues.sum()) == pytest.approx(4.0)


@pytest.mark.parametrize(("spectrum", "expected"), [([1, 1, 1], 3), ([5, 0, 0], 1), ([2, 1], 9 / 5), ([1e60, 1e60], 2)])
def test_participation_ratio_counts_dimensions(spectrum, expected):
    assert participation_ratio(np.array(spectrum, float)) == pytest.approx(expected)
