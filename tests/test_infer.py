"""Posteriors of a flow are the posteriors: closed forms, mixtures, quadrature, and impostors that lose."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from inflationary_flows.data.random_mixtures import RandomMixture
from inflationary_flows.errors import InflationaryFlowsError
from inflationary_flows.inference import decoder
from inflationary_flows.inference import infer as decisions
from inflationary_flows.inference.batched_hmc import run_hmc
from inflationary_flows.inference.decoder import Decoder, inference_decoder
from inflationary_flows.inference.infer import impute, infer
from inflationary_flows.inference.observation import noisy_numbers
from inflationary_flows.inference.particles import ParticleDraws, _predict, sample_particles
from inflationary_flows.inference.posterior import Posterior, converged, diagnose_cells
from inflationary_flows.inference.surprise import prior_predictive_p
from inflationary_flows.inference.tempering import sample_tempered
from inflationary_flows.mathematics.denoisers import MixtureDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.gaussian_mixtures import GaussianMixture
from inflationary_flows.mathematics.noise import noise_of
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.metrics.two_sample import c2st_accuracy

# What draws of the same law stay below: the target of all comparisons with exact draws.
SAME = 0.55


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Case:
    """A mixture of Gaussians as data, the flow of its exact denoiser, and the law that the flow starts from."""

    def __init__(self, dimension: int, components: int, separation: float = 2.0, seed: int = 0) -> None:
        mixture = RandomMixture(dimension, components, 1.0, separation, seed)
        x = mixture.sample(50_000, np.random.default_rng(1))[0]
        basis = Eigenbasis.fit(x / x.std(0))
        means, roots = (torch.as_tensor(values) for values in mixture._shape)
        scale = torch.as_tensor(x.std(0))
        inner = basis.vectors.T @ (roots / scale[:, None])
        denoiser = MixtureDenoiser(
            make_schedule(basis.eigenvalues, kernel="floor", signal_left=1e-3),
            (means / scale - basis.mean) @ basis.vectors,
            torch.full((components,), 1 / components),
            (inner @ inner.mT)[0] if components == 1 else inner @ inner.mT,
        )
        self.flow = Flow(denoiser, basis)
        self.law: GaussianMixture = denoiser.law(denoiser.schedule.t_min).mapped(basis.vectors, basis.mean)
        self.x = self.law.sample(40, generator(3))

    def observed(self, matrix: Tensor, noise_std: float, rows: int) -> Tensor:
        y = self.x[:rows] @ matrix.T
        return y + noise_std * torch.randn(y.shape, generator=generator(4), dtype=torch.float64)

    def exact(self, y: Tensor, matrix: Tensor, noise_std: float, draws: int) -> np.ndarray:
        """Draws of the posteriors in closed form, shape (rows, draws, D)."""
        noise = noise_std**2 * torch.eye(len(matrix), dtype=torch.float64) if noise_std else None
        return self.law.given(y, matrix, noise).sample(draws, generator(5)).numpy()


def told_apart(posterior: Posterior, exact: np.ndarray) -> list[float]:
    """Accuracy of a classifier of each row's draws against exact ones, in the cells that were not known."""
    return [
        c2st_accuracy(x.reshape(-1, x.shape[-1])[::2, free], own[:, free])
        for x, own, free in zip(posterior.x, exact, posterior.free, strict=True)
    ]


