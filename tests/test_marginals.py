"""Three descriptions of the same marginals: each against the closed form, and against what sets it apart."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from matplotlib.collections import LineCollection
from scipy.integrate import quad
from scipy.stats import wasserstein_distance

from inflationary_flows.config import load_config
from inflationary_flows.errors import ConfigError, ScheduleError
from inflationary_flows.experiments.marginals.figure import draw_fig01
from inflationary_flows.experiments.marginals.measure import (
    FOKKER_PLANCK,
    MARGINALS_COLUMNS,
    PFODE,
    SDE,
    follow_pfode,
    follow_sde,
    make_line_flow,
    record_marginals,
)
from inflationary_flows.mathematics.denoisers import MixtureDenoiser
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.fokker_planck import Cells, solve_fokker_planck
from inflationary_flows.mathematics.line_mixture import LineMixture, LineMixtureDenoiser
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.mathematics.sde import euler_maruyama
from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.style import save_figure
from oracles import PRR_GAP
from repository import SMOKE

MIXTURE = LineMixture.of([-1.0, 0.4, 1.5], [0.15, 0.1, 0.3], [0.3, 0.25, 0.45])
KERNELS = ("floor", "proportional")
SMALL = {"paths": 12, "samples": 3_000, "times": 41, "checks": 3, "cells": 200}
# A perfect sampler is beyond these bounds once in a million runs, whatever the law (Dvoretzky, Kiefer and Wolfowitz).
CHANCE = 1e-6


def exact_flow(kernel: str) -> Flow:
    return make_line_flow(
        MIXTURE, kernel=kernel, gamma0=1e-3, signal_left=1e-2, solver="adams_bashforth6", solver_steps=240
    )


def clock_times(flow: Flow, number: int) -> list[float]:
    times = flow.schedule.time_at(torch.linspace(0, 1, number, dtype=torch.float64)).tolist()
    return [flow.schedule.t_min, *times[1:-1], flow.schedule.t_max]


def first_points(flow: Flow, n: int, seed: int = 0) -> np.ndarray:
    """Draws of the first marginal, data units."""
    schedule = flow.schedule
    return MIXTURE.mean + MIXTURE.at(schedule, schedule.t_min).sample(n, seed) / float(schedule.scale(schedule.t_min))


def largest_gap(points: np.ndarray, marginal: LineMixture) -> float:
    """sup |F_n - F|."""
    exact = marginal.cdf(np.sort(points))
    n = len(points)
    return float(np.maximum(np.arange(1, n + 1) / n - exact, exact - np.arange(n) / n).max())


@pytest.fixture(params=KERNELS)
def flow(request: pytest.FixtureRequest) -> Flow:
    return exact_flow(request.param)


class TestMixturesOnTheLineHaveClosedForms:
    def test_quantiles_invert_the_distribution_function(self):
        levels = np.concatenate([[1e-9], np.linspace(0.01, 0.99, 99), [1 - 1e-9]])
        assert np.allclose(MIXTURE.cdf(MIXTURE.quantile(levels)), levels, rtol=1e-12, atol=0)

    def test_moments_and_density_agree(self):
        def moment(order: int) -> float:
            return quad(lambda x: x**order * float(MIXTURE.density(np.array(x))), -4, 6, limit=400)[0]

        moments = [moment(order) for order in range(3)]
        assert moments == pytest.approx([1, MIXTURE.mean, MIXTURE.variance + MIXTURE.mean**2], rel=1e-7)

    def test_marginals_keep_the_variance_of_the_schedule(self, flow):
        schedule = flow.schedule
        for t in clock_times(flow, 5):
            assert MIXTURE.at(schedule, t).variance == pytest.approx(float(schedule.scaled_covariance(t)), rel=1e-12)

    def test_the_denoiser_of_equal_widths_is_that_of_a_common_covariance(self):
        mixture = LineMixture.of([-1.0, 0.5], [0.2, 0.2], [0.4, 0.6])
        schedule = make_schedule([mixture.variance], signal_left=1e-3)
        around = mixture.centred()
        means, weights = torch.from_numpy(around.means)[:, None], torch.from_numpy(around.weights)
        other = MixtureDenoiser(schedule, means, weights, torch.full((1, 1), 0.2, dtype=torch.float64) ** 2)
        y = torch.linspace(-3, 3, 61, dtype=torch.float64)[:, None]
        for t in (0.0, 3.0, schedule.t_max):
            assert torch.allclose(LineMixtureDenoiser(schedule, mixture).raw(y, t), other.raw(y, t), atol=1e-9)

    def test_the_denoiser_is_the_posterior_mean(self, flow):
        schedule, around = flow.schedule, MIXTURE.centred()
        grid = np.linspace(-5, 5, 40_001)
        u = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
        for t in (float(schedule.time_at(0.4)), float(schedule.time_at(0.7))):
            likelihood = np.exp(-((u.numpy() - grid) ** 2) / (2 * float(schedule.gamma(t))))
            posterior = likelihood * around.density(grid)
            mean = (posterior * grid).sum(1) / posterior.sum(1)
            assert flow.denoiser(u, t)[:, 0].numpy() == pytest.approx(mean, abs=1e-9)

    def test_times_of_single_points_are_taken_one_by_one(self, flow):
        y, t = torch.tensor([[-0.5], [1.0]]).double(), flow.schedule.time_at(torch.tensor([0.3, 0.8]))
        each = [flow.denoiser.raw(y[k : k + 1], float(t[k])) for k in range(2)]
        assert torch.allclose(flow.denoiser.raw(y, t), torch.cat(each), rtol=1e-12)

    def test_the_distance_of_points_is_that_of_their_sorted_quantiles(self):
        points = np.random.default_rng(1).normal(0.2, 1.5, 300)
        fine = MIXTURE.quantile((np.arange(200_000) + 0.5) / 200_000)
        assert MIXTURE.distance(points) == pytest.approx(wasserstein_distance(points, fine), rel=1e-4)

    @pytest.mark.parametrize("n", [1, 7, 200])
    def test_the_expected_distance_is_the_mean_over_many_draws(self, n):
        distances = [MIXTURE.distance(MIXTURE.sample(n, seed)) for seed in range(400)]
        error = np.std(distances) / math.sqrt(len(distances))
        assert MIXTURE.expected_distance(n) == pytest.approx(np.mean(distances), abs=4 * error)


class TestTheFokkerPlanckEquation:
    def evolved(self, flow: Flow, cells: int, steps: int) -> tuple[Cells, np.ndarray, list[float]]:
        grid, times = Cells(6.5, cells), clock_times(flow, 9)
        masses = np.diff(MIXTURE.at(flow.schedule, times[0]).cdf(grid.faces))
        return grid, np.array(list(solve_fokker_planck(flow.schedule, grid, masses, times, steps=steps))), times

    def test_mass_is_kept_and_never_negative(self, flow):
        _, masses, _ = self.evolved(flow, 400, 40)
        assert masses.sum(1) == pytest.approx(np.full(9, masses[0].sum()), rel=1e-13)
        assert masses.min() > -1e-14

    def test_nothing_passes_the_outer_faces(self, flow):
        grid, times = Cells(0.5, 30), clock_times(flow, 5)
        masses = np.zeros(30)
        masses[-1] = 1.0
        for later in solve_fokker_planck(flow.schedule, grid, masses, times, steps=50):
            assert later.sum() == pytest.approx(1, rel=1e-13)

    def test_it_converges_at_second_order_to_the_closed_form(self, flow):
        errors = []
        for refinement in (1, 2, 4):
            grid, masses, times = self.evolved(flow, 200 * refinement, 20 * refinement)
            later = [(MIXTURE.at(flow.schedule, times[k]), masses[k]) for k in range(1, len(times))]
            errors.append([marginal.distance_of_cells(grid.faces, mass) for marginal, mass in later])
        largest = np.max(errors, axis=1)
        assert largest[-1] < 2e-4
        assert np.log2(largest[:-1] / largest[1:]) == pytest.approx([2, 2], abs=0.25)

    def test_the_gaussian_of_equilibrium_stays_at_rest(self, flow):
        grid = Cells(6.0 * math.sqrt(float(flow.schedule.latent_covariance)), 80)
        masses = np.exp(-(grid.centres**2) / (2 * float(flow.schedule.latent_covariance)))
        for later in solve_fokker_planck(flow.schedule, grid, masses, clock_times(flow, 5), steps=3):
            assert np.allclose(later, masses, rtol=0, atol=1e-13)

    def test_more_dimensions_are_refused(self):
        schedule = make_schedule([1.0, 0.5], signal_left=1e-2)
        with pytest.raises(ScheduleError, match="expected one dimension, got 2"):
            list(solve_fokker_planck(schedule, Cells(6.0, 10), np.ones(10), [0.0, 1.0], steps=1))


class TestTheForwardSde:
    def test_its_samples_agree_with_the_closed_form(self, flow):
        n, times = 10_000, clock_times(flow, 121)
        paths = follow_sde(flow, first_points(flow, n), times, steps=8, seed=3, kept=[0, 40, 60, 80, 120])
        bound = math.sqrt(math.log(2 / CHANCE) / (2 * n))
        for points, place in zip(paths, [0, 40, 60, 80, 120], strict=True):
            marginal = MIXTURE.at(flow.schedule, times[place])
            assert largest_gap(points, marginal) < bound
            assert marginal.distance(points) < 3 * marginal.expected_distance(n)

    def test_paths_of_equal_noise_approach_each_other_at_first_order_as_the_scale_falls(self, flow):
        schedule, times = flow.schedule, clock_times(flow, 11)
        exact = float(schedule.scale(times[-1]) / schedule.scale(times[0]))
        errors = []
        for steps in (8, 16, 32):
            # The same row twice would have other noise: one path from each place, alone.
            ends = [
                list(euler_maruyama(schedule, torch.tensor([[x]]), times, steps=steps, seed=0))[-1] for x in (-1.0, 1.0)
            ]
            errors.append(abs(float(ends[1] - ends[0]) / 2 / exact - 1))
        assert np.log2(np.array(errors[:-1]) / errors[1:]) == pytest.approx([1, 1], abs=0.15)

    def test_fewer_paths_are_the_first_ones_of_more(self, flow):
        x, times = first_points(flow, 20), clock_times(flow, 5)
        many, few = (follow_sde(flow, x[:n], times, steps=2, seed=5) for n in (20, 7))
        assert np.array_equal(many[:, :7], few)

    def test_there_is_none_where_a_kernel_narrows(self):
        schedule = make_schedule([1.0, 0.5], **PRR_GAP)
        with pytest.raises(ScheduleError, match="expected kernels that widen"):
            list(euler_maruyama(schedule, torch.zeros(1, 2), [0.0, 1.0], steps=1, seed=0))


class TestTheProbabilityFlowOde:
    def test_its_samples_agree_with_the_closed_form(self, flow):
        n, times = 10_000, clock_times(flow, 5)
        bound = math.sqrt(math.log(2 / CHANCE) / (2 * n))
        for t, points in zip(times, follow_pfode(flow, first_points(flow, n), times), strict=True):
            marginal = MIXTURE.at(flow.schedule, t)
            assert largest_gap(points, marginal) < bound
            assert marginal.distance(points) < 3 * marginal.expected_distance(n)

    def test_lines_never_cross_and_each_carries_its_quantile(self, flow):
        times, levels = clock_times(flow, 101), np.linspace(0.002, 0.998, 101)
        schedule = flow.schedule
        first = MIXTURE.at(schedule, times[0]).quantile(levels)
        lines = follow_pfode(flow, MIXTURE.mean + first / float(schedule.scale(times[0])), times)
        assert (np.diff(lines, axis=1) > 0).all()
        for t, points in zip(times, lines, strict=True):
            assert np.abs(MIXTURE.at(schedule, t).cdf(points) - levels).max() < 1e-6

    def test_paths_of_the_sde_from_the_same_points_do_cross(self, flow):
        times = clock_times(flow, 41)
        x = np.sort(first_points(flow, 20))
        assert (np.diff(follow_sde(flow, x, times, steps=2, seed=0), axis=1) < 0).any()


@pytest.fixture(scope="module")
def traced() -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    arrays, rows = record_marginals(means=[-1.0, 0.4, 1.5], stds=[0.15, 0.1, 0.3], weights=[0.3, 0.25, 0.45], **SMALL)
    return arrays, pd.DataFrame(rows)


class TestTheTable:
    def test_each_description_has_a_row_for_each_checked_time(self, traced):
        _, table = traced
        assert tuple(table.columns) == MARGINALS_COLUMNS
        assert table.groupby("description", sort=False).size().to_dict() == {SDE: 3, FOKKER_PLANCK: 3, PFODE: 3}
        assert table["t_fraction"].tolist() == pytest.approx([0, 0.5, 1] * 3)

    def test_descriptions_are_as_near_the_closed_form_as_they_can_be(self, traced):
        _, table = traced
        by = {name: rows for name, rows in table.groupby("description")}
        assert (by[FOKKER_PLANCK]["distance"] < 1e-3).all()
        assert (by[FOKKER_PLANCK]["reference"] == 0).all()
        for name in (SDE, PFODE):
            assert (by[name]["distance"] < 3 * by[name]["reference"]).all()
        # Both carry the same points.
        assert by[SDE]["distance"].iloc[0] == pytest.approx(by[PFODE]["distance"].iloc[0], rel=1e-9)

    def test_a_wrong_score_is_seen(self):
        # The score of wider components.
        wrong = LineMixture(MIXTURE.means, MIXTURE.stds * 1.5, MIXTURE.weights)
        flow = make_line_flow(
            wrong, kernel="floor", gamma0=1e-3, signal_left=1e-2, solver="adams_bashforth6", solver_steps=60
        )
        points = follow_pfode(flow, first_points(exact_flow("floor"), 3_000), [flow.schedule.t_max])[0]
        marginal = MIXTURE.at(flow.schedule, flow.schedule.t_max)
        assert marginal.distance(points) > 3 * marginal.expected_distance(3_000)


@pytest.fixture
def restored_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_same_seed_gives_the_same_numbers_with_any_number_of_threads(restored_threads: None) -> None:
    # More points than torch leaves to a single thread.
    settings: dict[str, Any] = {"paths": 5, "samples": 40_000, "times": 4, "checks": 2, "solver_steps": 8}
    results = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        results.append(record_marginals(means=[-1.0, 1.0], stds=[0.2, 0.3], weights=[0.5, 0.5], seed=4, **settings))
    (first, rows), (second, other_rows) = results
    assert rows == other_rows
    assert all(np.array_equal(first[name], second[name]) for name in first)
    other, _ = record_marginals(means=[-1.0, 1.0], stds=[0.2, 0.3], weights=[0.5, 0.5], seed=5, **settings)
    assert not np.array_equal(other["sde_paths"], first["sde_paths"])
    assert np.array_equal(other["density"], first["density"])


class TestTheFigure:
    def test_it_shows_paths_lines_and_the_numbers_of_the_table(self, traced):
        arrays, table = traced
        axes = draw_fig01(Material(arrays={"marginals": [arrays]}, tables={"marginals": table})).axes
        lines = [sum(len(c.get_segments()) for c in axis.collections if isinstance(c, LineCollection)) for axis in axes]
        thick = len(np.unique(arrays["components"]))
        # Every second path of the SDE, every line of the pfODE, and one of each component again.
        assert [number for number in lines if number] == [6 + thick, 12 + thick]
        shown = [axis.lines[0].get_ydata() for axis in axes if axis.get_xlabel()]
        for values, name in zip(shown, (SDE, FOKKER_PLANCK, PFODE), strict=True):
            rows = table[(table["description"] == name) & (table["t_fraction"] > 0)]
            assert np.array_equal(values, rows["distance"])

    def test_its_files_are_equal_from_run_to_run(self, traced, tmp_path):
        arrays, table = traced
        for name in ("a", "b"):
            save_figure(
                draw_fig01(Material(arrays={"marginals": [arrays]}, tables={"marginals": table})),
                tmp_path / f"{name}.pdf",
                tmp_path / f"{name}.png",
            )
        for kind in ("pdf", "png"):
            assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weights": [0.5, 0.25, 0.15]}, "weights: expected weights that add up to 1, got 0.9"),
        ({"means": [0.0, 1.0]}, "means: expected 3 numbers, one for each of the weights, got 2"),
        ({"times": 5, "checks": 9}, "checks: expected at most times"),
        ({"signal_left": 1.5}, "signal_left: expected"),
    ],
)
def test_contradictions_are_told(settings: dict[str, Any], message: str) -> None:
    content = yaml.safe_load(SMOKE.read_text())
    with pytest.raises(ConfigError, match=f"experiments.marginals.{message}"):
        load_config(content, {"experiments": {"marginals": settings}})
