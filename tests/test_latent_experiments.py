"""What experiments say of latents: agreement of networks, correlated residuals, uncertainty of examples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from inflationary_flows.errors import DataError
from inflationary_flows.experiments.identifiability.measure import compare_latents, of_other_sample
from inflationary_flows.experiments.propagation.measure import choose_examples, interval_rows, propagate
from inflationary_flows.experiments.residuals import measure as residuals
from inflationary_flows.experiments.residuals.measure import error_growth, residual_correlation
from inflationary_flows.mathematics.denoisers import Denoiser, GaussianDenoiser
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.grids import TimeGrid
from inflationary_flows.mathematics.pfode import whitened_speed
from oracles import PRP, PRR, GaussianCase, mixture_flow


class Shifted(Flow):
    """A flow whose latents are moved by half of their deviation in the first direction."""

    def inflate(self, x, **options):
        z = super().inflate(x, **options)
        z[:, 0] += 0.5 * float(self.schedule.latent_std[0])
        return z


class Turned(Flow):
    """A flow whose whitened latents are turned by 30 degrees."""

    def inflate(self, x, **options):
        std, turn = self.schedule.latent_std.numpy(), np.radians(30)
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        return np.asarray(super().inflate(x, **options)) / std @ rotation * std


class TestIdentifiability:
    def test_flows_of_the_same_score_agree_and_a_shift_is_reported_as_it_is(self) -> None:
        flow, x = mixture_flow(PRP)
        same, shifted = Flow(flow.denoiser, flow.basis), Shifted(flow.denoiser, flow.basis)
        members = {"seed0": flow, "seed1": same, "seed0-narrow": shifted}
        rows = {(row["member_a"], row["member_b"]): row for row in compare_latents(members, x[:40], seed=0)}
        assert rows["seed0", "seed1"]["rms_latent_difference"] == 0
        for pair in (("seed0", "seed0-narrow"), ("seed1", "seed0-narrow")):
            # One of two coordinates differs by a half: the root mean square over both is half / sqrt 2.
            assert rows[pair]["rms_latent_difference"] == pytest.approx(0.5 / np.sqrt(2))
            assert rows[pair]["median_difference"] == pytest.approx(0.5)
            assert rows[pair]["q99_difference"] == pytest.approx(0.5)
            assert rows[pair]["n"] == 40

    def test_pairs_are_told_apart_by_what_differs(self) -> None:
        flow, x = mixture_flow(PRP)
        names = ["seed0", "seed1", "seed0-narrow", "exact"]
        rows = compare_latents(dict.fromkeys(names, flow), x[:5], seed=0)
        kinds = {(row["member_a"], row["member_b"]): row["kind"] for row in rows}
        assert len(kinds) == 6
        assert kinds["seed0", "seed1"] == "seed"
        assert kinds["seed0", "seed0-narrow"] == kinds["seed1", "seed0-narrow"] == "architecture"
        assert {kind for pair, kind in kinds.items() if "exact" in pair} == {"exact"}

    def test_a_turned_flow_differs_until_it_is_turned_back(self) -> None:
        flow, x = mixture_flow(PRR)
        turn = np.radians(30)
        turned = Turned(flow.denoiser, flow.basis)
        (row,) = compare_latents({"exact": flow, "sample0": turned}, x[:200], seed=0)
        assert row["kind"] == "sample"
        assert row["rms_latent_difference"] > 0.3
        assert row["rms_after_rotation"] < 1e-10
        rotation = torch.tensor([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        other = Flow(flow.denoiser, replace(flow.basis, vectors=flow.basis.vectors @ rotation))
        (row,) = compare_latents({"exact": flow, "sample0": other}, x[:5], seed=0)
        assert row["kept_angle"] == pytest.approx(30)

    @pytest.mark.parametrize(("variances", "turns"), [([1.0, 1.0], True), ([1.0, 0.3], False)])
    def test_what_a_reducing_flow_keeps_depends_on_the_sample_where_variances_are_equal(
        self, variances: list[float], turns: bool
    ) -> None:
        """Gaussian data: angles of 10,000 points are tens of degrees, or below two."""
        mixture = (np.zeros((1, 2)), np.ones(1), np.diag(variances))
        flow = mixture_flow(PRR)[0]
        angles = []
        for seed in range(9):
            flows = {name: of_other_sample(flow, mixture, 10_000, seed + k) for k, name in enumerate("ab")}
            (row,) = compare_latents(flows, np.eye(2), 0)
            angles.append(row["kept_angle"])
        assert (np.median(angles) > 10) == turns
        assert turns or np.median(angles) < 2


class LinearDenoiser(Denoiser):
    """Exact for N(0, diag v) under a schedule of other variances."""

    def __init__(self, case: GaussianCase) -> None:
        super().__init__(case.schedule)
        self.variances = case.variances

    def raw(self, y: torch.Tensor, t: float | torch.Tensor) -> torch.Tensor:
        schedule = self.schedule
        u = y / schedule.c_in(t).to(y)
        mean = self.variances / (self.variances + schedule.gamma(t)) * u
        return (mean - schedule.c_skip(t) * u) / schedule.c_out(t)


class Wavering(GaussianDenoiser):
    """Exact for Gaussian data but for an error that changes its sign so many times along the solver's grid."""

    turns = 0

    def raw(self, y: torch.Tensor, t: float | torch.Tensor) -> torch.Tensor:
        grid = TimeGrid(self.schedule, SolverSettings().grid)
        wave = np.cos(np.pi * self.turns * grid.position(float(t)))
        # The flow's speed is divided out: its velocity is 0.1 times the wave.
        return (
            super().raw(y, t) + 0.1 * wave / whitened_speed(self.schedule, SolverSettings().grid, grid.position(t))[1]
        )


