"""Five tasks with exact posteriors, and guidance, which is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import kstest

from configurations import changed
from gaussian_posteriors import COVARIANCE, as_posterior, gaussian_flow
from inflationary_flows.config.load import load_config
from inflationary_flows.config.reading import read_yaml
from inflationary_flows.errors import ConfigError, ScheduleError
from inflationary_flows.experiments.posterior_tasks import measure as module
from inflationary_flows.experiments.posterior_tasks import tasks
from inflationary_flows.experiments.posterior_tasks.figure import METHODS, TASKS, draw_posterior_tasks
from inflationary_flows.experiments.posterior_tasks.measure import coverage_looks, measure
from inflationary_flows.experiments.posterior_tasks.tasks import make_tasks
from inflationary_flows.inference.guidance import guide
from inflationary_flows.inference.posterior import Posterior
from inflationary_flows.mathematics.gaussian_mixtures import GaussianMixture
from inflationary_flows.mathematics.oracles import exact_denoiser
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.metrics.posterior_draws import energy_scores
from inflationary_flows.plotting.material import Material
from oracles import PRP, mixture_flow
from repository import REPOSITORY

NOISES = {"denoising": 0.5, "linear": 0.3, "radius": 0.1, "product": 0.1}
# Two Gaussians in the plane.
LAW = GaussianMixture(
    torch.tensor([[1.0, 0.2], [-0.8, -0.3]], dtype=torch.float64),
    torch.tensor([0.6, 0.4], dtype=torch.float64).log(),
    torch.tensor([[[0.3, 0.1], [0.1, 0.2]], [[0.1, 0.0], [0.0, 0.4]]], dtype=torch.float64),
)


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def by_quadrature(seen: torch.Tensor, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and covariance of the posterior of one observation, by summing over a grid."""
    axis = torch.linspace(-4, 4, 801, dtype=torch.float64)
    points = torch.cartesian_prod(axis, axis)
    task = make_tasks(2, NOISES)[name]
    log_weights = LAW.log_density(points) - ((task.seen(points) - seen) / task.noise).square().sum(1) / 2
    weights = log_weights.softmax(0)
    mean = weights @ points
    return mean, (points - mean).mT @ ((points - mean) * weights[:, None])


@pytest.mark.parametrize("name", ["denoising", "linear", "radius", "product"])
def test_exact_draws_are_those_of_quadrature(name: str) -> None:
    task = make_tasks(2, NOISES)[name]
    y = task.observe(LAW.sample(2, random()), random(1))
    draws = task.exact(LAW, y, 3_000, random(2))
    for seen, drawn in zip(y, draws, strict=True):
        mean, covariance = by_quadrature(seen, name)
        spread = covariance.diagonal().sqrt()
        torch.testing.assert_close(drawn.mean(0) / spread, mean / spread, atol=0.09, rtol=0)
        torch.testing.assert_close(
            drawn.T.cov() / covariance.trace(), covariance / covariance.trace(), atol=0.05, rtol=0
        )


def test_a_missing_coordinate_is_drawn_given_the_others() -> None:
    task = make_tasks(2, NOISES)["missing"]
    x = LAW.sample(300, random())
    y = task.observe(x, random(1))
    draws = task.exact(LAW, y, 63, random(2))
    assert torch.equal(draws[:, :, 1:], y[:, None].expand(-1, 63, -1))
    assert np.isnan(task.rows(y)[:, 0]).all()
    assert kstest((draws[:, :, 0] < x[:, :1]).double().mean(1), "uniform").pvalue > 0.001


def test_coverage_of_exact_draws_is_nominal_around_all_references() -> None:
    task = make_tasks(2, NOISES)["product"]
    y = task.observe(LAW.sample(500, random(3)), random(4))
    draws, truths = (task.exact(LAW, y, count, random(5 + count)).numpy() for count in (64, 3))
    looks = coverage_looks(draws, truths, LAW, 2, 0)
    assert [look.shape for look in looks] == [(500, 6), *[(500, 3)] * 9]
    for look in looks:
        assert kstest(look[:, 0], "uniform").pvalue > 0.001
    mean = draws.mean(1, keepdims=True)
    narrow = coverage_looks(mean + 0.6 * (draws - mean), truths, LAW, 2, 0)
    assert kstest(narrow[1][:, 0], "uniform").pvalue < 1e-4
    assert energy_scores(draws, truths).mean() < energy_scores(0 * draws + mean, truths).mean()


def test_guidance_without_strength_draws_from_the_prior() -> None:
    flow = gaussian_flow()
    drawn = guide(flow, lambda x: x.square().sum(-1), 40, draws=100, strength=0.0, steps=300).flatten(0, 1)
    torch.testing.assert_close(drawn.T.cov(), torch.from_numpy(COVARIANCE), atol=0.08, rtol=0)
    assert drawn.mean(0).abs().max() < 0.06


