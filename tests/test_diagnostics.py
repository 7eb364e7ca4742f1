"""Convergence diagnostics on chains whose fault is known, and against a second implementation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm, rankdata

from inflationary_flows.errors import InferenceError
from inflationary_flows.inference.chains import Chain, posterior_dataset
from inflationary_flows.inference.convergence import bfmi, ess, rhat
from inflationary_flows.inference.diagnostics import check_gate, diagnose, summarise_weights
from inflationary_flows.inference.pareto import tail_shapes
from inflationary_flows.inference.particle_gibbs import ParticleChain

CHAINS, DRAWS = 4, 1000
GATE = {"rhat": 1.01, "ess": 400.0, "bfmi": 0.3, "divergences": 0.0}


def good_chains(draws: int = DRAWS) -> list[dict[str, np.ndarray]]:
    """Independent draws of Dirichlet(4, 3, 2), as a perfect sampler would make them."""
    rng = np.random.default_rng(0)
    return [
        {
            "weights": rng.dirichlet([4.0, 3.0, 2.0], draws),
            "latents": rng.standard_normal((draws, 5, 2)),
            "diverging": np.zeros(draws, bool),
            "energy": rng.standard_normal(draws),
            "tree_depth": np.full(draws, 3),
            "acceptance": np.full(draws, 0.8),
            "step_size": np.array(0.5),
            "leapfrogs": np.array(7000 + chain),
        }
        for chain in range(CHAINS)
    ]


def joined(chains: list[dict[str, np.ndarray]]) -> xr.Dataset:
    drawn = {name: [chain[name] for chain in chains] for name in ("weights", "latents") if name in chains[0]}
    statistics = [{name: values for name, values in chain.items() if name not in drawn} for chain in chains]
    return posterior_dataset(
        [Chain(draws=weights, **rest) for weights, rest in zip(drawn["weights"], statistics, strict=True)], **drawn
    )


def faulty_chains(fault: str) -> list[dict[str, np.ndarray]]:
    """Good chains with one fault."""
    chains, rng = good_chains(), np.random.default_rng(1)
    steps = rng.standard_normal((CHAINS, DRAWS)).cumsum(1)
    for index, chain in enumerate(chains):
        if fault == "a chain that stays elsewhere" and index == 0:
            chain["weights"] = rng.dirichlet([2.0, 3.0, 4.0], DRAWS)
        if fault == "draws that repeat":
            chain["weights"] = np.repeat(chain["weights"][: DRAWS // 20], 20, axis=0)
        if fault == "weights that stand still":
            chain["weights"] = np.full_like(chain["weights"], 1 / 3)
        if fault == "a latent that stays elsewhere" and index == 0:
            chain["latents"] = chain["latents"] + np.eye(1, 10, 3).reshape(5, 2)
        if fault == "latents that repeat":
            chain["latents"] = np.repeat(chain["latents"][: DRAWS // 20], 20, axis=0)
        if fault == "a trajectory that diverges":
            chain["diverging"][17] = index == 2
        if fault == "energies that wander" and index == 1:
            chain["energy"] = steps[index]
    return chains


def rows_of(chains: list[dict[str, np.ndarray]], **gate: float) -> dict[str, dict[str, Any]]:
    return {row["quantity"]: row for row in diagnose(joined(chains), GATE | gate)}


def split_rhat(draws: np.ndarray) -> float:
    """Potential scale reduction of half chains, draws of shape (chains, draws)."""
    halves = draws.reshape(2 * len(draws), -1)
    n = halves.shape[1]
    within = halves.var(1, ddof=1).mean()
    between = n * halves.mean(1).var(ddof=1)
    return float(np.sqrt(((n - 1) / n * within + between / n) / within))


def rank_rhat(draws: np.ndarray) -> float:
    """Vehtari et al. (2021): the larger of the R-hats of normal scores, of the draws and of their spread."""

    def scores(values: np.ndarray) -> np.ndarray:
        ranks = rankdata(values, method="average").reshape(values.shape)
        return norm.ppf((ranks - 3 / 8) / (values.size + 1 / 4))

    return max(split_rhat(scores(draws)), split_rhat(scores(np.abs(draws - np.median(draws)))))


def test_chains_of_a_perfect_sampler_pass():
    rows = diagnose(joined(good_chains()), GATE)
    assert all(row["passed"] for row in rows)
    check_gate(rows, "collapsed posterior")


@pytest.mark.parametrize(
    ("fault", "quantities", "remedy"),
    [
        ("a chain that stays elsewhere", ["rhat_weight1", "rhat_weight3"], "run longer chains"),
        ("draws that repeat", ["ess_bulk_weight1", "ess_bulk_weight2", "ess_bulk_weight3"], "raise draws"),
        ("a latent that stays elsewhere", ["rhat_latents_max", "ess_bulk_latents_min"], "run longer chains"),
        ("latents that repeat", ["ess_bulk_latents_min", "rhat_latents_max"], "raise draws"),
        ("a trajectory that diverges", ["divergences"], "raise target_acceptance"),
        ("energies that wander", ["bfmi_min"], "run a longer warmup"),
    ],
)
def test_a_fault_is_found_and_named_with_its_remedy(fault, quantities, remedy):
    rows = rows_of(faulty_chains(fault))
    for quantity in quantities:
        assert not rows[quantity]["passed"]
    if len(quantities) == 1:
        assert [name for name, row in rows.items() if not row["passed"]] == quantities
    with pytest.raises(InferenceError) as refusal:
        check_gate([rows[quantities[0]]], "joint posterior")
    assert refusal.value.where == f"joint posterior: {quantities[0]}"
    assert remedy in refusal.value.hint
    assert "experiments.hmc" in refusal.value.hint
    with pytest.raises(InferenceError, match="joint posterior"):
        check_gate(list(rows.values()), "joint posterior")


@pytest.mark.parametrize(
    ("quantity", "change", "bound"),
    [
        ("rhat_weight2", {"rhat": 0.9}, "at most 0.9"),
        ("ess_bulk_latents_min", {"ess": 1e6}, "at least 1e.06"),
        ("ess_bulk_weight3", {"ess": 1e6}, "at least 1e.06"),
        ("ess_tail_weight1", {"ess": 1e6}, "at least 1e.06"),
        ("divergences", {"divergences": -1.0}, "at most -1"),
        ("bfmi_min", {"bfmi": 9.0}, "at least 9"),
    ],
)
def test_a_bound_that_is_missed_is_told_with_the_value(quantity, change, bound):
    row = rows_of(good_chains(), **change)[quantity]
    with pytest.raises(InferenceError, match=f"{quantity}: expected {bound}, got {row['value']:.4g}"):
        check_gate([row], "posterior")


def test_the_first_failure_is_told():
    rows = diagnose(joined(faulty_chains("energies that wander")), GATE | {"divergences": -1.0})
    with pytest.raises(InferenceError, match="divergences"):
        check_gate(rows, "posterior")


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_not_a_number_passes_nothing():
    rows = rows_of(faulty_chains("weights that stand still"))
    assert np.isnan(rows["rhat_weight1"]["value"])
    assert not rows["rhat_weight1"]["passed"]


@pytest.mark.parametrize("fault", ["none", "a chain that stays elsewhere", "draws that repeat"])
def test_rhat_is_that_of_normal_scores_of_half_chains(fault):
    chains = faulty_chains(fault)
    rows = rows_of(chains)
    for k in range(3):
        draws = np.stack([chain["weights"][:, k] for chain in chains])
        assert rows[f"rhat_weight{k + 1}"]["value"] == pytest.approx(rank_rhat(draws), rel=1e-6)


def test_values_are_those_of_each_weight_alone():
    chains = good_chains()
    rows = rows_of(chains)
    for k in range(3):
        draws = np.stack([chain["weights"][:, k] for chain in chains])
        assert rows[f"rhat_weight{k + 1}"]["value"] == pytest.approx(rhat(draws), rel=1e-12)
        for kind in ("bulk", "tail"):
            assert rows[f"ess_{kind}_weight{k + 1}"]["value"] == pytest.approx(ess(draws, kind), rel=1e-12)


def test_values_are_those_that_arviz_gave_before_its_version_1():
    """The numbers are those of ArviZ 0.23.4."""
    rng = np.random.default_rng(5)
    steps = rng.standard_normal((4, 500, 3)).cumsum(1)
    draws = rng.standard_normal((4, 500, 3)) + np.array([0, 0.05, 0.2]) * steps
    draws[0, :, 1] += 0.3
    log_weights = rng.standard_normal((3, 512)) * np.array([[0.3], [1], [3]])
    for values, before in (
        (rhat(draws), [0.9998836143936392, 1.1250479259143107, 1.5035826617022874]),
        (ess(draws), [2031.036214437082, 21.009354571463263, 7.6091549355945105]),
        (ess(draws, "tail"), [1933.6924463070436, 30.825168296322666, 11.712030862784697]),
        (ess(draws, "mean"), [2030.3060888348668, 20.100275211367396, 6.55646915973127]),
        (bfmi(draws[..., 2]), [0.38731577856171145, 0.5006173790798659, 0.19261314537851104, 0.8239435471418893]),
        (tail_shapes(log_weights), [0.10924816161548055, 0.381360991548213, 1.4392232917031338]),
    ):
        np.testing.assert_allclose(values, before, rtol=1e-9)


@pytest.mark.parametrize("shape", [0.2, 0.7, 1.5])
def test_tail_shapes_are_those_of_pareto_distributions(shape: float):
    """U^-k has a tail of shape k; a fit to 268 of 8,000 errs by (1 + k) / 16, and is drawn to .5 by a thirtieth."""
    uniform = np.random.default_rng(0).random((40, 8_000))
    found = tail_shapes(-shape * np.log(uniform) + 700)
    expected = (268 * shape + 5) / 278
    assert found.mean() == pytest.approx(expected, abs=4 * (1 + shape) / 16.4 / np.sqrt(40))


def test_weights_without_a_tail_have_no_shape():
    flat, lonely = np.zeros(100), np.eye(100)[0] * 1e4
    assert np.isinf(tail_shapes(np.stack([flat, lonely, np.full(100, np.nan)]))).all()


def test_effective_size_of_an_autoregression_has_a_closed_form():
    """An AR(1) process with coefficient a carries the fraction (1 - a) / (1 + a) of independent draws."""
    rng, a = np.random.default_rng(3), 0.6
    chains = good_chains(8000)
    for chain in chains:
        noise, x = rng.standard_normal(8000), np.zeros(8000)
        for i in range(1, 8000):
            x[i] = a * x[i - 1] + noise[i]
        first = norm.cdf(x * np.sqrt(1 - a**2))
        chain["weights"] = np.stack([first, (1 - first) / 2, (1 - first) / 2], 1)
    assert rows_of(chains)["ess_bulk_weight1"]["value"] == pytest.approx(CHAINS * 8000 * (1 - a) / (1 + a), rel=0.1)


def test_bfmi_compares_jumps_of_the_energy_with_its_spread():
    chains = faulty_chains("energies that wander")
    energies = np.stack([chain["energy"] for chain in chains])
    fractions = np.square(np.diff(energies)).mean(1) / energies.var(1)
    assert rows_of(chains)["bfmi_min"]["value"] == pytest.approx(fractions.min(), rel=0.01)
    # Independent energies jump by twice their variance.
    assert rows_of(good_chains())["bfmi_min"]["value"] == pytest.approx(2.0, abs=0.2)


def test_what_helps_to_understand_a_failure_has_no_bound():
    rows = rows_of(good_chains())
    for quantity, value in (("tree_depth_mean", 3), ("acceptance_mean", 0.8), ("leapfrogs", 28006)):
        assert rows[quantity]["value"] == pytest.approx(value)
        assert rows[quantity]["bound"] is None


def test_a_posterior_without_latents_needs_none():
    chains = [{name: values for name, values in chain.items() if name != "latents"} for chain in good_chains()]
    assert not {"rhat_latents_max", "ess_bulk_latents_min"} & set(rows_of(chains))


def test_chains_without_momenta_have_neither_energies_nor_divergences():
    moved = np.linspace(0, 1, DRAWS)
    chains = [ParticleChain(chain["weights"], chain["latents"], moved) for chain in good_chains()]
    drawn = {name: [getattr(chain, name) for chain in chains] for name in ("weights", "latents")}
    rows = {row["quantity"]: row for row in diagnose(posterior_dataset(chains, **drawn), GATE)}
    assert not {"divergences", "bfmi_min", "leapfrogs", "tree_depth_mean"} & set(rows)
    assert rows["moved_mean"]["value"] == pytest.approx(0.5)
    assert all(row["passed"] for row in rows.values())


class TestSummary:
    posterior: xr.Dataset = joined(good_chains())

    def test_describes_the_dirichlet_that_was_drawn(self):
        rows = summarise_weights(self.posterior, [4 / 9, 3 / 9, 2 / 9])
        for row, alpha in zip(rows, (4, 3, 2), strict=True):
            sd = np.sqrt(alpha * (9 - alpha) / 810)
            assert row["mean"] == pytest.approx(alpha / 9, abs=5 * sd / np.sqrt(CHAINS * DRAWS))
            assert row["sd"] == pytest.approx(sd, rel=0.06)
            assert row["q05"] < row["q25"] < row["mean"] < row["q75"] < row["q95"]
            assert row["covered"]
        assert [row["weight"] for row in rows] == [1, 2, 3]

    def test_intervals_hold_their_share_of_draws(self):
        draws = self.posterior["weights"].values[..., 0]
        row = summarise_weights(self.posterior, [0.5, 0.3, 0.2])[0]
        assert np.mean((draws >= row["q05"]) & (draws <= row["q95"])) == pytest.approx(0.9, abs=1e-3)
        assert np.mean((draws >= row["q25"]) & (draws <= row["q75"])) == pytest.approx(0.5, abs=1e-3)

    def test_a_truth_outside_of_the_interval_is_not_covered(self):
        covered = [row["covered"] for row in summarise_weights(self.posterior, [0.98, 1 / 3, 0.001])]
        assert covered == [False, True, False]


class TestJoining:
    def test_chains_keep_their_order_and_values(self):
        chains = good_chains(10)
        posterior = joined(chains)
        assert posterior.sizes == {"chain": 4, "draw": 10, "component": 3, "observation": 5, "coordinate": 2}
        for index, chain in enumerate(chains):
            for name, values in chain.items():
                np.testing.assert_array_equal(posterior[name][index], values)

    def test_one_chain_is_refused(self):
        with pytest.raises(InferenceError, match="at least 2"):
            joined(good_chains()[:1])

    def test_chains_of_different_lengths_are_refused(self):
        with pytest.raises(InferenceError, match=r"same number of draws, got \[10, 20\]"):
            joined([*good_chains(20)[:1], *good_chains(10)[:1]])