class TestErrorGrowth:
    @pytest.mark.parametrize(("turns", "sum_of_lengths", "end"), [(0, 0.1, 0.1), (8, 0.2 / np.pi, 0.0)])
    def test_errors_of_one_sign_add_up_and_others_cancel(self, turns: int, sum_of_lengths: float, end: float) -> None:
        case = GaussianCase(PRP)
        denoiser = Wavering(case.schedule)
        denoiser.turns = turns
        flow = Flow(denoiser, case.flow.basis)
        for row in error_growth(flow, GaussianDenoiser(case.schedule), np.eye(3), times=257):
            assert row["path_error"] == pytest.approx(np.sqrt(3) * sum_of_lengths, rel=1e-3)
            assert row["net_error"] == pytest.approx(np.sqrt(3) * end, abs=1e-6)
            assert row["endpoint_error"] == pytest.approx(np.sqrt(3) * end, abs=1e-3)

    def test_an_exact_flow_has_no_errors(self) -> None:
        flow, x = mixture_flow(PRR)
        for row in error_growth(flow, flow.denoiser, x[:20], times=9):
            assert {row["endpoint_error"], row["path_error"], row["net_error"]} == {0.0}


class TestResiduals:
    def test_residuals_of_gaussian_data_correlate_as_in_closed_form(self) -> None:
        case = GaussianCase(PRP)
        denoiser, n = LinearDenoiser(case), 40_000
        points = np.random.default_rng(0).standard_normal((n, 3)) * case.variances.sqrt().numpy()
        rows = residual_correlation(denoiser, case.flow.basis, points, times=4, seed=0)
        schedule, v = case.schedule, case.variances
        # r_t = (v n_t - gamma x) / (v + gamma): only x is common to two times.
        for row in rows:
            spread = {}
            gamma = {key: schedule.gamma(row[f"t_{key}"]) for key in "ab"}
            scale = {key: schedule.c_out(row[f"t_{key}"]) for key in "ab"}
            for key in "ab":
                variance = (v**2 * gamma[key] + gamma[key] ** 2 * v) / (v + gamma[key]) ** 2 / scale[key] ** 2
                spread[key] = float(variance.sum())
            product = gamma["a"] * gamma["b"] * v / ((v + gamma["a"]) * (v + gamma["b"])) / (scale["a"] * scale["b"])
            shared = float(product.sum())
            expected = 1.0 if row["time_a"] == row["time_b"] else shared / np.sqrt(spread["a"] * spread["b"])
            assert row["correlation"] == pytest.approx(expected, abs=4 / np.sqrt(n))

    def test_all_pairs_of_times_are_there_once(self) -> None:
        flow, x = mixture_flow(PRR)
        rows = residual_correlation(flow.denoiser, flow.basis, x[:100], times=5, seed=0)
        assert len(rows) == 15
        assert all(row["time_a"] <= row["time_b"] for row in rows)
        assert all(abs(row["correlation"]) <= 1 + 1e-12 for row in rows)
        assert rows[0]["t_a"] == pytest.approx(flow.schedule.t_min)
        assert rows[-1]["t_b"] == pytest.approx(flow.schedule.t_max)

    def test_batches_change_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        flow, x = mixture_flow(PRP)
        whole = residual_correlation(flow.denoiser, flow.basis, x[:300], times=4, seed=0)
        monkeypatch.setattr(residuals, "_BATCH", 70)
        parts = residual_correlation(flow.denoiser, flow.basis, x[:300], times=4, seed=0)
        for one, other in zip(whole, parts, strict=True):
            assert one["correlation"] == pytest.approx(other["correlation"], abs=1e-9)


