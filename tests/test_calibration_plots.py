"""Figures of inference and calibration show what their tables and draws say."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from inflationary_flows.experiments.propagation.measure import propagate
from inflationary_flows.experiments.shell_retention.measure import STAGES
from inflationary_flows.metrics.ranks import rank_rows
from inflationary_flows.metrics.shells import sphere
from inflationary_flows.plotting.calibration import (
    plot_identifiability,
    plot_posterior_ranks,
    plot_tarp,
    plot_weight_ranks,
)
from inflationary_flows.plotting.hmc import WeightPosterior, plot_samplers, plot_traces, plot_weights
from inflationary_flows.plotting.propagation import plot_propagation
from inflationary_flows.plotting.shells import plot_coverage, plot_coverage_schematic, plot_residuals
from inflationary_flows.plotting.style import save_figure
from oracles import PRR, GaussianCase

PAIRS = [("circles", "PRP"), ("circles", "PRR to 1"), ("S curve", "PRP")]
PRIORS = ["learned", "exact", "miscalibrated"]


def table(rows_of, *keys: dict) -> pd.DataFrame:
    """Rows for every pair of data set and schedule, and every one of the keys."""
    return pd.DataFrame(
        {"dataset": dataset, "schedule": schedule, **key, **row}
        for dataset, schedule in PAIRS
        for key in keys or ({},)
        for row in rows_of()
    )


def rank_table(quantities: list[str]) -> pd.DataFrame:
    fractions = np.random.default_rng(0).random(200)
    keys = [{"flow": prior, "noise_std": noise} for prior in PRIORS for noise in (0.3, 1.0)]
    return table(lambda: [row for name in quantities for row in rank_rows(fractions, name, bins=10, seed=0)], *keys)


def tarp_table() -> pd.DataFrame:
    keys = [{"flow": prior, "noise_std": noise} for prior in PRIORS for noise in (0.3, 1.0)]
    return table(
        lambda: [{"level": a, "coverage": a + 0.01, "se": 0.005, "p_value": 0.2} for a in (0.1, 0.5, 0.9)], *keys
    )


def coverage_table() -> pd.DataFrame:
    return table(
        lambda: [
            {"radius": r, "stage": stage, "percent_inside": 20 * r + 0.1 * k}
            for r in (1.0, 2.0, 3.0)
            for k, stage in enumerate(STAGES)
        ],
        {"seed": 0},
        {"seed": 1},
    )


def residual_table() -> pd.DataFrame:
    clocks = np.linspace(0, 1, 5)
    return table(
        lambda: [{"time_a": a, "time_b": b, "correlation": np.exp(a - b)} for a in clocks for b in clocks if a <= b],
        *({"seed": 0, "denoiser": name} for name in ("learned", "exact")),
    )


def identifiability_table() -> pd.DataFrame:
    kinds = [("seed", 0.01), ("seed", 0.02), ("architecture", 0.03), ("exact", 0.04)]
    return table(lambda: [{"kind": kind, "rms_latent_difference": value} for kind, value in kinds])


def posteriors(concentration: list[float], chains: int = 4) -> list[WeightPosterior]:
    random = np.random.default_rng(0)
    return [WeightPosterior(name, random.dirichlet(concentration, (chains, 200))) for name in ("PRP", "PRR to 1")]


def observed() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    points = {name: random.standard_normal((80, 2)) for name in ("y", "x_clean", "x")}
    means, stds = np.zeros((3, 2)), np.array([[0.75, 0.75], [0.1, 1], [1, 0.1]])
    return points | {
        "component": np.arange(80) % 3,
        "weights": np.array([0.5, 0.25, 0.25]),
        "means": means,
        "stds": stds,
    }


def shells(dimension: int) -> dict[str, np.ndarray]:
    ball = sphere(dimension, 1.0, 30)
    moved = np.stack([radius * ball.vertices for radius in (1.0, 2.0, 3.0)])
    arrays = {f"{stage}_shells": moved for stage in STAGES}
    return arrays | {f"{stage}_points": moved[0] for stage in STAGES} | {"faces": ball.faces}


def ball(examples: int) -> Figure:
    case = GaussianCase(PRR)
    centres = np.random.default_rng(0).standard_normal((examples, 3))
    settings = {"noise_std": 0.1, "samples": 300, "levels": [0.5, 0.9], "frames": 4, "seed": 0}
    return plot_propagation(propagate(case.flow, centres, context=centres, **settings))


TRUTH = [0.5, 0.25, 0.25]
FIGURES = {
    "sbc": (
        lambda: plot_weight_ranks(rank_table(["weight1", "weight2"]).query("flow == 'learned' & noise_std == 1")),
        6,
    ),
    "posterior ranks": (lambda: plot_posterior_ranks(rank_table(["coordinate1", "coordinate2"])), 3),
    "tarp": (lambda: plot_tarp(tarp_table()), 6),
    "identifiability": (lambda: plot_identifiability(identifiability_table()), 1),
    "coverage": (lambda: plot_coverage(coverage_table()), 6),
    "coverage of one flow": (lambda: plot_coverage(coverage_table().query("schedule == 'PRR to 1'")), 2),
    "shells": (lambda: plot_coverage_schematic([("circles", "PRP", shells(2)), ("S curve", "PRP", shells(3))]), 6),
    "residuals": (lambda: plot_residuals(residual_table()), 3),
    "figure 4": (lambda: plot_weights(observed(), posteriors([50, 25, 25]), TRUTH), 9),
    "samplers": (lambda: plot_samplers(posteriors([16, 8, 8]), posteriors([16, 8, 8]), TRUTH, 32), 6),
    "traces": (lambda: plot_traces(posteriors([5, 5, 5])), 4),
    "propagation": (lambda: ball(2), 10),
    "propagation of one example": (lambda: ball(1), 5),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_have_their_panels_and_are_drawn_without_a_warning(name: str, tmp_path: Path) -> None:
    draw, panels = FIGURES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = draw()
        save_figure(figure, tmp_path / "figure.png", tmp_path / "figure.pdf")
    assert len(figure.axes) == panels
    assert all(axis.has_data() for axis in figure.axes)
    assert (tmp_path / "figure.png").stat().st_size > 5000


def test_rank_histograms_have_the_counts_and_the_band_of_the_table() -> None:
    chosen = rank_table(["weight1"]).query("flow == 'learned' & noise_std == 1")
    axis = plot_weight_ranks(chosen).axes[0]
    counts = chosen["count"].iloc[:10].tolist()
    heights = [bar.get_height() for bar in axis.containers[0]]
    assert heights == counts
    assert f"{chosen['p_value'].iloc[0]:.2g}" in axis.get_title()


def test_coverage_is_drawn_as_its_difference_to_the_nominal_level() -> None:
    axis = plot_tarp(tarp_table()).axes[0]
    curves = [line for line in axis.lines if len(line.get_xdata()) == 3]
    assert len(curves) == len(PRIORS)
    for line in curves:
        np.testing.assert_allclose(line.get_ydata(), 0.01, atol=1e-12)


def test_changes_of_shells_are_those_of_the_table() -> None:
    figure = plot_coverage(coverage_table())
    below = figure.axes[3:]
    for axis in below:
        heights = [np.array(container.lines[0].get_ydata(), float) for container in axis.containers]
        np.testing.assert_allclose(heights, [[0.1] * 3, [0.2] * 3], atol=1e-9)


def test_posterior_means_and_truth_are_marked_where_they_are() -> None:
    drawn = posteriors([50, 25, 25])
    axis = plot_weights(observed(), drawn, TRUTH).axes[3]
    marks = {line.get_label(): line.get_xydata()[0] for line in axis.lines if len(line.get_xdata()) == 1}
    np.testing.assert_allclose(marks["posterior mean"], drawn[0].pooled[:, :2].mean(0))
    np.testing.assert_allclose(marks["truth"], TRUTH[:2])


def test_equal_chains_have_flat_rank_histograms() -> None:
    draws = np.repeat(np.random.default_rng(0).random((1, 400, 1)), 2, axis=0)
    weights = np.concatenate([draws, (1 - draws) / 2, (1 - draws) / 2], axis=2)
    rank = plot_traces([WeightPosterior("twice the same", weights)]).axes[1]
    for patch in rank.patches:
        np.testing.assert_allclose(patch.get_data().values, 1, atol=0.11)
