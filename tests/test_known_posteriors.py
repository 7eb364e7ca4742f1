"""Posteriors against exact ones: what is exact passes, and priors that are wrong by a known amount lose by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest, norm

from configurations import changed
from inflationary_flows.config.load import load_config
from inflationary_flows.data.oracles import draw_fresh, exact_mixture
from inflationary_flows.errors import ConfigError
from inflationary_flows.experiments.known_posteriors.measure import measure
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.oracles import exact_denoiser
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.metrics.importance import DrawWeights, masses_of_draws, squared_distances
from inflationary_flows.metrics.tarp import judged_rows
from oracles import PRP, PRR

LEVELS = [0.1, 0.3, 0.5, 0.7, 0.9]
WIDTH = 0.8


def weighed(observations: int, draws: int) -> tuple[DrawWeights, np.ndarray, np.ndarray]:
    """Draws of N(0, 1), and of the truth, weighed as draws of N(0, WIDTH^2)."""
    random = np.random.default_rng(0)
    x, truth = random.standard_normal((observations, draws)), random.standard_normal(observations)
    ratio = [norm(0, WIDTH).logpdf(points) - norm.logpdf(points) for points in (x, truth)]
    return DrawWeights.of(*ratio), x, truth


def test_weights_tell_by_how_much_a_gaussian_is_too_narrow():
    weights, x, _ = weighed(100, 5000)
    assert weights.scaled.mean(1) == pytest.approx(np.ones(100))
    divergence = np.log(WIDTH) + 1 / (2 * WIDTH**2) - 1 / 2
    assert weights.divergence.mean() == pytest.approx(divergence, abs=0.003)
    # Densities cross at +-c, between which the narrower one has more mass.
    cross = np.sqrt(-2 * np.log(WIDTH) / (1 / WIDTH**2 - 1))
    variation = 2 * (norm.cdf(cross / WIDTH) - norm.cdf(cross))
    assert weights.best_accuracy.mean() == pytest.approx(0.5 + variation / 2, abs=0.002)
    assert weights.ess_share.mean() == pytest.approx(WIDTH * np.sqrt(2 - WIDTH**2), abs=0.005)
    chosen = np.take_along_axis(x, weights.chosen(1250, 0), 1)
    assert chosen.std() == pytest.approx(WIDTH, abs=0.005)
    # A fourth is taken, and no weight is above four.
    assert all(len(set(row)) == 1250 for row in weights.chosen(1250, 0))


@pytest.mark.parametrize("exact", [True, False])
def test_masses_are_uniform_of_the_exact_posterior_alone(exact):
    weights, x, truth = weighed(4000, 8)
    if exact:
        weights = DrawWeights.equal(*x.shape)
    references = np.random.default_rng(1).standard_normal((len(x), 2, 1))
    orders = [squared_distances(of, references) for of in (x[..., None], truth[:, None, None])]
    masses = masses_of_draws(weights, orders[0], orders[1][:, 0], 0)
    assert masses.closer.shape == (4000, 2)
    p_value = kstest(masses.central, "uniform").pvalue
    judged = judged_rows(masses, LEVELS)[0]
    assert (p_value > 0.01) == exact
    assert (judged["p_value"] > 0.01) == exact


DATASET: dict[str, Any] = {
    "kind": "gaussian_mixture",
    "dimension": 3,
    "components": 3,
    "decay": 1.0,
    "separation": 1.0,
    "seed": 4,
}
MIXTURE = exact_mixture(DATASET)
BASIS = Eigenbasis.fit(draw_fresh(DATASET, 20_000, 0))


def measured(
    settings: dict[str, Any], width: float = 1.0, noise_stds: Sequence[float] = ()
) -> dict[str, dict[str, dict[str, Any]]]:
    """Rows by prior, of the flow of the exact denoiser of a mixture whose components are too wide by a factor."""
    means, weights, covariances = MIXTURE
    denoiser = exact_denoiser(
        make_schedule(BASIS.eigenvalues, **settings), BASIS, means, weights, width**2 * covariances
    )
    found = measure(
        Flow(denoiser, BASIS, solver=SolverSettings("adams_bashforth6", 28)),
        mixture=MIXTURE,
        sizes={"samples": 100, "observations": 100, "draws": 8},
        noise_stds=noise_stds,
        missing=0.5,
        references=4,
        levels=LEVELS,
        steps=None,
        seed=0,
    )
    rows = {f"{row['prior']}, {row['observed']}": row for row in found.tables["known_posteriors"]}
    return {"densities": {row["prior"]: row for row in found.tables["known_densities"]}, "posteriors": rows}


def test_the_exact_flow_has_exact_posteriors_and_the_gaussian_does_not():
    found = measured(PRP, noise_stds=[1.0])
    learned, gaussian = (found["densities"][prior] for prior in ("learned", "gaussian"))
    assert abs(learned["divergence"]) < 1e-3
    assert learned["latent_error_all"] < 1e-3 < 0.1 < gaussian["latent_error"]
    assert gaussian["divergence"] > 3 * gaussian["divergence_error"]
    for task in ("noise 1", "2 missing"):
        for prior in ("exact", "learned"):
            row = found["posteriors"][f"{prior}, {task}"]
            assert row["ess_share"] == pytest.approx(1, abs=1e-3)
            assert row["best_accuracy"] == pytest.approx(0.5, abs=0.005)
            # 200 draws of each kind, of which a blind classifier is right about half of the time.
            assert all(abs(row[f"c2st_{space}"] - 0.5) < 0.08 for space in "xz")
            assert min(row[f"p_value_{space}"] for space in ("x", "z", "density")) > 1e-3
        control = found["posteriors"][f"gaussian, {task}"]
        assert control["best_accuracy"] > 0.6
        assert control["ess_share"] < 0.8
        assert control["p_value_density"] < 1e-6


def test_too_wide_components_are_rejected():
    found = measured(PRP, 1.5)
    assert found["densities"]["learned"]["divergence"] > 0.03
    assert found["densities"]["learned"]["latent_error"] > 0.03
    row = found["posteriors"]["learned, 2 missing"]
    assert row["best_accuracy"] > 0.55
    assert row["p_value_density"] < 1e-3


def test_of_a_reducing_flow_that_is_exact_the_prior_gap_is_all_that_is_wrong():
    found = measured(PRR)
    densities = found["densities"]
    gap = densities["exact_flow"]
    assert gap["divergence"] > 0.01
    assert densities["learned"]["divergence"] == pytest.approx(gap["divergence"], rel=0.01)
    assert abs(densities["learned_true_latents"]["divergence"]) < 1e-3
    posteriors = found["posteriors"]
    assert posteriors["learned, 2 missing"]["ess_share"] == pytest.approx(
        posteriors["exact_flow, 2 missing"]["ess_share"], rel=0.01
    )
    assert posteriors["learned_true_latents, 2 missing"]["ess_share"] == pytest.approx(1, abs=1e-3)


def test_data_sets_without_a_known_density_or_of_many_coordinates_are_refused():
    base = {
        "datasets": {
            "digits": {"schedules": ["prp"]},
            "high": {"kind": "gaussian_mixture", "dimension": 65, "schedules": ["prp"]},
        },
        "schedules": {"prp": {"signal_left": 1e-2}},
        "networks": {"toy": {"kind": "mlp"}},
        "training": {"toy": {}},
    }
    load_config(base)
    for name, message in (
        ("digits", "whose density is known, got digits of kind digits"),
        ("high", "at most 64 coord"),
    ):
        with pytest.raises(ConfigError, match=rf"known_posteriors\.datasets\.{name}.*{message}"):
            load_config(changed(base, experiments__known_posteriors__datasets={name: {}}))
    with pytest.raises(ConfigError, match=r"tarp\.datasets.*a toy of at most 3 dimensions, .* got high of kind"):
        load_config(changed(base, experiments__tarp__datasets=["high"]))