PLANE = Case(2, 3)
OPERATORS = {
    "noise": (torch.eye(2, dtype=torch.float64), 0.4),
    "little noise": (torch.eye(2, dtype=torch.float64), 0.05),
    "a sum": (torch.ones(1, 2, dtype=torch.float64), 0.2),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_posteriors_of_a_mixture_in_the_plane_are_exact_and_those_of_other_noise_are_not(name: str) -> None:
    matrix, noise_std = OPERATORS[name]
    y = PLANE.observed(matrix, noise_std, 2)
    posterior = infer(PLANE.flow, y.numpy(), operator=matrix.numpy(), noise_std=noise_std)
    assert posterior.passed
    assert set(posterior.method) == {"particles"}
    assert max(told_apart(posterior, PLANE.exact(y, matrix, noise_std, 1000))) <= SAME
    assert min(told_apart(posterior, PLANE.exact(y, matrix, 2 * noise_std, 1000))) > SAME


def test_missing_cells_follow_the_conditional_density_and_known_ones_stay() -> None:
    table = pd.DataFrame(PLANE.x[:3].numpy(), columns=["x0", "x1"], index=["a", "b", "c"])
    table.loc["a", "x0"] = table.loc["b", "x1"] = table.loc["c", "x0"] = np.nan
    posterior = infer(PLANE.flow, table)
    assert posterior.passed
    for row, known, missing in ((0, 1, 0), (1, 0, 1), (2, 1, 0)):
        value = float(table.iloc[row, known])
        assert (posterior.x[row, ..., known] == value).all()
        exact = PLANE.exact(torch.tensor([[value]]).double(), torch.eye(2).double()[[known]], 0.0, 20_000)[
            0, :, missing
        ]
        found = np.sort(posterior.x[row, ..., missing].ravel())
        distance = np.abs(
            np.searchsorted(np.sort(exact), found) / len(exact) - np.arange(len(found)) / len(found)
        ).max()
        # 1.63 / sqrt(n) is exceeded in 1 % of cases by independent draws; half of these are effective.
        assert distance < 1.63 * math.sqrt(2 / len(found))
    marginal = PLANE.law.sample(20_000, generator(6))[:, 0].numpy()
    assert np.abs(np.quantile(marginal, [0.25, 0.75]) - np.quantile(posterior.x[0, ..., 0], [0.25, 0.75])).max() > 0.1


@pytest.mark.parametrize(
    "operator", [lambda x: x.norm(dim=1, keepdim=True), lambda x: x[:, :1] * x[:, 1:]], ids=["radius", "product"]
)
def test_posteriors_under_bent_operators_agree_with_quadrature(operator: Any) -> None:
    noise_std = 0.15
    y = operator(PLANE.x[:2])
    posterior = infer(PLANE.flow, y.numpy(), operator=operator, noise_std=noise_std)
    assert posterior.passed
    side = torch.linspace(-6, 6, 801, dtype=torch.float64)
    grid = torch.cartesian_prod(side, side)
    density = PLANE.law.log_density(grid)
    for row in range(2):
        weights = (density - ((operator(grid) - y[row]) / noise_std).square().sum(1) / 2).softmax(0).numpy()
        mean = weights @ grid.numpy()
        spread = np.sqrt(weights @ (grid.numpy() - mean) ** 2)
        draws = posterior.x[row].reshape(-1, 2)
        error = spread / math.sqrt(posterior.ess_bulk[row].min())
        assert (np.abs(draws.mean(0) - mean) < 4.5 * error).all()
        # Modes that part have the right shares: what lies right of the mean.
        share = weights @ (grid.numpy()[:, 0] > mean[0])
        assert abs((draws[:, 0] > mean[0]).mean() - share) < 4.5 * 0.5 / math.sqrt(posterior.ess_bulk[row].min())


def test_any_log_likelihood_gives_the_posterior_of_the_noise_that_it_is() -> None:
    matrix, noise_std = OPERATORS["noise"]
    y = PLANE.observed(matrix, noise_std, 1)
    posterior = infer(PLANE.flow, log_likelihood=lambda x: -((x - y) / noise_std).square().sum(1) / 2)
    assert told_apart(posterior, PLANE.exact(y, matrix, noise_std, 1000))[0] <= SAME
    assert np.isnan(posterior.surprise).all()


FIVE = Case(5, 1)


@pytest.mark.parametrize("seen", [5, pytest.param(2, marks=pytest.mark.long)])
def test_chains_have_the_moments_of_linear_gaussian_posteriors(seen: int) -> None:
    matrix = torch.as_tensor(np.random.default_rng(2).standard_normal((seen, 5)))
    y = FIVE.observed(matrix, 0.3, 3)
    posterior = infer(FIVE.flow, y.numpy(), operator=matrix.numpy(), noise_std=0.3, draws=100, warmup=30)
    exact = FIVE.law.given(y, matrix, 0.09 * torch.eye(seen, dtype=torch.float64))
    mean, covariance = exact.mean().numpy(), exact.covariance().numpy()
    spread = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    assert (np.abs(posterior.mean - mean) < 5 * spread / np.sqrt(posterior.ess_bulk)).all()
    for row in range(3):
        found = np.cov(posterior.x[row].reshape(-1, 5).T)
        scale = np.outer(spread[row], spread[row])
        assert (np.abs(found - covariance[row]) < 6 * math.sqrt(2 / posterior.ess_bulk[row].min()) * scale).all()
    latents = FIVE.flow.inflate(posterior.x[0, 0, :20])
    assert np.abs(latents - posterior.z[0, 0, :20]).max() < 0.05


def test_a_row_is_the_same_among_others() -> None:
    matrix, noise_std = OPERATORS["noise"]
    y = PLANE.observed(matrix, noise_std, 3).numpy()
    whole, again, other = (infer(PLANE.flow, y, noise_std=noise_std, draws=40, seed=seed) for seed in (0, 0, 1))
    first = infer(PLANE.flow, y[:1], noise_std=noise_std, draws=40)
    assert np.array_equal(whole.x, again.x)
    np.testing.assert_allclose(first.x[0], whole.x[0], rtol=1e-9, atol=1e-9)
    assert not np.isclose(whole.x, other.x).all()


@pytest.mark.long
@pytest.mark.parametrize("dimension", [10, 50])
def test_modes_of_many_coordinates_have_their_shares(dimension: int) -> None:
    case = Case(dimension, 3, 3.0)
    matrix = torch.eye(dimension, dtype=torch.float64)[:1]
    y = case.observed(matrix, 2.0, 1)
    observation = noisy_numbers(y, noise_of(2.0, 1), case.flow.basis.transforms, matrix)
    found = sample_tempered(Decoder(case.flow, solver="rk4", steps=8), observation, chains=4, draws=300, seed=0)
    exact = case.exact(y, matrix, 2.0, 1200)[0]
    # The last of two moves of each particle: a classifier learns where the other is from its neighbour.
    assert c2st_accuracy(found.r[0, :, 1::2].flatten(0, 1).numpy(), exact[:600]) <= SAME
    # Chains in one mode alone are told from it.
    nearest = case.law.joint_log_densities(torch.as_tensor(exact)).argmax(1).numpy()
    one_mode = exact[nearest == np.bincount(nearest).argmax()]
    assert c2st_accuracy(one_mode[np.random.default_rng(0).integers(len(one_mode), size=1200)], exact) > SAME


def test_many_missing_cells_follow_the_conditional_density() -> None:
    case = Case(10, 3, 3.0)
    known = torch.tensor([0, 3, 4, 8])
    rows = case.x[:2].numpy().copy()
    rows[:, [1, 2, 5, 6, 7, 9]] = np.nan
    posterior = infer(case.flow, rows)
    assert posterior.passed
    assert set(posterior.method) == {"particles"}
    assert (posterior.x[..., known] == rows[:, None, None, known]).all()
    exact = case.exact(case.x[:2, known], torch.eye(10).double()[known], 0.0, 400)
    # Of four draws in a row some are one particle, and a classifier knows it from its twin.
    apart = replace(posterior, x=posterior.x[:, :, ::2])
    assert max(told_apart(apart, exact)) <= SAME
    # Of another row it is another.
    assert min(told_apart(apart, exact[::-1])) > SAME


def test_chains_follow_where_few_particles_of_many_cells_carry_the_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = FIVE.x[:2].numpy().copy()
    rows[0, :4] = rows[1, :2] = np.nan

    def poor(*arguments: Any, **options: Any) -> ParticleDraws:
        found = sample_particles(*arguments, **options)
        return replace(found, effective=np.full_like(found.effective, 50.0))

    monkeypatch.setattr(decisions, "sample_particles", poor)
    posterior = infer(FIVE.flow, rows, draws=60, warmup=40)
    assert posterior.method.tolist() == ["chains", "particles"]
    assert np.isnan(posterior.pareto_k[0])
    exact = FIVE.law.given(FIVE.x[:1, 4:], torch.eye(5).double()[4:], None)
    spread = exact.covariance()[0].diagonal().sqrt().numpy()
    assert (np.abs(posterior.mean[0] - exact.mean()[0].numpy()) < 5 * spread / np.sqrt(posterior.ess_bulk[0]))[:4].all()


def test_tempering_is_exact_whatever_rough_decoders_are(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = torch.eye(5, dtype=torch.float64)[:2]
    case = Case(5, 3, 3.0)
    y = case.observed(matrix, 0.1, 1)
    observation = noisy_numbers(y, noise_of(0.1, 2), case.flow.basis.transforms, matrix)
    fine, rough = Decoder(case.flow, solver="rk4", steps=8), Decoder(case.flow, solver="euler", steps=1)
    exact = torch.as_tensor(case.exact(y, matrix, 0.1, 20_000)[0])
    evaluations = Counter[int]()
    transformed = Decoder.transformed

    def counted(self: Decoder, y: Tensor) -> Tensor:
        evaluations[self.evaluations] += len(y)
        return transformed(self, y)

    monkeypatch.setattr(Decoder, "transformed", counted)
    monkeypatch.setattr(decoder, "_ROUGH", (("euler", 1),))

    def furthest(own: Decoder) -> float:
        """How far the mean is off, in standard deviations."""
        found = sample_tempered(own, observation, chains=4, draws=400, seed=0).r[0].flatten(0, 1)
        return float(((found.mean(0) - exact.mean(0)) / exact.std(0)).abs().max())

    # Of 800 particles, some of which go back to one: of 100 independent ones .25 would be 2.5 standard errors.
    assert furthest(fine) < 0.25
    assert evaluations[rough.evaluations] > 8192
    # Alone, the rough one is far off.
    assert furthest(rough) > 0.5


def test_tempering_leaves_out_where_the_likelihood_is_undefined() -> None:
    # Half of the space has no logarithm, and a rough map puts other points there than the exact one.
    y = torch.zeros(1, 2, dtype=torch.float64)
    transforms = FIVE.flow.basis.transforms
    observation = noisy_numbers(y, noise_of(0.5, 2), transforms, lambda x: torch.log(4 * x[:, :2]))
    found = sample_tempered(Decoder(FIVE.flow, solver="rk4", steps=8), observation, chains=4, draws=60, seed=0)
    assert (found.r[..., :2] > 0).all()
    assert found.log_density.isfinite().all()
    assert len(found.r.flatten(0, 2).unique(dim=0)) > 120


def test_copies_of_a_point_predict_nothing() -> None:
    points, asked = torch.ones(140, 10, dtype=torch.float64), torch.zeros(3, 10, dtype=torch.float64)
    otherwise = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    assert (_predict(points, points[:, 0], asked, otherwise) == otherwise).all()


def test_short_chains_fail_and_say_so() -> None:
    matrix = torch.eye(5, dtype=torch.float64)
    y = FIVE.observed(matrix, 0.3, 1)
    decoder = Decoder(FIVE.flow, solver="rk4", steps=4)
    observation = noisy_numbers(y, noise_of(0.3, 5), FIVE.flow.basis.transforms)

    def log_density(points: Tensor, places: Tensor) -> Tensor:
        r = decoder.transformed(points.flatten(0, 1)).view_as(points)
        return observation.of(places).log_likelihood(r) - points.square().sum(2) / 2

    far = 3 * torch.randn(1, 4, 5, generator=generator(1), dtype=torch.float64)
    run = run_hmc(log_density, far, warmup=1, draws=8)
    r_hat, bulk, tail = diagnose_cells(run.draws.numpy(), np.ones((1, 5), dtype=bool))
    assert not converged(r_hat, np.minimum(bulk, tail), run.divergences, 32).any()
    short = infer(PLANE.flow, PLANE.x[:1].numpy(), noise_std=0.4, draws=20)
    assert not short.passed
    assert "not converged (rows 0)" in short.verdict
    assert "take more draws" in str(short.summary())


def test_p_values_of_usual_observations_are_uniform_and_those_of_far_ones_small() -> None:
    usual = PLANE.law.sample(400, generator(8))
    predicted = PLANE.law.sample(1000, generator(9))
    p = np.sort(prior_predictive_p(usual, predicted))
    assert np.abs(p - np.arange(400) / 400).max() < 1.63 / math.sqrt(400) + 1.63 / math.sqrt(1000)
    posterior = infer(PLANE.flow, np.array([[0.0, 0.0], [12.0, -9.0]]), noise_std=0.4, draws=40)
    assert posterior.surprise[1] < 0.01
    assert "1 of 2 observations are unlike what the flow makes (rows 1)" in posterior.verdict


def test_few_steps_generate_what_the_flow_generates() -> None:
    y = torch.randn(200, 2, generator=generator(2), dtype=torch.float64)
    decoder = inference_decoder(PLANE.flow)
    fine = Decoder(PLANE.flow)
    assert decoder.evaluations < fine.evaluations / 2
    assert float((decoder(y) - fine(y)).abs().quantile(0.95)) < 0.02
    density, back = decoder.log_density(decoder.transformed(y))
    torch.testing.assert_close(back, y, atol=0.05, rtol=0)
    expected = PLANE.law.log_density(decoder.transformed(y))
    assert float((density - expected).abs().median()) < 0.02
    points, jacobian = decoder.transformed_with_jacobian(y[:20])
    slopes = decoder.jacobian(y[:20])[1]
    torch.testing.assert_close(points, decoder(y[:20]))
    torch.testing.assert_close(jacobian, slopes, atol=1e-6, rtol=1e-6)


def test_completed_tables_keep_what_is_known_in_the_callers_kind() -> None:
    x = PLANE.x[:4].numpy().copy()
    x[1, 0] = x[3, 1] = np.nan
    arrays = impute(PLANE.flow, x, draws=7)
    assert arrays.shape == (7, 4, 2)
    assert np.isfinite(arrays).all()
    known = ~np.isnan(x)
    assert (arrays[:, known] == x[known]).all()
    assert len(np.unique(arrays[:, 1, 0])) > 4
    frame = impute(PLANE.flow, pd.DataFrame(x, columns=["x0", "x1"], index=list("abcd")), draws=7)
    assert list(frame.index.names) == ["draw", None]
    assert (frame.loc[3].to_numpy() == arrays[3]).all()
    assert impute(PLANE.flow, torch.from_numpy(x), draws=2).shape == (2, 4, 2)
    full = PLANE.x[:2].numpy()
    assert (impute(PLANE.flow, full, draws=3) == full).all()


def test_draws_are_handed_over_as_frames_and_to_arviz() -> None:
    posterior = infer(PLANE.flow, PLANE.x[:2].numpy(), noise_std=0.4, draws=40, chains=3)
    frame = posterior.to_frame()
    assert frame.shape == (240, 2)
    assert list(frame.index.names) == ["row", "chain", "draw"]
    assert (frame.loc[(1, 2, 5)].to_numpy() == posterior.x[1, 2, 5]).all()
    assert list(posterior.to_frame(latents=True).columns) == ["z1", "z2"]
    tree = posterior.to_arviz()
    assert dict(tree["posterior"]["x"].sizes) == {"chain": 3, "draw": 40, "row": 2, "column": 2}
    assert float(tree["posterior"]["x"].sel(chain=2, draw=5, row=1, column="x1")) == posterior.x[1, 2, 5, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "expected what was observed, got nothing"),
        ({"observed": np.zeros((1, 2))}, "expected rows with holes, or a noise_std"),
        ({"observed": np.zeros((1, 3)), "noise_std": 1.0}, "shape"),
        ({"observed": np.full((1, 2), np.inf), "noise_std": 1.0}, "infinity in row 0"),
        ({"observed": np.zeros((1, 2)), "noise_std": -1.0}, "noise_std: expected a number > 0"),
        ({"observed": np.zeros((1, 1)), "operator": np.zeros((1, 2))}, "expected a noise, with an operator"),
        ({"observed": np.zeros((1, 1)), "operator": np.zeros((2, 2)), "noise_std": 1.0}, "a matrix of 1 rows"),
        ({"observed": np.zeros((1, 1)), "operator": lambda x: x, "noise_std": 1.0}, r"a tensor of shape \(1, 1\)"),
        ({"log_likelihood": lambda x: x}, "sum over the last axis alone"),
        ({"log_likelihood": 3}, "expected a function"),
        ({"log_likelihood": lambda x: x[:, 0], "noise_std": 1.0}, "nothing beside it"),
        ({"observed": np.zeros((1, 2)), "noise_std": 1.0, "chains": 1}, "chains: expected a whole number from 2"),
        ({"observed": np.zeros((1, 2)), "noise_std": 1.0, "draws": 0}, "draws: expected a whole number"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_message(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InflationaryFlowsError, match=message):
        infer(PLANE.flow, **arguments)


NAMED = Flow(PLANE.flow.denoiser, PLANE.flow.basis, columns=("a", "b"))


def test_frames_are_read_by_name_and_keep_their_index() -> None:
    matrix = pd.DataFrame([[1.0, 0.0]], columns=["b", "a"])
    seen = pd.DataFrame({"q": [1.0]}, index=["first"])
    posterior = infer(NAMED, seen, operator=matrix, noise_std={"q": 0.01}, draws=100)
    assert list(posterior.index) == ["first"]
    assert abs(posterior.mean[0, 1] - 1.0) < 0.01
    assert posterior.std[0, 0] > 0.1


def test_what_cannot_be_trusted_is_told_with_the_table() -> None:
    far = pd.DataFrame({"a": [np.nan, np.nan], "b": [0.0, 40.0]}, index=["near", "far"])
    with pytest.warns(UserWarning, match=r"unlike what the flow makes \(rows far\)"):
        impute(NAMED, far, draws=3)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: np.zeros(len(x)), "got ndarray"),
        (lambda x: 0.0, "got float"),
        (lambda x: torch.full((len(x),), -math.inf), "finite values somewhere, got none at"),
    ],
)
def test_log_likelihoods_that_are_none_are_one_message(function: Any, message: str) -> None:
    with pytest.raises(InflationaryFlowsError, match=message):
        infer(PLANE.flow, log_likelihood=function)


def test_operators_without_gradients_are_refused_in_any_dimension() -> None:
    for flow in (PLANE.flow, FIVE.flow):
        with pytest.raises(InflationaryFlowsError, match="a differentiable function"):
            infer(flow, [[1.0]], operator=lambda x: x.detach()[:, :1], noise_std=0.1)


def test_rows_of_which_nothing_is_known_have_the_prior() -> None:
    posterior = infer(FIVE.flow, np.full((1, 5), np.nan))
    assert posterior.passed
    assert list(posterior.method) == ["prior"]
    assert c2st_accuracy(posterior.x[0, :2].reshape(-1, 5), FIVE.law.sample(600, generator(11)).numpy()) <= SAME
