"""Samplers are compared on the same posterior, and paid for all that they compute."""

from __future__ import annotations

import time

import numpy as np
import pytest

from inflationary_flows.experiments.sampler_efficiency.measure import SamplerComparison, measure_sampler_efficiency
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.latent_mixture import LatentMixture, observe
from inflationary_flows.mathematics.denoisers import GaussianDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.schedules import make_schedule
from oracles import PRP

SAMPLERS = {
    "paper": ({"warmup": 20, "draws": 80, "step_size": 0.1, "max_tree_depth": 4}, {"steps": 12}),
    "nuts": ({"warmup": 40, "draws": 100, "max_tree_depth": 4}, {"solver": "rk4", "steps": 3}),
    "joint": ({"warmup": 10, "draws": 300, "particles": 16, "renewed": 2}, {}),
    "collapsed": ({"warmup": 100, "draws": 300}, {"particles": 64}),
}


@pytest.fixture(scope="module")
def comparison() -> SamplerComparison:
    data = np.random.default_rng(0).standard_normal((500, 2)) * [1.0, 0.6]
    basis = Eigenbasis.fit(data)
    flow = Flow(GaussianDenoiser(make_schedule(basis.eigenvalues, **PRP)), basis)
    mixture = LatentMixture.of([0.8, 0.2], [[0, 0], [2.0, 0]], [[0.5, 0.5], [0.5, 0.5]])
    observed = observe(Decoder(flow, solver="rk4", steps=6), mixture, 3, 0.2, seed=0)
    return SamplerComparison(flow, mixture, observed, 0.2, solver="rk4", steps=6, seed=0)


def test_all_samplers_have_the_same_posterior_and_are_paid_by_time(comparison: SamplerComparison) -> None:
    began = time.process_time()
    rows = measure_sampler_efficiency(comparison, SAMPLERS)
    spent = time.process_time() - began
    assert [row["sampler"] for row in rows] == list(SAMPLERS)
    assert rows[0]["ratio"] == 1
    for row in rows:
        assert row["ess_per_second"] == pytest.approx(row["ess"] / row["cpu_seconds"])
        assert row["ratio"] == pytest.approx(row["ess_per_second"] / rows[0]["ess_per_second"])
        assert row["n_observations"] == 3
    assert 0.9 * spent < sum(row["cpu_seconds"] for row in rows) <= spent
    reference = rows[-1]
    for row in rows[:-1]:
        # Coarse Euler steps move the posterior a little.
        error = reference["sd_weight1"] * np.sqrt(1 / row["ess"] + 1 / reference["ess"])
        assert abs(row["mean_weight1"] - reference["mean_weight1"]) < 4 * error + 0.03
        spread = np.sqrt((1 / row["ess"] + 1 / reference["ess"]) / 2)
        assert row["sd_weight1"] == pytest.approx(reference["sd_weight1"], rel=3 * spread)
