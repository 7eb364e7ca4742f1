"""Log-densities of held-out points: exact ones against closed forms, and flows that have to lose."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from inflationary_flows.mathematics.denoisers import Denoiser, GaussianDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.oracles import exact_denoiser
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.metrics.density import gaussian_log_density, measure_density

MEANS = np.array([[-2.0, 0.0], [1.0, 30.0], [2.0, -10.0]])
WEIGHTS = np.array([0.5, 0.3, 0.2])
COVARIANCE = np.array([[0.3, 1.0], [1.0, 60.0]])
RNG = np.random.default_rng(0)
X = MEANS[RNG.choice(3, 4000, p=WEIGHTS)] + RNG.multivariate_normal([0, 0], COVARIANCE, 4000)
BASIS = Eigenbasis.fit(X, X.std(0))
SCHEDULE = make_schedule(BASIS.eigenvalues, signal_left=1e-5)
EXACT = exact_denoiser(SCHEDULE, BASIS, MEANS, WEIGHTS, COVARIANCE)


class Wrong(Denoiser):
    """The exact denoiser of another set."""

    def raw(self, y, t):
        return -EXACT.raw(-1.5 * y, t)


def measured(denoiser: Denoiser, samples: int = 300) -> dict[str, dict]:
    flow = Flow(denoiser, BASIS, solver=SolverSettings("adams_bashforth4", 80))
    rows = measure_density(flow, EXACT, X, samples, 0)
    return {row["metric"]: row for row in rows}


def test_the_density_of_a_mixture_is_its_closed_form():
    t = 1.0
    units = X.std(0)
    # The kernel of the eigenbasis in data units: one variance in all directions, times the units.
    noise = float(SCHEDULE.gamma(t)[0]) * np.diag(units**2)
    parts = [w * multivariate_normal(m, COVARIANCE + noise).pdf(X[:50]) for w, m in zip(WEIGHTS, MEANS, strict=True)]
    u = BASIS.to_eigen(torch.from_numpy(X[:50]))
    found = EXACT.law(t).log_density(u).numpy() - np.log(units).sum()
    np.testing.assert_allclose(found, np.log(np.sum(parts, 0)), atol=1e-9)


def test_the_exact_flow_has_no_divergence_and_beats_the_gaussian(caplog):
    rows = measured(EXACT)
    assert abs(rows["kl_to_flow"]["value"]) < 0.001
    assert rows["kl_to_flow_error"]["value"] < 0.001
    gain = rows["log_likelihood"]["value"] - rows["log_likelihood"]["reference"]
    assert gain > 0.5 > 5 * rows["log_likelihood_error"]["value"]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_flow_that_has_learned_nothing_is_the_gaussian():
    rows = measured(GaussianDenoiser(SCHEDULE))
    assert rows["log_likelihood"]["value"] == pytest.approx(rows["log_likelihood"]["reference"], abs=1e-9)
    assert rows["kl_to_flow"]["value"] > 0.5
    flow = Flow(GaussianDenoiser(SCHEDULE), BASIS)
    noise = SCHEDULE.gamma0 * np.diag(X.std(0) ** 2)
    expected = multivariate_normal(X.mean(0), np.cov(X.T) + noise).logpdf(X[:9])
    np.testing.assert_allclose(gaussian_log_density(flow, X[:9]), expected, rtol=1e-6)


def test_a_flow_that_loses_to_the_gaussian_is_warned_of(caplog):
    with caplog.at_level(logging.WARNING):
        rows = measured(Wrong(SCHEDULE), 100)
    assert rows["log_likelihood"]["value"] < rows["log_likelihood"]["reference"]
    assert "the flow loses" in caplog.text