class TestPropagation:
    def propagated(self, **options):
        case = GaussianCase(PRR)
        settings = {"noise_std": 0.2, "samples": 3000, "levels": [0.5, 0.9], "frames": 3, "seed": 0} | options
        examples = np.array([[0.2, 0.1, -0.3], [1.0, -1.0, 0.5]])
        context = np.random.default_rng(0).standard_normal((30, 3))
        return case, examples, propagate(case.flow, examples, context=context, **settings)

    def test_moments_and_intervals_are_those_of_the_linear_map(self) -> None:
        case, examples, posterior = self.propagated()
        start = case.latents(torch.from_numpy(examples)).numpy()
        growth = (case.schedule.scale(case.schedule.t_max) * case.growth(case.schedule.t_max)).numpy()
        deviation = 0.2 * growth
        for example in range(2):
            np.testing.assert_allclose(posterior["mean"][example], start[example], atol=4 * deviation.max() / 3000**0.5)
            np.testing.assert_allclose(np.sqrt(np.diag(posterior["covariance"][example])), deviation, rtol=0.06)
            for k, level in enumerate((0.5, 0.9)):
                half = stats.norm.ppf((1 + level) / 2) * deviation
                width = (posterior["upper"] - posterior["lower"])[example, k]
                np.testing.assert_allclose(width, 2 * half, rtol=0.1)
        assert posterior["kept"].values.tolist() == [True, False, False]

    def test_intervals_hold_their_share_of_samples(self) -> None:
        _, _, posterior = self.propagated()
        z, lower, upper = (posterior[name].values for name in ("z", "lower", "upper"))
        for k, level in enumerate((0.5, 0.9)):
            inside = ((z[0] >= lower[:, k]) & (z[0] <= upper[:, k])).mean(0)
            np.testing.assert_allclose(inside, level, atol=2 / 3000 + 1e-9)

    def test_balls_end_in_the_latents_they_are_summarised_by(self) -> None:
        _, _, posterior = self.propagated()
        last = posterior["ball_path"].values[:, -1]
        np.testing.assert_allclose(last, np.moveaxis(posterior["z"].values[0, : last.shape[1]], 0, 1), atol=1e-6)

    def test_the_table_tells_every_interval(self) -> None:
        _, _, posterior = self.propagated()
        rows = interval_rows(posterior)
        assert len(rows) == 2 * 3 * 2
        assert all(row["lower"] < row["mean"] < row["upper"] for row in rows)
        assert {row["coordinate"] for row in rows if row["kept"]} == {1}

    def test_examples_do_not_depend_on_their_company(self) -> None:
        case, examples, both = self.propagated()
        alone = propagate(
            case.flow,
            examples[:1],
            context=np.zeros((5, 3)),
            noise_std=0.2,
            samples=3000,
            levels=[0.5],
            frames=2,
            seed=0,
        )
        np.testing.assert_array_equal(alone["z"].values[0, :, 0], both["z"].values[0, :, 0])

    @pytest.mark.parametrize("index", [-1, 7])
    def test_an_example_out_of_range_is_refused(self, index: int) -> None:
        with pytest.raises(DataError, match=f"from 0 to 6, a row of the test split, got {index}"):
            choose_examples(np.zeros((7, 2)), [0, index])

    def test_examples_are_rows_in_the_order_asked_for(self) -> None:
        points = np.arange(10.0).reshape(5, 2)
        assert choose_examples(points, [4, 0]).tolist() == [[8, 9], [0, 1]]
