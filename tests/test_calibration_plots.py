"""Figures of inference and calibration show what their tables and draws say."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.figure import Figure

from inflationary_flows.experiments.hmc.figure import draw_fig04, draw_hmc_samplers, draw_hmc_traces
from inflationary_flows.experiments.identifiability.figure import draw_identifiability
from inflationary_flows.experiments.image_posteriors.figure import draw_image_posteriors
from inflationary_flows.experiments.known_posteriors.figure import draw_known_posteriors
from inflationary_flows.experiments.propagation.figure import draw_propagation
from inflationary_flows.experiments.propagation.measure import propagate
from inflationary_flows.experiments.residuals.figure import draw_residual_correlation
from inflationary_flows.experiments.sbc.figure import draw_posterior_ranks, draw_sbc
from inflationary_flows.experiments.shell_retention.figure import draw_shell_retention, draw_shell_retention_schematic
from inflationary_flows.experiments.shell_retention.measure import STAGES
from inflationary_flows.experiments.tarp.figure import draw_tarp
from inflationary_flows.files.datasets import load_dataset, save_dataset, save_datasets
from inflationary_flows.files.tensors import save_tensors
from inflationary_flows.metrics.posterior_draws import group_rows
from inflationary_flows.metrics.ranks import rank_rows
from inflationary_flows.metrics.shells import sphere
from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.style import save_figure
from oracles import PRR, GaussianCase

PAIRS = [("circles", "PRP"), ("circles", "PRR to 1"), ("S curve", "PRP")]
PRIORS = ["learned", "learned_gaussian", "exact", "miscalibrated", "gaussian", "box"]


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
    keys = [{"seed": 0, "flow": prior, "noise_std": noise} for prior in PRIORS for noise in (0.3, 1.0)]
    return table(lambda: [row for name in quantities for row in rank_rows(fractions, name, bins=10, seed=0)], *keys)


def tarp_table() -> pd.DataFrame:
    seeds = {"learned": (0, 1)}
    keys = [
        {"seed": seed, "flow": prior, "noise_std": noise}
        for prior in PRIORS
        for seed in seeds.get(prior, (0,))
        for noise in (0.3, 1.0)
    ]
    return table(
        lambda: [
            {"reference": name, "level": a, "coverage": a + gap, "se": 0.005, "p_value": 0.2}
            for name, gap in (("random", 0.002), ("centre", 0.004), ("worst", 0.01))
            for a in (0.1, 0.5, 0.9)
        ],
        *keys,
    )


def known() -> Figure:
    rows = {"known_densities": ("divergence", "latent_error"), "known_posteriors": ("best_accuracy", "c2st_x")}
    rows["known_posteriors"] += ("worst_x", "worst_density")
    keys = [
        {"prior": prior, "observed": seen} for prior in ("learned", "gaussian") for seen in ("noise 1", "3 missing")
    ]
    tables = {name: table(lambda c=columns: [dict.fromkeys(c, 0.3)], *keys) for name, columns in rows.items()}
    return draw_known_posteriors(Material(tables=tables))


def retention_table() -> pd.DataFrame:
    return table(
        lambda: [
            {"radius": r, "stage": stage, "percent_inside": 20 * r + 0.1 * k}
            for r in (1.0, 2.0, 3.0)
            for k, stage in enumerate(STAGES)
        ],
        *({"seed": seed, "weights": weights} for seed in (0, 1) for weights in ("learned", "shuffled")),
    )


def residual_table() -> pd.DataFrame:
    clocks = np.linspace(0, 1, 5)
    return table(
        lambda: [{"time_a": a, "time_b": b, "correlation": np.exp(a - b)} for a in clocks for b in clocks if a <= b],
        *({"seed": 0, "denoiser": name} for name in ("learned", "exact")),
    )


def identifiability_table() -> pd.DataFrame:
    kinds = [("seed", 0.01), ("seed", 0.02), ("architecture", 0.03), ("exact", 0.04), ("sample", 1.2)]
    return table(lambda: [{"kind": kind, "rms_latent_difference": value} for kind, value in kinds])


def posteriors(folder: Path, name: str, concentration: list[float], flows: int = 2) -> dict[str, list[str]]:
    """Files of draws of the weights, 4 chains of 200 draws each."""
    random, paths = np.random.default_rng(0), [str(folder / f"{name}{k}.nc") for k in range(flows)]
    for path in paths:
        draws = random.dirichlet(concentration, (4, 200))
        save_dataset(path, xr.Dataset({"weights": (("chain", "draw", "component"), draws)}))
    return {name: paths}


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


def image_rank_table() -> pd.DataFrame:
    fractions = np.random.default_rng(0).random((60, 8))
    keys = [
        {"seed": 0, "prior": prior, "statistic": statistic}
        for prior in ("learned", "mixture", "gaussian", "learned_narrow", "exact")
        for statistic in ("pixels", "scores", "distance", "density")
        if (prior, statistic) != ("learned_narrow", "density")
    ]
    return table(lambda: group_rows(fractions, [f"pixel{i}" for i in range(8)], 5), *keys)


def of_table(name: str, rows: pd.DataFrame) -> Material:
    return Material(tables={name: rows})


def ranks() -> Material:
    """Of the weights under one prior and at one noise, as the workflow measures them, and of coordinates."""
    weights = rank_table(["weight1", "weight2"]).query("flow == 'learned' & noise_std == 1")
    return of_table("sbc", pd.concat([weights, rank_table(["coordinate1", "coordinate2"])]))


def schematic() -> Figure:
    flows = [["circles", "PRP", "0"], ["S curve", "PRP", "0"]]
    arrays = [{f"PRP/seed0/{k}": v for k, v in shells(dimension).items()} for dimension in (2, 3)]
    return draw_shell_retention_schematic(Material(arrays={"shells": arrays}, params={"flows": flows}))


def balls(folder: Path, examples: int, schedules: int = 1) -> Figure:
    case = GaussianCase(PRR)
    centres = np.random.default_rng(0).standard_normal((examples, 3))
    settings = {"noise_std": 0.1, "samples": 300, "levels": [0.5, 0.9], "frames": 4, "seed": 0}
    posterior = propagate(case.flow, centres, context=centres, **settings)
    names = [f"s{k}" for k in range(schedules)]
    save_datasets(folder / "propagation.nc", {f"{name}_seed0": posterior for name in names})
    files = {"posteriors": [str(folder / "propagation.nc")]}
    return draw_propagation(Material(files=files, params={"flows": [["toy", name, "0"] for name in names]}))


TRUTH = [0.5, 0.25, 0.25]
FLOWS = [["circles", "PRP", "0"], ["circles", "PRR to 1", "0"]]


def figure4(folder: Path) -> Figure:
    save_tensors(folder / "observations.safetensors", observed(), {"kind": "observations"})
    files = {"observations": [str(folder / "observations.safetensors")]}
    files |= posteriors(folder, "posteriors", [50, 25, 25])
    return draw_fig04(Material(files=files, params={"flows": FLOWS, "truth": TRUTH}))


def samplers(folder: Path) -> Figure:
    files = posteriors(folder, "joint", [16, 8, 8]) | posteriors(folder, "collapsed", [16, 8, 8])
    return draw_hmc_samplers(Material(files=files, params={"flows": FLOWS, "truth": TRUTH, "observations": 32}))


def traces(files: dict[str, list[str]]) -> Figure:
    listed = [["circles", "PRP", "joint", "32"] for _ in files["traces"]]
    return draw_hmc_traces(Material(files=files, params={"traces": listed}))


FIGURES = {
    "sbc": (lambda _: draw_sbc(ranks()), 6),
    "posterior ranks": (lambda _: draw_posterior_ranks(ranks()), 3),
    "tarp": (lambda _: draw_tarp(of_table("tarp", tarp_table())), 6),
    "known posteriors": (lambda _: known(), 6),
    "ranks of images": (lambda _: draw_image_posteriors(of_table("image_posteriors", image_rank_table())), 12),
    "identifiability": (lambda _: draw_identifiability(of_table("identifiability", identifiability_table())), 1),
    "shells kept": (lambda _: draw_shell_retention(of_table("shell_retention", retention_table())), 6),
    "shells kept by one flow": (
        lambda _: draw_shell_retention(of_table("shell_retention", retention_table().query("schedule == 'PRR to 1'"))),
        2,
    ),
    "shells": (lambda _: schematic(), 6),
    "residuals": (lambda _: draw_residual_correlation(of_table("residual_correlation", residual_table())), 3),
    "figure 4": (figure4, 9),
    "samplers": (samplers, 6),
    "traces": (lambda folder: traces(posteriors(folder, "traces", [5, 5, 5])), 4),
    "propagation": (lambda folder: balls(folder, 2), 10),
    "propagation of one example under two schedules": (lambda folder: balls(folder, 1, 2), 10),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_have_their_panels_and_are_drawn_without_a_warning(name: str, tmp_path: Path) -> None:
    draw, panels = FIGURES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = draw(tmp_path)
        save_figure(figure, tmp_path / "figure.png", tmp_path / "figure.pdf")
    assert len(figure.axes) == panels
    assert all(axis.has_data() for axis in figure.axes)
    assert (tmp_path / "figure.png").stat().st_size > 5000


def test_ranks_of_images_are_relative_to_uniform_ones() -> None:
    rows = image_rank_table().query("dataset == 'circles' & schedule == 'PRP' & statistic == 'pixels'")
    axis = draw_image_posteriors(of_table("image_posteriors", rows)).axes[0]
    for prior, container in zip(("learned", "mixture", "gaussian", "learned_narrow"), axis.containers, strict=True):
        shares = 5 * rows[rows["prior"] == prior]["share"].astype(float)
        np.testing.assert_allclose(container.lines[0].get_ydata().astype(float), shares)


def test_rank_histograms_have_the_counts_and_the_band_of_the_table() -> None:
    chosen = rank_table(["weight1"]).query("flow == 'learned' & noise_std == 1")
    axis = draw_sbc(of_table("sbc", chosen)).axes[0]
    counts = chosen["count"].iloc[:10].tolist()
    heights = [bar.get_height() for bar in axis.containers[0]]
    assert heights == counts
    assert f"{chosen['p_value'].iloc[0]:.2g}" in axis.get_title()


def test_coverage_is_drawn_at_the_worst_reference_as_its_difference_to_the_nominal_level() -> None:
    axis = draw_tarp(of_table("tarp", tarp_table())).axes[0]
    curves = [line for line in axis.lines if len(line.get_xdata()) == 3]
    # The learned flow has two training seeds.
    assert len(curves) == len(PRIORS) + 1
    for line in curves:
        np.testing.assert_allclose(line.get_ydata(), 0.01, atol=1e-12)


def test_changes_of_shells_are_those_of_the_table() -> None:
    figure = draw_shell_retention(of_table("shell_retention", retention_table()))
    below = figure.axes[3:]
    for axis in below:
        heights = [np.array(container.lines[0].get_ydata(), float) for container in axis.containers]
        np.testing.assert_allclose(heights, [[0.1] * 3, [0.2] * 3], atol=1e-9)


def test_posterior_means_and_truth_are_marked_where_they_are(tmp_path: Path) -> None:
    axis = figure4(tmp_path).axes[3]
    drawn = load_dataset(tmp_path / "posteriors0.nc")["weights"].values
    marks = {line.get_label(): line.get_xydata()[0] for line in axis.lines if len(line.get_xdata()) == 1}
    np.testing.assert_allclose(marks["posterior mean"], drawn.mean((0, 1))[:2])
    np.testing.assert_allclose(marks["truth"], TRUTH[:2])


def test_equal_chains_have_flat_rank_histograms(tmp_path: Path) -> None:
    draws = np.repeat(np.random.default_rng(0).random((1, 400, 1)), 2, axis=0)
    weights = np.concatenate([draws, (1 - draws) / 2, (1 - draws) / 2], axis=2)
    save_dataset(tmp_path / "same.nc", xr.Dataset({"weights": (("chain", "draw", "component"), weights)}))
    rank = traces({"traces": [str(tmp_path / "same.nc")]}).axes[1]
    for patch in rank.patches:
        np.testing.assert_allclose(patch.get_data().values, 1, atol=0.11)
