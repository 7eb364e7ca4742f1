"""The pfODE and its solvers against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inflationary_flows.mathematics.flow import SOLVERS, Flow, SolverSettings
from inflationary_flows.mathematics.grids import GridSettings, TimeGrid
from inflationary_flows.mathematics.pfode import VelocityField, convert
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.mathematics.solvers import FIXED_STEP, solve
from oracles import SCHEDULES, GaussianCase, mixture_flow

ORDERS = {
    "euler": 1,
    "heun": 2,
    "rk4": 4,
    "rk5": 5,
    "adams_bashforth4": 4,
    "adams_bashforth6": 5.5,
    "euler_scaled": 1,
    "heun_scaled": 2,
}
STEPS = {
    "euler": (100, 200, 400),
    "heun": (50, 100, 200),
    "rk4": (24, 48, 96),
    "rk5": (12, 24, 48),
    "adams_bashforth4": (50, 100, 200),
    "adams_bashforth6": (32, 64, 128),
    "euler_scaled": (400, 800, 1600),
    "heun_scaled": (100, 200, 400),
}
GRIDS = [GridSettings("uniform"), GridSettings("sinh", -1.0, 3.0), GridSettings("time")]


def rms(difference: torch.Tensor) -> float:
    return float(difference.square().mean().sqrt())


def gaussian_points(case: GaussianCase) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    return case.mean + noise * case.variances.sqrt()


def fitted_order(steps: tuple[int, ...], errors: list[float]) -> float:
    return -float(np.polyfit(np.log(steps), np.log(errors), 1)[0])


@pytest.mark.parametrize("kernel", ["floor prp", "floor prr constant gap", "proportional prp"])
@pytest.mark.parametrize("solver", ORDERS)
class TestGaussianDataHasAClosedFormFlow:
    def test_inflation_converges_at_the_order_of_the_solver(self, solver, kernel):
        case = GaussianCase(SCHEDULES[kernel])
        x = gaussian_points(case)
        exact = case.latents(x)
        errors = [rms(case.flow.inflate(x, solver=solver, steps=n) - exact) for n in STEPS[solver]]
        # Linear fields whose bump vanishes at both ends may gain an order, never lose one.
        assert fitted_order(STEPS[solver], errors) > ORDERS[solver] - 0.35

    def test_generation_converges_at_the_order_of_the_solver(self, solver, kernel):
        case = GaussianCase(SCHEDULES[kernel])
        z = case.latents(gaussian_points(case))
        exact = case.data(z)
        errors = [rms(case.flow.generate(z, solver=solver, steps=n) - exact) for n in STEPS[solver]]
        # Linear fields whose bump vanishes at both ends may gain an order, never lose one.
        assert fitted_order(STEPS[solver], errors) > ORDERS[solver] - 0.35


@pytest.mark.parametrize("solver", FIXED_STEP)
@pytest.mark.parametrize("end", [1.0, -1.0])
def test_solvers_have_their_order_on_a_nonlinear_field(solver, end):
    def field(y: torch.Tensor, s: float) -> torch.Tensor:
        return torch.cos(2 * y) * np.exp(s) + np.sin(3 * s)

    y = torch.linspace(-1, 1, 5, dtype=torch.float64)
    reference, _ = solve(field, y, 0.0, end, solver=FIXED_STEP["rk5"], steps=1000)
    steps = (40, 80, 160)
    errors = [rms(solve(field, y, 0.0, end, solver=FIXED_STEP[solver], steps=n)[0] - reference) for n in steps]
    order = FIXED_STEP[solver].order
    # Longer multistep formulae are better than their start, whose order is the formal one.
    assert order - 0.35 < fitted_order(steps, errors) < order + (1.3 if "adams" in solver else 0.35)


def test_every_solver_is_among_the_tests():
    assert set(ORDERS) | {"dopri5"} == set(SOLVERS)


@pytest.mark.parametrize("tolerance", [1e-4, 1e-6, 1e-8])
def test_adaptive_solver_keeps_its_tolerance(tolerance):
    case = GaussianCase(SCHEDULES["floor prp"])
    x = gaussian_points(case)
    flow = Flow(case.flow.denoiser, case.flow.basis, solver=SolverSettings("dopri5", tolerance=tolerance))
    assert rms(flow.inflate(x) - case.latents(x)) < 30 * tolerance


@pytest.mark.parametrize("settings", SCHEDULES.values(), ids=SCHEDULES)
def test_gaussian_data_of_the_schedules_own_variances_stand_still_in_whitened_coordinates(settings):
    case = GaussianCase(settings)
    flow = mixture_flow(settings)[0]
    flow.denoiser.means = torch.zeros(1, 2, dtype=torch.float64)
    flow.denoiser.covariance = torch.diag(flow.schedule.eigenvalues)
    y = torch.randn(9, 2, dtype=torch.float64)
    field = VelocityField(flow.denoiser, TimeGrid(flow.schedule, GridSettings()))
    assert float(field(y, 0.4).abs().max()) < 1e-9
    assert case.schedule.dimension == 3


@pytest.mark.parametrize("settings", SCHEDULES.values(), ids=SCHEDULES)
class TestCoordinates:
    def test_one_liners_convert_there_and_back(self, settings):
        schedule = make_schedule(np.array([1.3, 0.4]), **settings)
        y = torch.randn(6, 2, dtype=torch.float64)
        t = 0.6 * schedule.t_max
        u = convert(y, schedule, t, "whitened", "unscaled")
        torch.testing.assert_close(u, y * (schedule.eigenvalues + schedule.gamma(t)).sqrt())
        x = convert(u, schedule, t, "unscaled", "scaled")
        torch.testing.assert_close(x, schedule.scale(t) * u)
        torch.testing.assert_close(convert(x, schedule, t, "scaled", "whitened"), y)

    @pytest.mark.parametrize("coordinates", ["unscaled", "scaled"])
    def test_one_vector_field_in_all_of_them(self, settings, coordinates):
        """d/ds of a converted curve is the converted field plus the motion of the coordinates themselves."""
        flow, x = mixture_flow(settings)
        schedule = flow.schedule
        grid = TimeGrid(schedule, GridSettings("sinh"))
        y = flow.whiten_data(torch.from_numpy(x[:8]))
        s, h = 0.45, 1e-5
        t = grid.time(s)
        points = convert(y, schedule, t, "whitened", coordinates)
        velocity = VelocityField(flow.denoiser, grid, coordinates)(points, s)
        slope = VelocityField(flow.denoiser, grid)(y, s)
        ahead = convert(y + h * slope, schedule, grid.time(s + h), "whitened", coordinates)
        behind = convert(y - h * slope, schedule, grid.time(s - h), "whitened", coordinates)
        torch.testing.assert_close(velocity, (ahead - behind) / (2 * h), rtol=1e-5, atol=1e-7)

    def test_scaled_euler_and_whitened_rk4_follow_the_same_curves(self, settings):
        flow, x = mixture_flow(settings)
        fine = flow.inflate(x[:20], solver="rk4", steps=200)
        coarse = [flow.inflate(x[:20], solver="euler_scaled", steps=n) for n in (1000, 2000)]
        errors = [np.abs(c - fine).max() for c in coarse]
        assert errors[1] < 0.6 * errors[0] < 0.1


@pytest.mark.parametrize("settings", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("grid", GRIDS, ids=lambda g: g.kind)
def test_grids_invert_and_know_their_rate(settings, grid):
    schedule = make_schedule(np.array([1.3, 0.4]), **settings)
    time_grid = TimeGrid(schedule, grid)
    assert time_grid.time(0.0) == pytest.approx(schedule.t_min, abs=1e-10)
    assert time_grid.time(1.0) == pytest.approx(schedule.t_max, rel=1e-10)
    for s in (0.1, 0.37, 0.8):
        t = time_grid.time(s)
        assert time_grid.position(torch.tensor(t, dtype=torch.float64)) == pytest.approx(s, abs=1e-9)
        slope = (time_grid.time(s + 1e-6) - time_grid.time(s - 1e-6)) / 2e-6
        assert time_grid.rate(s) == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("settings", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("grid", GRIDS[:2], ids=lambda g: g.kind)
def test_exact_score_flow_of_a_mixture_round_trips(settings, grid):
    flow, x = mixture_flow(settings, solver=SolverSettings("rk4", 128, grid))
    assert np.abs(flow.round_trip(x[:100]) - x[:100]).max() < 1e-5


@pytest.mark.parametrize(("name", "steps"), [(name, n) for name in FIXED_STEP for n in (1, 2, 3, 9)])
def test_costs_are_what_a_solver_says(name, steps):
    calls = []

    def field(y, s):
        calls.append(s)
        return -y

    y = torch.ones(2, dtype=torch.float64)
    solve(field, y, 0.0, 1.0, solver=FIXED_STEP[name], steps=steps)
    assert len(calls) == FIXED_STEP[name].evaluations(steps)
    assert y.tolist() == [1.0, 1.0]


def test_reading_off_a_trajectory_neither_moves_the_end_nor_misses_the_curve():
    def field(y: torch.Tensor, s: float) -> torch.Tensor:
        return np.cos(3 * s) * y

    y = torch.tensor([1.0], dtype=torch.float64)
    options = {"solver": FIXED_STEP["rk4"], "steps": 40}
    end, _ = solve(field, y, 0.0, 1.0, **options)
    at = [0.0, 0.11, 0.12, 0.5, 0.99, 1.0]
    same_end, seen = solve(field, y, 0.0, 1.0, at=at, **options)
    assert torch.equal(end, same_end)
    for s, value in zip(at, seen, strict=True):
        assert float(value) == pytest.approx(np.exp(np.sin(3 * s) / 3), abs=1e-6)