def test_guidance_pulls_towards_the_observation_and_is_no_posterior() -> None:
    flow = gaussian_flow()
    y = torch.tensor([[1.0, -1.0, 0.5]], dtype=torch.float64)

    def misfit(x: torch.Tensor) -> torch.Tensor:
        return ((x - y[:, None]) / 0.5).square().sum(-1)

    levels = [
        float(misfit(guide(flow, misfit, 1, draws=500, strength=strength, steps=60)).mean())
        for strength in (0.0, 0.01, 0.03)
    ]
    assert levels[0] > levels[1] > levels[2]
    # In no strength are mean and spread both those of the posterior, which is Gaussian.
    prior, noise = torch.from_numpy(COVARIANCE), 0.25 * torch.eye(3, dtype=torch.float64)
    gain = prior @ torch.linalg.inv(prior + noise)
    mean, variance = (gain @ y[0]), (prior - gain @ prior).diagonal()
    for strength in (0.003, 0.01, 0.03, 0.1):
        drawn = guide(flow, misfit, 1, draws=1_000, strength=strength, steps=60)[0]
        off = ((drawn.mean(0) - mean) / variance.sqrt()).abs().max()
        wide = (drawn.var(0) / variance).log().abs().max()
        assert max(float(off), float(wide)) > 0.25


def test_guidance_is_refused_where_noise_would_have_to_be_taken_away() -> None:
    flow = gaussian_flow()
    flow.denoiser.schedule = make_schedule(
        flow.basis.eigenvalues, kept_dims=2, gap="constant", inflation_gap=1.5, signal_left=1e-2
    )
    with pytest.raises(ScheduleError, match="widen"):
        guide(flow, lambda x: x.square().sum(-1), 1, draws=2, strength=0.1)


@pytest.fixture(scope="module")
def measured() -> dict[str, pd.DataFrame]:
    """All methods under the exact flow of a mixture, exact draws in the place of `infer`."""
    flow, _ = mixture_flow(PRP)
    means = flow.basis.from_eigen(flow.denoiser.means)
    mixture = (means.numpy(), np.full(5, 0.2), 0.05 * np.eye(2))
    denoiser = exact_denoiser(flow.schedule, flow.basis, *mixture)
    law = denoiser.law(flow.schedule.t_min).mapped(flow.basis.vectors, flow.basis.mean)

    def infer(flow: Any, rows: np.ndarray, *, chains: int, draws: int, seed: int, **given: Any) -> Posterior:
        operator = given.get("operator")
        seen = torch.from_numpy(rows)
        name = "missing" if not given else "denoising" if operator is None else "linear"
        name = operator.__name__ if callable(operator) else name
        y = seen[:, 1:] if name == "missing" else seen
        drawn = make_tasks(2, NOISES)[name].exact(law, y, chains * draws, random(seed % 1000))
        # Two do not converge.
        lost = np.arange(len(rows)) < 2
        x = drawn.view(len(rows), chains, draws, 2).numpy()
        return as_posterior(x, x, np.where(lost, 2.0, 1.0), ess=100.0)

    patch = pytest.MonkeyPatch()
    patch.setattr(module, "infer", infer)
    patch.setattr(tasks, "_POOL", 4_000)
    made = measure(
        flow,
        mixture=mixture,
        noise_stds=NOISES,
        **{"observations": 60, "truths": 5, "draws": 64, "compared": 4, "references": 2, "levels": [0.2, 0.5, 0.8]},
        **{"strengths": [0.01, 0.1], "tuning": 20, "steps": 20, "seed": 0},
    )
    patch.undo()
    return {name: pd.DataFrame(rows) for name, rows in made.tables.items()}


def test_exact_posteriors_are_told_from_guidance(measured: dict[str, pd.DataFrame]) -> None:
    scores = measured["posterior_tasks"].set_index(["task", "method"])
    assert set(scores.index) == {(task, method) for task in TASKS for method in METHODS}
    by_method = scores.groupby("method")
    assert by_method["p_value"].min()["infer"] > 1e-3
    assert by_method["p_value"].min()["guidance"] < 1e-6
    assert by_method["c2st"].mean()["infer"] == pytest.approx(0.5, abs=0.06)
    assert by_method["c2st"].max()["guidance"] > 0.6
    assert (scores.loc[scores.index.get_level_values(1) == "infer", "unconverged"] == 2).all()
    energy = scores["energy_score"].unstack()
    assert (energy["infer"] < energy["guidance"] + 0.01).all()


def test_figure_has_a_panel_for_each_task(measured: dict[str, pd.DataFrame]) -> None:
    keys = {"dataset": "circles", "schedule": "PRP", "seed": 0}
    figure = draw_posterior_tasks(Material(tables={name: table.assign(**keys) for name, table in measured.items()}))
    assert [axis.get_title() for axis in figure.axes] == list(TASKS.values())
    assert all(len(axis.lines) == 1 + len(METHODS) == len(axis.texts) + 1 for axis in figure.axes)


@pytest.mark.parametrize(
    ("flows", "message"),
    [
        ({"digits": ["prp"]}, "toys of 2 to 3 dimensions"),
        ({"circles": ["prr1"]}, "without kept_dims"),
        ({"circles": ["prr2"]}, "schedules of circles"),
    ],
)
def test_only_toys_with_all_dimensions_kept_are_asked_for(flows: dict[str, list[str]], message: str) -> None:
    base = read_yaml(REPOSITORY / "config.yaml")
    with pytest.raises(ConfigError, match=message):
        load_config(changed(base, experiments__posterior_tasks__flows=flows))
