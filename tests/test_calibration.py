"""Tests of calibration accept what is calibrated, and reject what is over-confident, too wide or biased."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from inflationary_flows.data.oracles import draw_fresh
from inflationary_flows.errors import InferenceError
from inflationary_flows.experiments.tarp.measure import measure
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.metrics.ranks import moment_p_values, rank_rows, simultaneous_band
from inflationary_flows.metrics.tarp import (
    Masses,
    coverage_rows,
    judge_prior,
    judged_rows,
    make_replicates,
    posterior_masses,
)
from inflationary_flows.seeding import derive_seed
from oracles import PRP, PRR, mixture_flow

LEVELS = [0.1, 0.3, 0.5, 0.7, 0.9]
CIRCLES = {"kind": "circles", "seed": 0}


def conjugate_ranks(replicates: int, draws: int, seed: int, *, width: float = 1.0, shift: float = 0.0) -> np.ndarray:
    """Ranks of x ~ N(0, 1) among draws of its posterior given x + N(0, 1), whose deviation is off by a factor."""
    rng = np.random.default_rng(seed)
    truth = rng.standard_normal(replicates)
    observed = truth + rng.standard_normal(replicates)
    posterior = observed / 2 + shift + width * np.sqrt(0.5) * rng.standard_normal((draws, replicates))
    return ((posterior < truth).sum(0) + 0.5) / (draws + 1)


def weight_ranks(replicates: int, seed: int, *, width: float) -> np.ndarray:
    """Fractions of ranks of three weights that add up to one, among 99 draws of posteriors of a wrong width."""
    rng = np.random.default_rng(seed)
    error = rng.standard_normal((replicates, 3))
    error = (error - error.mean(1, keepdims=True)) / np.sqrt(2 / 3)
    return (rng.binomial(99, stats.norm.cdf(error / width)) + 0.5) / 100


class TestRanks:
    @pytest.mark.parametrize(("replicates", "power"), [(300, 0.8), (1000, 0.99)])
    def test_a_posterior_that_is_a_tenth_too_narrow_is_seen(self, replicates: int, power: float) -> None:
        """300 replicates are what config.yaml has, 1,000 what configs/full.yaml has."""
        found = {
            width: [moment_p_values(weight_ranks(replicates, seed, width=width))["p_width"] for seed in range(300)]
            for width in (1.0, 0.9, 1.1)
        }
        rejected = {width: np.mean(np.array(p_values) < 0.05) for width, p_values in found.items()}
        assert rejected[0.9] >= power
        assert rejected[1.1] >= power - 0.15
        assert rejected[1.0] < 0.1
        assert stats.kstest(found[1.0], "uniform").pvalue > 1e-3

    def test_a_bias_of_one_quantity_is_seen(self) -> None:
        random = np.random.default_rng(0)
        found = [moment_p_values(random.random((300, 3)))["p_bias"] for _ in range(200)]
        assert np.mean(np.array(found) < 0.05) < 0.1
        found = [moment_p_values(random.random((300, 3)) ** [1, 1, 1.3])["p_bias"] for _ in range(50)]
        assert np.mean(np.array(found) < 0.05) > 0.8

    def test_ranks_that_are_all_alike_are_rejected(self) -> None:
        assert moment_p_values(np.full((100, 3), 0.5)) == {"p_bias": 1, "p_width": 0}

    def test_p_values_of_a_calibrated_sampler_are_uniform(self) -> None:
        p_values = [rank_rows(conjugate_ranks(500, 99, seed), "x", bins=10, seed=0)[0]["p_value"] for seed in range(60)]
        assert stats.kstest(p_values, "uniform").pvalue > 1e-3

    @pytest.mark.parametrize(
        ("change", "shape"),
        [
            ({"width": 0.6}, "valley"),
            ({"width": 1.7}, "hump"),
            ({"shift": 0.3}, "slope"),
        ],
    )
    def test_a_sampler_that_is_not_calibrated_is_rejected(self, change: dict[str, float], shape: str) -> None:
        rows = rank_rows(conjugate_ranks(500, 99, 0, **change), "x", bins=10, seed=0)
        counts = np.array([row["count"] for row in rows])
        assert rows[0]["p_value"] < 1e-3
        assert (counts < rows[0]["lower"]).any() or (counts > rows[0]["upper"]).any()
        ends, middle = counts[[0, -1]].mean(), counts[3:7].mean()
        assert {"valley": ends > middle, "hump": ends < middle, "slope": counts[0] > 2 * counts[-1]}[shape]

    def test_every_replicate_is_in_one_bin(self) -> None:
        ranks = np.arange(100)
        rows = rank_rows((ranks + 0.5) / 100, "x", bins=20, seed=0)
        assert [row["count"] for row in rows] == [5] * 20
        assert {row["expected"] for row in rows} == {5}
        assert rows[0]["p_value"] == pytest.approx(1)

    @pytest.mark.parametrize(("replicates", "bins"), [(200, 10), (1000, 20)])
    def test_the_band_holds_all_bins_at_once_with_its_probability(self, replicates: int, bins: int) -> None:
        lower, upper = simultaneous_band(replicates, bins, seed=0)
        counts = np.random.default_rng(5).multinomial(replicates, np.full(bins, 1 / bins), size=4000)
        inside = ((counts >= lower) & (counts <= upper)).all(1).mean()
        # Counts are whole numbers: the band can hold a little more than was asked for.
        assert 0.94 < inside < 0.985


def gaussian_masses(replicates: int, noise: float, *, spread: float = 1.0, seed: int = 0, pool: int = 4000):
    """Masses for data N(0, I), whose prior is believed to be N(0, spread^2 I)."""
    rng = np.random.default_rng(seed)
    truth = rng.standard_normal((replicates, 2))
    prior = spread * rng.standard_normal((pool, 2))
    return posterior_masses(prior, make_replicates(truth, noise, 10, seed, centre=np.zeros(2)))


def rows_of(masses: Masses) -> list[dict[str, Any]]:
    return coverage_rows(masses.closer, masses.central, LEVELS)


class TestTarp:
    def test_the_right_prior_is_covered_at_every_level(self) -> None:
        rows = rows_of(gaussian_masses(1000, 0.5))
        for row in rows:
            assert abs(row["coverage"] - row["level"]) < 4 * row["se"]
        assert rows[0]["p_value"] > 1e-3
        assert {row["replicates"] for row in rows} == {1000}

    @pytest.mark.parametrize("spread", [0.6, 1.7])
    def test_an_over_confident_or_too_wide_prior_is_rejected(self, spread: float) -> None:
        rows = rows_of(gaussian_masses(1000, 1.0, spread=spread))
        assert rows[0]["p_value"] < 1e-3

    def test_p_values_of_the_right_prior_are_uniform(self) -> None:
        masses = [gaussian_masses(200, 1.0, seed=seed, pool=2000) for seed in range(40)]
        p_values = [rows_of(each)[0]["p_value"] for each in masses]
        assert stats.kstest(p_values, "uniform").pvalue > 1e-3

    def test_masses_are_those_of_the_conjugate_posterior(self) -> None:
        rng = np.random.default_rng(3)
        truth, noise = rng.standard_normal((20, 2)), 0.7
        replicates = make_replicates(truth, noise, 5, seed=3, centre=np.array([0.5, -0.2]))
        masses = posterior_masses(rng.standard_normal((200_000, 2)), replicates)
        shrink, variance = 1 / (1 + noise**2), noise**2 / (1 + noise**2)
        mean = shrink * replicates.observed
        below = stats.norm.cdf((truth - mean) / np.sqrt(variance))
        np.testing.assert_allclose(masses.below, below, atol=0.04)
        # |x' - r|^2 is noncentral chi-square; its distribution function at the truth's distance is the mass.
        for found, reference in (
            (masses.closer, replicates.references),
            (masses.central[:, None], replicates.centre[None, None]),
        ):
            distance = np.square(truth[:, None] - reference).sum(-1) / variance
            offset = np.square(mean[:, None] - reference).sum(-1) / variance
            np.testing.assert_allclose(found, stats.ncx2.cdf(distance, 2, offset), atol=0.04)

    def test_a_prior_of_the_right_covariance_but_another_shape_is_rejected(self) -> None:
        rng = np.random.default_rng(1)

        def ring(n: int) -> np.ndarray:
            angle, radius = rng.uniform(0, 2 * np.pi, n), 1 + 0.05 * rng.standard_normal(n)
            return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)

        replicates = make_replicates(ring(1000), 0.7, 10, seed=0, centre=np.zeros(2))
        right = posterior_masses(ring(8000), replicates)
        gaussian = posterior_masses(rng.standard_normal((8000, 2)) / np.sqrt(2), replicates)
        assert rows_of(right)[0]["p_value"] > 1e-3
        assert rows_of(gaussian)[0]["p_value"] < 1e-6

    def test_indicators_of_uniform_masses_have_the_binomial_error(self) -> None:
        closer, central = np.random.default_rng(0).random((2, 900))
        for row in coverage_rows(closer[:, None], central, LEVELS):
            expected = np.sqrt(row["coverage"] * (1 - row["coverage"]) / 899)
            assert row["se"] == pytest.approx(expected)

    def test_more_references_of_a_replicate_are_no_more_replicates(self) -> None:
        one, central = np.random.default_rng(0).random((2, 300))
        rows, repeated = (coverage_rows(np.repeat(one[:, None], k, axis=1), central, LEVELS) for k in (1, 50))
        assert [row["se"] for row in repeated] == pytest.approx([row["se"] for row in rows])
        assert repeated[0]["p_value"] == pytest.approx(rows[0]["p_value"])

    def test_the_p_value_of_two_indicators_has_a_closed_form(self) -> None:
        # Uncorrelated, those of the centre nominal on average: Hotelling's T^2 is the square of Student's t.
        closer, central = np.tile([0.2, 0.2, 0.2, 0.8], 10), np.repeat([0.2, 0.8], 20)
        t = stats.ttest_1samp(closer < 0.5, 0.5).statistic
        row = coverage_rows(closer[:, None], central, [0.5])[0]
        assert row["p_value"] == pytest.approx((1 + t**2 / 39) ** -19)

    @pytest.mark.parametrize("noise", [0.05, 1.0])
    def test_the_exact_prior_passes_whatever_the_size_of_the_pool(self, noise: float) -> None:
        # At the smaller noise nine posteriors in ten rest on less than four samples: sums that leave the truth out are
        # over-confident. At the larger one all posteriors share the errors of the pool.
        judged, over_confident = [], []
        for seed in range(30):
            truth, pool, fixed = (draw_fresh(CIRCLES, n, 10 * seed + k) for k, n in enumerate((300, 1000, 5000)))
            masses = judge_prior(pool, truth, fixed, [noise], references=10, seed=seed, minimum_ess=0)[noise]
            judged.append(judged_rows(masses, LEVELS)[0]["p_value"])
            over_confident.append(1 / masses.ess)
        assert min(judged) > 1e-3
        assert np.mean(np.array(judged) < 0.05) < 0.15
        assert (np.mean(over_confident) > 0.2) == (noise < 0.1)

    def test_a_prior_without_samples_near_the_data_is_rejected(self) -> None:
        rng = np.random.default_rng(0)
        replicates = make_replicates(rng.standard_normal((200, 2)), 0.3, 5, 0, centre=np.zeros(2))
        masses = posterior_masses(rng.standard_normal((2000, 2)) + 6, replicates, minimum_ess=0)
        assert judged_rows(masses, LEVELS)[0]["p_value"] < 1e-6

    def test_the_worst_reference_is_judged_and_all_are_corrected_for(self) -> None:
        rng = np.random.default_rng(0)
        closer, central, below, grid = rng.random((300, 3)), rng.random(300), rng.random((300, 2)), rng.random((300, 4))
        masses = Masses(closer, central, below, np.ones(300), grid**2, 10**9)
        rows = judged_rows(masses, LEVELS)
        assert [row["reference"] for row in rows] == [r for r in ("random", "centre", "worst") for _ in LEVELS]
        away = {k: max(abs((masses.grid[:, k] < a).mean() - a) for a in LEVELS) for k in range(4)}
        worst = max(away, key=lambda k: away[k])
        np.testing.assert_allclose(
            [row["coverage"] for row in rows[-len(LEVELS) :]], [(masses.grid[:, worst] < a).mean() for a in LEVELS]
        )
        for row in rows:
            assert (row["worst"], row["looks"]) == (pytest.approx(away[worst]), 6)
        alone = judged_rows(Masses(closer, central, below, np.ones(300), grid[:, :0], 10**9), LEVELS)
        assert alone[0]["looks"] == 2
        assert alone[0]["p_value"] > 1e-2
        assert rows[0]["p_value"] < 1e-6

    def test_a_pool_that_is_far_too_small_is_refused(self) -> None:
        with pytest.raises(InferenceError, match="larger pool"):
            gaussian_masses(200, 0.05, pool=200)

    def test_replicates_repeat_with_their_seed(self) -> None:
        truth = np.zeros((5, 2))
        first, again, other = (make_replicates(truth, 0.5, 3, seed, centre=np.zeros(2)) for seed in (0, 0, 1))
        np.testing.assert_array_equal(first.references, again.references)
        assert not np.allclose(first.observed, other.observed)


def test_flows_of_a_toy_are_measured_schedule_by_schedule() -> None:
    dataset = {"kind": "circles", "seed": 0, "sizes": {"train": 10, "validation": 5, "test": 5}}
    settings = {"noise_stds": [0.3, 0.6], "levels": LEVELS, "replicates": 60, "references": 4, "minimum_ess": 0}
    flows = {(name, "0"): mixture_flow(schedule)[0] for name, schedule in (("prp", PRP), ("prr1", PRR))}
    held = flows["prr1", "0"]
    held.compressed_latents = held.inflate(torch.from_numpy(draw_fresh(dataset, 50, 8)))[:, 1:]
    measured = measure(
        flows | {("prr1", "0-early"): flows["prp", "0"]},
        dataset=dataset,
        pool=400,
        pool_steps=8,
        bins=5,
        seed=1,
        log=logging.getLogger(),
        **settings,
    )
    pool_seed = derive_seed("tarp pool", 1)
    exact = draw_fresh(dataset, 400, pool_seed)
    truth = draw_fresh(dataset, 60, derive_seed("tarp truth", 1))

    def sampled(flow: Flow, prior: str = "gaussian") -> np.ndarray:
        return np.asarray(flow.generate(flow.sample_latents(400, pool_seed, prior), steps=8))

    table = pd.DataFrame(measured.tables["tarp"])
    ranks = pd.DataFrame(measured.tables["posterior_ranks"])
    controls = ["exact", "gaussian", "box"]
    found = table.groupby("schedule")["flow"].unique()
    assert list(found["prp"]) == ["learned", *controls]
    assert list(found["prr1"]) == ["learned", "learned_empirical", *controls, "miscalibrated"]
    pools = {
        ("prp", "learned"): sampled(flows["prp", "0"]),
        ("prp", "exact"): exact,
        ("prr1", "learned"): sampled(held),
        ("prr1", "learned_empirical"): sampled(held, "empirical"),
        ("prr1", "miscalibrated"): sampled(flows["prp", "0"]),
    }
    for (schedule, name), pool in pools.items():
        masses = judge_prior(pool, truth, exact, settings["noise_stds"], references=4, seed=1, minimum_ess=0)
        chosen, ranked = (t[(t["schedule"] == schedule) & (t["flow"] == name)] for t in (table, ranks))
        rows = [{"noise_std": noise, **row} for noise, found in masses.items() for row in judged_rows(found, LEVELS)]
        assert chosen.drop(columns=["schedule", "seed", "flow"]).to_dict("records") == rows
        rows = [
            {"noise_std": noise, **row}
            for noise, found in masses.items()
            for i, below in enumerate(found.below.T)
            for row in rank_rows(below, f"coordinate{i + 1}", bins=5, seed=1)
        ]
        assert ranked.drop(columns=["schedule", "seed", "flow"]).to_dict("records") == rows


def test_controls_are_rejected_where_the_exact_prior_passes() -> None:
    """A flat box knows nothing, and passed where references lay around observations alone."""
    dataset = {"kind": "circles", "seed": 0, "sizes": {"train": 10, "validation": 5, "test": 5}}
    flows = {("prp", "0"): mixture_flow(PRP)[0]}
    measured = measure(
        flows,
        dataset=dataset,
        noise_stds=[1.0, 2.0],
        levels=LEVELS,
        replicates=500,
        references=5,
        pool=3000,
        pool_steps=4,
        minimum_ess=0,
        bins=5,
        seed=0,
        log=logging.getLogger(),
    )
    table = pd.DataFrame(measured.tables["tarp"])
    p_values = table.groupby(["flow", "noise_std"])["p_value"].first()
    assert (p_values["exact"] > 1e-2).all()
    for control in ("box", "gaussian"):
        assert (p_values[control] < 1e-3).all()
    worst = table.groupby(["flow", "noise_std"])["worst"].first()
    assert (worst["box"] > 3 * worst["exact"]).all()
