"""A flow of few rows is never worse than the Gaussian of its data."""

from __future__ import annotations

import dataclasses
import logging
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from inflationary_flows.errors import Interrupted
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.training.fit import fit
from inflationary_flows.training.kernels import Kernels
from inflationary_flows.training.settings import TrainingSettings
from inflationary_flows.training.shrinkage import BestWeights, Parabola, is_looked_at, overlearns
from stores import Memory, kept, stopping_after

TABLES = {"wine": load_wine, "diabetes": load_diabetes, "breast_cancer": load_breast_cancer}
SMALL = {"kind": "mlp", "space": "eigen", "width": 32, "blocks": 2, "frequencies": 0}
# The network and the training of the README.
LARGE = {"kind": "mlp", "space": "eigen", "width": 128, "blocks": 3, "frequencies": 0}
SHORT = TrainingSettings(steps=300, batch_size=128, warmup_steps=10, reference_size=256, validate_every=100)
SOLVER = SolverSettings("adams_bashforth4", 24)


def table(name: str, seed: int) -> list[np.ndarray]:
    """Rows in three splits, of 70, 15 and 15 %."""
    x = TABLES[name]().data
    return np.split(np.random.default_rng(seed).permutation(x), [round(0.7 * len(x)), round(0.85 * len(x))])


def trained(train, validation, network, settings, seed=0, checkpoint=None):
    basis = Eigenbasis.fit(train, train.std(0, ddof=1))
    schedule = make_schedule(basis.eigenvalues, signal_left=1e-2)
    checkpoint = checkpoint or kept()
    return fit(train, validation, basis, Kernels([schedule]), network, settings, seed=seed, checkpoint=checkpoint)


def gain(denoiser, train, test) -> float:
    """Mean log-density of held-out points, less that of the Gaussian of the training points, nats."""
    flow = Flow(denoiser, denoiser.basis, solver=SOLVER)
    gaussian = multivariate_normal(train.mean(0), np.cov(train.T), allow_singular=True)
    return float(np.mean(flow.log_prob(test) - gaussian.logpdf(test)))


def parabola(f: np.ndarray, target: np.ndarray) -> Parabola:
    product, square = (f * target).sum(1), (f * f).sum(1)
    return Parabola(torch.from_numpy(product), torch.from_numpy(square), f.size)


class TestFactor:
    def test_is_the_least_squares_one_less_two_standard_errors(self):
        f, noise = np.random.default_rng(0).standard_normal((2, 400, 3))
        known = parabola(f, 0.6 * f + noise)
        assert known.factor() == pytest.approx(0.6 - 2 / np.sqrt(1200), abs=0.06)
        errors = [((s * f - 0.6 * f - noise) ** 2).mean() for s in (0.0, 0.5)]
        assert known.gain(0.5) == pytest.approx(errors[0] - errors[1])

    def test_is_one_for_the_truth_and_zero_for_noise(self):
        f, noise = np.random.default_rng(1).standard_normal((2, 400, 3))
        assert parabola(f, f).factor() == pytest.approx(1.0)
        assert parabola(f, -f).factor() == 0.0
        assert parabola(0 * f, noise).factor() == 0.0
        # One row tells nothing about chance.
        assert parabola(f[:1], f[:1]).factor() == 0.0

    def test_chance_is_taken_for_it_in_one_case_of_40(self):
        rng = np.random.default_rng(2)
        draws = [parabola(*rng.standard_normal((2, 50, 2))).factor() for _ in range(600)]
        assert 0.005 < np.mean(np.array(draws) > 0) < 0.06


class TestBest:
    def test_weights_that_gain_most_are_kept_as_they_were(self):
        best, weights = BestWeights(), [torch.zeros(3)]
        for step, gained in ((16, 0.1), (23, 0.5), (32, 0.2)):
            weights[0].fill_(step)
            best.look(step, weights, Parabola(torch.full((5,), gained), torch.full((5,), gained), 5))
        assert (best.step, best.factor, best.weights[0].tolist()) == (23, 1.0, [23.0, 23.0, 23.0])
        assert not best.over(399, 500)
        assert best.over(400, 500)
        assert not best.over(400, 2000)
        best.step = 101
        assert not best.over(403, 500)
        assert best.over(404, 500)

    def test_looks_come_ever_more_rarely(self):
        looks = [step for step in range(5000) if is_looked_at(step)]
        assert looks[:5] == [16, 23, 32, 45, 64]
        assert all(1.3 < later / earlier < 1.5 for earlier, later in pairwise(looks))


def test_many_rows_are_left_alone_to_the_last_bit():
    assert not overlearns(300, 128, 384)
    assert overlearns(300, 128, 383)
    x = np.random.default_rng(0).standard_normal((4300, 2)) ** 3
    short = dataclasses.replace(SHORT, steps=40)
    nets = [trained(x[:4000], x[4000:], SMALL, dataclasses.replace(short, shrink=s))[0] for s in (True, False)]
    first, second = (net.network.state_dict() for net in nets)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_of_gaussian_data_the_gaussian_is_left(caplog):
    x = np.random.default_rng(0).standard_normal((260, 8)) @ np.random.default_rng(1).standard_normal((8, 8))
    with caplog.at_level(logging.INFO):
        denoiser, history = trained(x[:100], x[100:140], SMALL, SHORT)
    assert history[-1]["event"] == "kept"
    assert gain(denoiser, x[:100], x[140:]) > -0.05
    # What it would be otherwise.
    unheld, _ = trained(x[:100], x[100:140], SMALL, dataclasses.replace(SHORT, shrink=False))
    assert gain(unheld, x[:100], x[140:]) < -0.3


def test_an_interrupted_training_keeps_the_same_weights():
    train, validation, _ = table("diabetes", 0)
    whole, history = trained(train, validation, SMALL, SHORT)
    assert history[-1]["step"] > 0
    store = Memory()
    for after in (20, 30):
        with pytest.raises(Interrupted):
            trained(train, validation, SMALL, SHORT, checkpoint=kept(store, stop=stopping_after(after)))
    again, repeated = trained(train, validation, SMALL, SHORT, checkpoint=kept(store))
    assert repeated == history
    first, second = (net.network.state_dict() for net in (whole, again))
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.long
@pytest.mark.parametrize("name", TABLES)
def test_held_out_rows_of_small_tables_are_more_likely_than_under_their_gaussian(name):
    settings = TrainingSettings(steps=2000, warmup_steps=200)
    gains = []
    for seed in range(3):
        train, validation, test = table(name, seed)
        gains.append(gain(trained(train, validation, LARGE, settings)[0], train, test))
    # A test split of 27 rows tells a third of a nat from nothing.
    assert min(gains) > -0.35
    assert np.mean(gains) > {"wine": 0.1, "diabetes": 1.5, "breast_cancer": 5.0}[name]
