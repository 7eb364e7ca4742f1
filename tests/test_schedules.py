"""Schedules against the formulas they are named after, evaluated independently in numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inflationary_flows.errors import ScheduleError
from inflationary_flows.mathematics.eigenbasis import participation_ratio
from inflationary_flows.mathematics.schedules import Schedule, make_schedule
from oracles import SCHEDULES

XI = np.array([1.7, 0.8, 0.3, 0.05])


def fraction_times(schedule: Schedule, n: int = 7) -> np.ndarray:
    return np.linspace(schedule.t_min, schedule.t_max, n)


@pytest.mark.parametrize("kept", [None, 1, 3])
@pytest.mark.parametrize("gap", ["orig", "constant"])
def test_floor_kernel_follows_its_formula(kept, gap):
    schedule = make_schedule(XI, kept_dims=kept, gap=gap, inflation_gap=1.02, rho=1.3, gamma0=5e-4, t_max=9.0)
    d = 4 if kept is None else kept
    rest = -d / (4 - d) if gap == "orig" and d < 4 else -1.02
    g = np.array([0.0] * 4 if kept is None else [1.0] * d + [rest] * (4 - d))
    for t in fraction_times(schedule):
        gamma = 5e-4 * np.exp(1.3 * (1 + g) * t)
        scale = 1 / np.sqrt(XI.max() + gamma.max() if kept is not None else XI.max() + gamma[0])
        np.testing.assert_allclose(schedule.gamma(t).numpy(), gamma, rtol=1e-12)
        np.testing.assert_allclose(schedule.scale(t).numpy(), [scale], rtol=1e-12)
        np.testing.assert_allclose(schedule.scaled_covariance(t).numpy(), scale**2 * (XI + gamma), rtol=1e-12)
    end = 5e-4 * np.exp(1.3 * (1 + g) * 9.0)
    expected = (XI + end) / (XI.max() + end[0])
    np.testing.assert_allclose(schedule.latent_covariance.numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("kept", [None, 2])
def test_proportional_kernel_follows_its_formula(kept):
    schedule = make_schedule(
        XI,
        kernel="proportional",
        kept_dims=kept,
        gap="constant",
        inflation_gap=0.6,
        rho=0.7,
        t_min=1e-3,
        t_max=6.0,
    )
    e = np.ones(4) if kept is None else np.array([2.0, 2.0, 0.4, 0.4])
    for t in fraction_times(schedule):
        np.testing.assert_allclose(schedule.gamma(t).numpy(), XI * (np.exp(0.7 * e * t) - 1), rtol=1e-11)
        np.testing.assert_allclose(schedule.scale(t).numpy(), np.exp(-0.7 * e[0] * t / 2), rtol=1e-12)


def test_proportional_prp_keeps_the_participation_ratio():
    schedule = make_schedule(XI, kernel="proportional", signal_left=1e-4)
    for t in fraction_times(schedule, 50):
        assert schedule.participation_ratio_at(t) == pytest.approx(participation_ratio(XI), rel=1e-10)


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_proportional_prr_ends_at_the_participation_ratio_of_the_kept_spectrum(kept):
    truncated = XI[:kept].sum() ** 2 / (XI[:kept] ** 2).sum()
    gaps = []
    for t_max in (5.0, 10.0, 20.0):
        schedule = make_schedule(XI, kernel="proportional", kept_dims=kept, t_max=t_max)
        gaps.append(abs(schedule.participation_ratio_at(t_max) - truncated))
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 1e-6


def test_floor_prp_ends_isotropic_and_does_not_keep_the_participation_ratio():
    schedule = make_schedule(XI, signal_left=1e-5)
    assert schedule.participation_ratio_at(0.0) == pytest.approx(participation_ratio(XI), rel=1e-2)
    assert schedule.participation_ratio_at(schedule.t_max) == pytest.approx(4.0, rel=1e-4)


def test_inflation_gap_is_the_exponent_of_the_scale_ratio():
    schedule = make_schedule(XI, kernel="proportional", kept_dims=2, gap="constant", inflation_gap=0.5, t_max=12.0)
    kept, rest = schedule.exponents[0], schedule.exponents[-1]
    variance = schedule.scaled_covariance(12.0) / schedule.eigenvalues
    assert float(variance[0] / variance[-1]) == pytest.approx(math.exp((kept - rest) * 12.0), rel=1e-12)


@pytest.mark.parametrize("settings", SCHEDULES.values(), ids=SCHEDULES)
class TestEverySchedule:
    def schedule(self, settings) -> Schedule:
        return make_schedule(XI, **settings)

    def test_ends_where_the_asked_signal_is_left(self, settings):
        assert self.schedule(settings).signal_left == pytest.approx(1e-3, rel=1e-9)

    def test_rates_are_the_derivatives_of_log_kernel_scale_and_angle(self, settings):
        schedule = self.schedule(settings)
        h = 1e-5
        for t in fraction_times(schedule)[1:-1]:

            def slope(f, t=t):
                return (f(t + h) - f(t - h)) / (2 * h)

            torch.testing.assert_close(schedule.log_gamma_rate(t), slope(schedule.log_gamma), rtol=1e-6, atol=1e-8)
            torch.testing.assert_close(schedule.angle_rate(t), slope(schedule.angle), rtol=1e-5, atol=1e-8)
            torch.testing.assert_close(
                schedule.log_scale_rate(t), slope(lambda t: schedule.scale(t).log()), rtol=1e-6, atol=1e-8
            )

    def test_clock_runs_from_zero_to_one_and_inverts(self, settings):
        schedule = self.schedule(settings)
        clock = torch.linspace(0, 1, 33, dtype=torch.float64)
        times = schedule.time_at(clock)
        assert float(times[0]) == pytest.approx(schedule.t_min, abs=1e-12)
        assert float(times[-1]) == pytest.approx(schedule.t_max, rel=1e-12)
        torch.testing.assert_close(schedule.clock(times), clock, rtol=0, atol=1e-12)

    def test_preconditioning_identities(self, settings):
        schedule = self.schedule(settings)
        xi = schedule.eigenvalues
        for t in fraction_times(schedule):
            gamma = schedule.gamma(t)
            c_in, c_skip, c_out = schedule.c_in(t), schedule.c_skip(t), schedule.c_out(t)
            # The network's input has unit variance.
            torch.testing.assert_close(c_in**2 * (xi + gamma), torch.ones(4, dtype=torch.float64))
            # The target (u_0 - c_skip u) / c_out has unit variance ...
            spread = (1 - c_skip) ** 2 * xi + c_skip**2 * gamma
            torch.testing.assert_close(c_out**2, spread, rtol=1e-9, atol=0)
            # ... and is uncorrelated with the input: the linear part is all in c_skip.
            torch.testing.assert_close((1 - c_skip) * xi, c_skip * gamma, rtol=1e-9, atol=1e-15)
            torch.testing.assert_close(torch.cos(schedule.angle(t)) ** 2, c_skip)

    def test_takes_a_batch_of_times(self, settings):
        schedule = self.schedule(settings)
        times = torch.from_numpy(fraction_times(schedule))
        for method in (schedule.gamma, schedule.scale, schedule.angle_rate, schedule.c_out):
            torch.testing.assert_close(method(times), torch.stack([method(float(t)) for t in times]))


def test_nothing_overflows_at_kernels_near_exp_60():
    schedule = make_schedule(np.array([1.0, 0.1, 1e-3]), kept_dims=2, rho=2.0, t_max=15.01)
    t = schedule.t_max
    assert float(schedule.log_gamma(t)[0]) > 50
    for values in (schedule.c_in(t), schedule.c_skip(t), schedule.c_out(t), schedule.angle_rate(t)):
        assert bool(torch.isfinite(values).all())
    assert float(schedule.c_out(t)[0]) == pytest.approx(1.0)


def test_null_directions_take_part_without_infinities():
    schedule = make_schedule(np.array([1.0, 0.5, 0.0]), signal_left=1e-3)
    for t in fraction_times(schedule):
        assert bool(torch.isfinite(schedule.log_noise_ratio(t)).all())
        assert bool((schedule.c_out(t) > 0).all())


@given(
    st.lists(st.floats(1e-6, 1e3), min_size=2, max_size=12),
    st.sampled_from(list(SCHEDULES)),
    st.floats(0, 1),
)
def test_angles_grow_from_data_to_noise(spectrum, name, fraction):
    schedule = make_schedule(np.sort(spectrum)[::-1].copy(), **SCHEDULES[name])
    t = schedule.t_min + fraction * (schedule.t_max - schedule.t_min)
    angle = schedule.angle(t)
    assert bool(((angle >= 0) & (angle <= math.pi / 2 + 1e-12)).all())
    kept = schedule.angle_rate(t)[: schedule.kept_dims]
    assert bool((kept > 0).all())
    assert 1 <= schedule.participation_ratio_at(t) <= len(spectrum) + 1e-9


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"kept_dims": 4, "signal_left": 1e-3}, "kept_dims"),
        ({"kept_dims": 0, "signal_left": 1e-3}, "kept_dims"),
        ({"rho": -1.0, "signal_left": 1e-3}, "rho"),
        ({"gamma0": 0.0, "signal_left": 1e-3}, "gamma0"),
        ({}, "t_max"),
        ({"t_max": 1.0, "signal_left": 1e-3}, "t_max"),
        ({"t_max": -1.0}, "t_max"),
        ({"signal_left": 1e9}, "t_max"),
        ({"kernel": "proportional", "kept_dims": 2, "gap": "constant", "inflation_gap": 1.2, "t_max": 1.0}, "gap"),
        ({"kept_dims": 2, "gap": "constant", "t_max": 1.0}, "inflation_gap"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, word):
    with pytest.raises(ScheduleError, match=word):
        make_schedule(XI, **settings)
