"""The check of posteriors under one's own likelihood: how often it cries wolf, and what it finds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from gaussian_posteriors import ExactSampler, as_posterior, gaussian_flow, gaussian_rows
from inflationary_flows.artifacts.flows import Flow
from inflationary_flows.errors import DataError
from inflationary_flows.inference.guidance import guide
from inflationary_flows.inference.posterior import Posterior
from inflationary_flows.metrics import calibration_check
from inflationary_flows.metrics.calibration import Calibration, Pairs, holm, judge
from inflationary_flows.metrics.local_two_sample import closeness, local_two_sample
from inflationary_flows.metrics.posterior_draws import shares_below

SUM = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, -1.0]])
# Observations of several kinds, with one to look at.
PROBLEMS: dict[str, dict[str, Any]] = {
    "noise": {"noise_std": 0.5, "at": [0.5, 0.1, 0.3]},
    "missing": {"at": [np.nan, 0.3, np.nan]},
    "operator": {"operator": SUM, "noise_std": [0.3, 0.6], "at": [1.0, 0.0]},
}


@pytest.fixture(scope="module")
def flow() -> Flow:
    return Flow._of(gaussian_flow(), {})


def check(monkeypatch: pytest.MonkeyPatch, flow: Flow, *args: Any, sampler: Any = None, **options: Any) -> Calibration:
    """`check_calibration` with exact posteriors, or others."""
    monkeypatch.setattr(calibration_check, "infer", sampler or ExactSampler())
    return flow.check_calibration(*args, **{"draws": 16} | options)


def noisy(x: np.ndarray, std: float, seed: int, law: str = "normal") -> np.ndarray:
    random = np.random.default_rng([seed, 5])
    draw = random.standard_normal(x.shape) if law == "normal" else random.standard_t(2, x.shape)
    return x + std * draw


def guided(strength: float) -> Callable[..., Any]:
    """Guidance in the place of `infer`."""

    def infer(flow: Flow, observed: np.ndarray, *, noise_std: float, seed: int, **_: Any) -> Posterior:
        seen = torch.from_numpy(observed)

        def misfit(x: torch.Tensor) -> torch.Tensor:
            return ((x - seen[:, None]) / noise_std).square().sum(-1)

        x = guide(flow, misfit, len(seen), draws=63, strength=strength, steps=40, seed=seed)
        z = flow.inflate(x.flatten(0, 1)).view_as(x)
        return as_posterior(x[:, None].numpy(), z[:, None].numpy(), np.ones(len(seen)), ess=1e3)

    return infer


def with_faults(seed: int) -> dict[str, tuple[Flow, tuple[Any, ...], dict[str, Any]]]:
    """Flow, arguments and options of calls with a fault each: those of the caller, and those of the sampler."""
    own, x = Flow._of(gaussian_flow(), {}), gaussian_rows(200, seed)
    foreign = Flow._of(gaussian_flow(np.diag([0.3, 1.0, 2.0])), {})
    noise, pairs = {"noise_std": 0.5, "at": np.array([0.5, 0.1, 0.3])}, (x, noisy(x, 0.5, seed))
    holes = np.where([True, False, True], np.nan, x)
    return {
        "half of the noise": (own, pairs, noise | {"noise_std": 0.25}),
        "twice the noise": (own, pairs, noise | {"noise_std": 1.0}),
        "another operator": (own, (x, noisy(x @ SUM.T, 0.3, seed)), {"operator": SUM * [1, 1.3, 1], "noise_std": 0.3}),
        "another noise": (own, (x, noisy(x, 0.5, seed, "t")), noise),
        "another column missing": (own, (x, holes[:, [0, 2, 1]]), {"at": [np.nan, np.nan, 0.3]}),
        "another data set's flow": (foreign, (x,), noise),
        "chains that stay where they are": (own, pairs, noise | {"sampler": ExactSampler(persistence=16)}),
        "chains that are too short": (own, pairs, noise | {"sampler": ExactSampler(start=0.4)}),
        "draws too narrow": (own, pairs, noise | {"sampler": ExactSampler(width=0.75)}),
        "draws with a bias": (own, pairs, noise | {"sampler": ExactSampler(shift=0.35)}),
        "guidance": (own, pairs, noise | {"sampler": guided(0.02)}),
    }


FAULTS = tuple(with_faults(0))


@pytest.mark.parametrize("problem", PROBLEMS)
def test_exact_posteriors_pass(problem: str, flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    found = check(monkeypatch, flow, seed=1, **PROBLEMS[problem])
    assert found.passed
    assert "pass" in found.verdict
    assert found.left_out == 0
    assert {row["test"] for row in found.rows} == {"ranks", "tarp", "local"}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    faulty, args, options = with_faults(0)[fault]
    found = check(monkeypatch, faulty, *args, **options)
    assert not found.passed
    assert "not calibrated" in found.verdict


@pytest.mark.long
def test_at_most_one_alarm_in_twenty_is_false(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [check(monkeypatch, flow, seed=seed, **list(PROBLEMS.values())[seed % len(PROBLEMS)]) for seed in range(200)]
    assert sum(not run.passed for run in runs) <= 10
    # The p-values of each test are uniform, not only small ones rare.
    for place, row in enumerate(runs[0].rows):
        values = [run.rows[place]["p_value"] for run in runs]
        assert np.mean(np.array(values) < 0.05) < 0.11, row["about"]


@pytest.mark.long
def test_nineteen_faults_in_twenty_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {fault: 0 for fault in FAULTS}
    for seed in range(10):
        for fault, (faulty, args, options) in with_faults(100 + seed).items():
            found[fault] += not check(monkeypatch, faulty, *args, seed=seed, **options).passed
    assert sum(found.values()) >= 0.95 * 10 * len(FAULTS), found


def test_posteriors_that_did_not_converge_are_told(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    few = check(monkeypatch, flow, noise_std=0.5, sampler=ExactSampler(lost=0.03), seed=1)
    assert few.passed
    assert 0 < few.left_out < 10
    assert few.replicates + few.left_out == 200
    assert f"{few.left_out} of 200 posteriors did not converge" in few.verdict
    many = check(monkeypatch, flow, noise_std=0.5, sampler=ExactSampler(lost=0.3), seed=1)
    assert not many.passed
    assert all(row["passed"] for row in many.rows)
    assert "longer chains" in many.verdict
    none = check(monkeypatch, flow, noise_std=0.5, at=[0.0, 0, 0], sampler=ExactSampler(lost=1.0))
    assert not none.passed
    assert none.rows == []
    assert "Too few" in none.verdict
    assert "your own" in none.verdict


def test_any_likelihood_is_checked_with_its_simulator(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log-likelihood of a difference with noise; its sampler sees the likelihood of one observation a time."""
    row = torch.tensor([1.0, -1.0, 0.0], dtype=torch.float64)
    calls = []

    def log_likelihood(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return -((x @ row - y[0]) ** 2) / 2 / 0.3**2

    def infer(flow: Flow, *, log_likelihood: Any, seed: int, draws: int) -> Posterior:
        # The observation is where the likelihood along the row is largest.
        places = torch.linspace(-8, 8, 16_001, dtype=torch.float64)
        best = places[log_likelihood(places[:, None] * row / 2).argmax()]
        calls.append(float(best))
        return ExactSampler()(flow, np.array([[calls[-1]]]), operator=row[None].numpy(), noise_std=0.3, seed=seed)

    def simulate(x: np.ndarray) -> np.ndarray:
        return (x @ row.numpy() + 0.3 * np.random.default_rng(3).standard_normal(len(x)))[:, None]

    options: dict[str, Any] = {"log_likelihood": log_likelihood, "simulate": simulate, "replicates": 60}
    found = check(monkeypatch, flow, sampler=infer, at=[0.4], **options)
    assert found.passed
    assert len(calls) == 61
    assert calls[-1] == pytest.approx(0.4, abs=1e-3)

    def twice(x: np.ndarray) -> np.ndarray:
        return 2 * simulate(x)

    assert not check(monkeypatch, flow, sampler=infer, **options | {"simulate": twice}).passed


def test_one_kind_of_test_is_made_alone_and_drawn(flow: Flow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for kind in ("ranks", "tarp", "local", "all"):
        file = tmp_path / f"{kind}.png" if kind in ("tarp", "all") else None
        found = check(monkeypatch, flow, noise_std=0.5, kind=kind, replicates=40, figure=file)
        assert {row["test"] for row in found.rows} == ({kind} if kind != "all" else {"ranks", "tarp", "local"})
        assert file is None or file.stat().st_size > 5_000
        assert all(row["about"] in str(found) for row in found.rows)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, "noise_std"),
        ({"noise_std": 0.5, "kind": "rank"}, "kind"),
        ({"noise_std": 0.5, "replicates": 10}, "replicates"),
        ({"noise_std": 0.5, "truths": np.zeros((5, 3))}, "truths"),
        ({"noise_std": 0.5, "observed": np.zeros((50, 3))}, "truths"),
        ({"noise_std": 0.5, "at": [1.0, 2.0]}, "at"),
        ({"noise_std": 0.5, "at": np.zeros((2, 3))}, "at"),
        ({"noise_std": 0.5, "log_likelihood": print}, "noise_std"),
        ({"log_likelihood": print}, "simulate"),
        ({"noise_std": 0.5, "simulate": lambda x: x[:, 0]}, "simulate"),
    ],
)
def test_wrong_calls_end_in_a_message(
    options: dict[str, Any], named: str, flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError) as problem:
        check(monkeypatch, flow, **options)
    assert problem.value.where == named


