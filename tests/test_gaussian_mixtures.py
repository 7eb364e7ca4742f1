"""Mixtures of Gaussians: densities and posteriors in closed form against second ways to compute them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from inflationary_flows.data.oracles import draw_fresh, exact_mixture
from inflationary_flows.data.preparation import make_splits
from inflationary_flows.mathematics.denoisers import MixtureDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.gaussian_mixtures import GaussianMixture
from inflationary_flows.mathematics.oracles import exact_denoiser
from inflationary_flows.mathematics.schedules import make_schedule
from oracles import PROPORTIONAL_PRR, PRP, PRR

DATASET = {
    "kind": "gaussian_mixture",
    "dimension": 3,
    "components": 3,
    "decay": 1.0,
    "separation": 1.0,
    "seed": 4,
    "sizes": {"train": 4000, "validation": 50, "test": 50},
}
MEANS, WEIGHTS, COVARIANCES = exact_mixture(DATASET)
# Weights that differ tell a forgotten one from none.
WEIGHTS = np.array([0.5, 0.3, 0.2])
LAW = GaussianMixture(*map(torch.from_numpy, (MEANS, np.log(WEIGHTS), COVARIANCES)))
COMMON = GaussianMixture(LAW.means, LAW.log_weights, LAW.covariances[:1])
BASIS = Eigenbasis.fit(make_splits(DATASET).train)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def denoiser(settings: dict) -> MixtureDenoiser:
    return exact_denoiser(make_schedule(BASIS.eigenvalues, **settings), BASIS, MEANS, WEIGHTS, COVARIANCES)


@pytest.mark.parametrize("law", [LAW, COMMON], ids=["each its own", "common"])
def test_the_density_is_the_sum_of_those_of_components(law):
    x = law.sample(50, generator())
    covariances = law.covariances.expand(3, 3, 3)
    parts = [w * multivariate_normal(m, s).pdf(x) for w, m, s in zip(WEIGHTS, MEANS, covariances.numpy(), strict=True)]
    np.testing.assert_allclose(law.log_density(x), np.log(np.sum(parts, 0)), atol=1e-10)


def test_the_density_of_a_plane_integrates_to_one():
    plane = LAW.mapped(torch.eye(3, dtype=torch.float64)[:2], torch.tensor([1.0, -1.0]).double())
    ticks = torch.linspace(-8, 8, 321, dtype=torch.float64)
    mass = plane.log_density(torch.cartesian_prod(ticks, ticks)).exp().sum() * (ticks[1] - ticks[0]) ** 2
    assert float(mass) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("law", [LAW, COMMON], ids=["each its own", "common"])
def test_samples_have_the_moments(law):
    x = law.sample(100_000, generator())
    mean, covariance = law.moments()
    np.testing.assert_allclose(x.mean(0), mean, atol=0.02)
    np.testing.assert_allclose(np.cov(x.T), covariance, atol=0.03)


@pytest.mark.parametrize("law", [LAW, COMMON], ids=["each its own", "common"])
def test_the_posterior_of_a_noisy_point_is_the_prior_weighed_by_the_likelihood(law):
    noise = torch.tensor([[0.3, 0.1, 0.0], [0.1, 0.4, 0.0], [0.0, 0.0, 0.5]]).double()
    y = law.widened(noise).sample(4, generator(1))
    posterior = law.given(y, torch.eye(3, dtype=torch.float64), noise)
    pool = law.sample(200_000, generator(2))
    draws = posterior.sample(20_000, generator(3))
    for row in range(len(y)):
        weights = multivariate_normal(y[row], noise).pdf(pool)
        weights /= weights.sum()
        assert 1 / np.square(weights).sum() > 2000
        mean = weights @ pool.numpy()
        covariance = np.cov(pool.T, aweights=weights)
        for found in (posterior.mean()[row], draws[row].mean(0)):
            np.testing.assert_allclose(found, mean, atol=0.04)
        for found in (posterior.covariance()[row], np.cov(draws[row].T)):
            np.testing.assert_allclose(found, covariance, atol=0.05)


def test_the_posterior_of_missing_coordinates_is_the_density_along_them():
    operator = torch.eye(3, dtype=torch.float64)[1:2]
    y = torch.tensor([[0.4], [-1.0]]).double()
    posterior = LAW.given(y, operator)
    ticks = torch.linspace(-8, 8, 321, dtype=torch.float64)
    missing = torch.cartesian_prod(ticks, ticks)
    draws = posterior.sample(20_000, generator())
    torch.testing.assert_close(draws[..., 1], y.expand(-1, 20_000))
    for row in range(len(y)):
        x = torch.stack([missing[:, 0], y[row].expand(len(missing)), missing[:, 1]], 1)
        weights = LAW.log_density(x).softmax(0).numpy()
        np.testing.assert_allclose(posterior.mean()[row], weights @ x.numpy(), atol=1e-6)
        np.testing.assert_allclose(posterior.covariance()[row], np.cov(x.T, aweights=weights, ddof=0), atol=1e-6)
        np.testing.assert_allclose(np.cov(draws[row].T), posterior.covariance()[row], atol=0.05)


@pytest.mark.parametrize("settings", [PRP, PROPORTIONAL_PRR], ids=["floor", "proportional"])
def test_the_denoiser_is_that_of_tweedie(settings):
    exact = denoiser(settings)
    u = exact.clean.sample(40, generator())
    for t in (0.5, 2.0):
        points = u.clone().requires_grad_()
        (score,) = torch.autograd.grad(exact.law(t).log_density(points).sum(), points)
        torch.testing.assert_close(exact(u, t), u + exact.schedule.gamma(t) * score, atol=1e-9, rtol=1e-9)
    times = torch.linspace(0.5, 2.0, len(u), dtype=torch.float64)
    each = torch.cat([exact(point[None], float(t)) for point, t in zip(u, times, strict=True)])
    torch.testing.assert_close(exact(u, times), each)


def test_components_of_one_covariance_may_be_given_one_by_one():
    exact = denoiser(PRP)
    common = MixtureDenoiser(exact.schedule, exact.means, torch.from_numpy(WEIGHTS), exact.covariance[0])
    each = MixtureDenoiser(exact.schedule, exact.means, torch.from_numpy(WEIGHTS), exact.covariance[[0, 0, 0]])
    u = exact.clean.sample(40, generator())
    torch.testing.assert_close(each.raw(u, 1.0), common.raw(u, 1.0), atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(each.law(1.0).log_density(u), common.law(1.0).log_density(u))


def test_the_exact_flow_has_the_density_in_closed_form():
    for settings, atol in ((PRP, 2e-3), (PRR, 2e-3)):
        exact = denoiser(settings)
        schedule = exact.schedule
        flow = Flow(exact, BASIS, solver=SolverSettings("adams_bashforth6", 60))
        x = flow.noised_data(torch.from_numpy(make_splits(DATASET).test), 0)
        # Its latents have their own law; the flow's density takes them for Gaussian.
        u = flow.inflate(x) / schedule.scale(schedule.t_max)
        normal = multivariate_normal(np.zeros(3), np.diag(schedule.total_std(schedule.t_max).square()))
        gap = exact.law(schedule.t_max).log_density(u).numpy() - normal.logpdf(u)
        true = exact.law(schedule.t_min).log_density(BASIS.to_eigen(x)).numpy()
        np.testing.assert_allclose(flow.log_prob(x).numpy() + gap, true, atol=atol)


def test_points_are_those_of_the_mixture():
    x = draw_fresh(DATASET, 100_000, 0)
    mean, covariance = GaussianMixture(
        LAW.means, torch.log(torch.full((3,), 1 / 3).double()), LAW.covariances
    ).moments()
    np.testing.assert_allclose(x.mean(0), mean, atol=0.02)
    np.testing.assert_allclose(np.cov(x.T), covariance, atol=0.03)
    correlations = [s / np.sqrt(np.outer(np.diag(s), np.diag(s))) for s in COVARIANCES]
    assert all(np.abs(a - b).max() > 0.2 for a, b in product(correlations, repeat=2) if a is not b)
    other = exact_mixture(DATASET | {"seed": 5})
    assert np.abs(other[0] - MEANS).max() > 0.1


def test_the_spectrum_decays_as_asked():
    wide, narrow = (
        exact_mixture(DATASET | {"dimension": 40, "decay": decay, "separation": 0.0})[2].mean(0) for decay in (0.0, 2.0)
    )
    assert np.linalg.eigvalsh(wide) == pytest.approx(np.ones(40), abs=1)
    variances = np.linalg.eigvalsh(narrow)[::-1]
    assert variances[0] / variances[19] == pytest.approx(400, rel=0.6)