def test_shares_are_uniform_for_any_number_of_draws_and_with_ties() -> None:
    random = np.random.default_rng(0)
    for draws in (1, 7):
        points = random.standard_normal((4_000, draws + 1))
        assert kstest(shares_below(points[:, 0], points[:, 1:], random), "uniform").pvalue > 0.01
    known = np.full(4_000, 3.0)
    assert kstest(shares_below(known, np.full((4_000, 7), 3.0), random), "uniform").pvalue > 0.01


def test_holm_rejects_what_bonferroni_does_and_more() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.9]) == pytest.approx([1.0, 1.0])


def test_the_local_test_sees_a_fault_where_it_is() -> None:
    """Posteriors that are right for y < 0, and three times too narrow for y > 0."""
    random, found = np.random.default_rng(1), []
    for seed in range(4):
        y = random.standard_normal((300, 1))
        truth = y + random.standard_normal((300, 1))
        draws = y[:, None] + np.where(y > 0, 0.33, 1)[:, None] * random.standard_normal((300, 31, 1))
        tests = [
            local_two_sample(
                truth,
                draws,
                y,
                np.array([at]),
                at + width * random.standard_normal((31, 1)),
                permutations=99,
                seed=seed,
            )
            for at, width in ((-1.5, 1.0), (1.5, 0.33))
        ]
        found.append([test.statistic / np.quantile(test.null, 0.95) for test in tests])
    elsewhere, there = np.transpose(found)
    assert there.mean() > 5 * elsewhere.mean()
    assert (there > 10).all()


def test_the_law_of_the_local_test_is_exact() -> None:
    random, values = np.random.default_rng(2), []
    for seed in range(200):
        y = random.standard_normal((40, 2))
        points = y[:, None] + random.standard_normal((40, 9, 2))
        own = random.standard_normal((8, 2))
        test = local_two_sample(points[:, 0], points[:, 1:], y, np.zeros(2), own, permutations=99, seed=seed)
        values.append(test.p_value)
    assert kstest(values, "uniform").pvalue > 0.01


def test_observations_are_near_by_values_and_by_what_is_missing() -> None:
    rows = np.array([[0.0, 1.0], [0.1, 1.0], [2.0, 1.0], [0.0, np.nan]])
    near = closeness(rows, rows[0])
    assert near[0] == 1
    assert near[0] > near[1] > near[2]
    assert near[3] < near[1]


def test_too_few_replicates_are_no_pass() -> None:
    few = judge(Pairs(np.zeros((5, 1)), np.zeros((5, 9, 1)), np.zeros((5, 1))))
    assert not few.passed
    assert few.p_value == 1.0
