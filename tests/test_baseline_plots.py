"""Figures of the comparison with injective flows show what tables and points say; methods look the same in all."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from inflationary_flows.errors import DataError
from inflationary_flows.experiments.baselines.figure import (
    draw_baseline_costs,
    draw_baseline_coverage,
    draw_baseline_frechet,
    draw_baseline_points,
    draw_baseline_reconstruction,
    draw_baseline_samples,
    draw_baseline_scores,
    frechet_metrics,
)
from inflationary_flows.experiments.baselines.panels import method_looks
from inflationary_flows.experiments.baselines.points import Pictures, PointRow, draw_points
from inflationary_flows.plotting.labels import Labels
from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.style import COLOURS, DOUBLE_COLUMN, MARKERS, save_figure

METHODS = {
    "inflationary_flow": "Inflationary flow",
    "m_flow": "M-Flow",
    "rectangular_flow": "Rectangular flow",
    "canonical_manifold_flow": "Canonical manifold flow",
}
Pair = tuple[str, str]
TOYS = [("circles", "PRR to 1"), ("moons", "PRR to 1"), ("S curve", "PRR to 2")]
IMAGES = [("digits", "PRR to 2"), ("digits", "PRR to 10")]
PAIRS = [*TOYS, *IMAGES]
MORE = [*PAIRS, ("circles in 3-D", "PRR to 2")]
# Of our flow, and the factor of all other methods.
VALUES = {
    "energy_distance": (1e-4, 100.0),
    "c2st_accuracy": (0.51, 1.2),
    "reconstruction_mse": (0.02, 1.3),
    "roundtrip_mse": (1e-9, 1e3),
    "parameters": (52_000, 0.99),
    "steps": (100, 1.0),
    "step_seconds": (0.5, 1.05),
    "training_seconds": (50.0, 1.05),
    "sample_seconds": (3e-4, 0.1),
}
DISTANCE = {"fd_digits": (12.0, 5.0)}
COMPARED = 5000


def table(pairs: Sequence[Pair] = PAIRS, seeds: int = 3, methods: Sequence[str] = tuple(METHODS)) -> pd.DataFrame:
    """The values of our flow, those of all others a factor away; a tenth is added from seed to seed."""
    rows = [
        {"method": method, "dataset": dataset, "schedule": schedule, "seed": seed, "metric": metric, "n": COMPARED}
        | {"random": "D" if metric in ("energy_distance", "c2st_accuracy") else None}
        | {"value": value * (factor if place else 1) * (1 + 0.1 * seed)}
        for dataset, schedule in pairs
        for place, method in enumerate(methods)
        for seed in range(seeds)
        for metric, (value, factor) in (VALUES | (DISTANCE if dataset == "digits" else {})).items()
    ]
    best = [{**row, "metric": "fd_digits_best"} for row in rows if row["metric"] == "fd_digits"]
    return pd.DataFrame([*rows, *best])


def floor(n: int = COMPARED) -> pd.DataFrame:
    quantiles = {"energy_distance": 2e-4, "sliced_wasserstein": 1.0, "c2st_accuracy": 0.52}
    return pd.DataFrame(
        {"dataset": name, "metric": metric, "q95": value, "n": n}
        for name in ("circles", "moons")
        for metric, value in quantiles.items()
    )


def coverage(pairs: Sequence[Pair] = TOYS, seeds: int = 3, noises: Sequence[float] = (0.3, 1.0)) -> pd.DataFrame:
    return pd.DataFrame(
        {"method": method, "dataset": dataset, "schedule": schedule, "seed": seed, "noise_std": noise}
        | {"random": "D", "reference": reference, "level": level, "se": 0.02}
        | {"coverage": level + 0.01 * (seed - 1) - 0.05 * place * (reference == "worst")}
        for dataset, schedule in pairs
        for place, method in enumerate(METHODS)
        for seed in range(seeds)
        for noise in noises
        for reference in ("random", "worst")
        for level in (0.1, 0.3, 0.5, 0.7, 0.9)
    )


def scores(pairs: Sequence[Pair] = TOYS, seeds: int = 3) -> pd.DataFrame:
    """Scores of methods and references, from D random numbers and from d; the later a method, the worse."""
    return pd.DataFrame(
        {"method": method, "dataset": dataset, "schedule": schedule, "seed": seed, "metric": f"{metric}_{noise}"}
        | {"random": random, "value": value * (1 + place + (random == "d")), "n": 100}
        for dataset, schedule in pairs
        for place, method in enumerate(["exact", *METHODS, "gaussian", "box"])
        for seed in range(seeds if method in METHODS else 1)
        for noise in ("0.3", "1")
        for metric, value in (("tarp_error", 0.02), ("log_score", -0.5), ("energy_score", 0.3))
        for random in ("D", "d")
        if random == "D" or method not in ("exact", "box")
    )


LABELS = Labels({"baselines": {"methods": {name: {"kind": name, "label": label} for name, label in METHODS.items()}}})


def compared(rows: pd.DataFrame, floors: pd.DataFrame | None = None) -> Material:
    """The merged table, and that of fresh points."""
    tables = {"baselines": rows, "baseline_coverage": rows}
    return Material(LABELS, tables if floors is None else {**tables, "floors": floors})


def points(dimension: int, n: int = 60) -> dict[str, dict[str, np.ndarray]]:
    """Of every method; generated points of a later one are farther out."""
    random = np.random.default_rng(0)
    held_out = random.uniform(-1, 1, (n, dimension))
    return {
        method: {"generated": held_out[::-1] * (1 + k), "held_out": held_out, "reconstructed": 0.5 * held_out}
        for k, method in enumerate(METHODS)
    }


def row(dimension: int, title: str = "toy") -> PointRow:
    return PointRow(title, points(dimension))


def images(shape: tuple[int, int, int], levels: int) -> PointRow:
    return PointRow("images", points(int(np.prod(shape))), Pictures(shape, levels))


ONE = [("photo patches", "PRR to 30")]
FIGURES: dict[str, tuple[Any, int]] = {
    "samples": (lambda: draw_baseline_samples(compared(table(), floor())), 10),
    "samples, no floor": (lambda: draw_baseline_samples(compared(table(ONE, 1))), 2),
    "samples of many": (lambda: draw_baseline_samples(compared(table(MORE), floor())), 12),
    "reconstruction": (lambda: draw_baseline_reconstruction(compared(table())), 10),
    "frechet": (lambda: draw_baseline_frechet(compared(table())), 2),
    "frechet of one": (lambda: draw_baseline_frechet(compared(table(IMAGES[:1], 1))), 1),
    "coverage": (lambda: draw_baseline_coverage(compared(coverage())), 6),
    "coverage of one": (lambda: draw_baseline_coverage(compared(coverage(TOYS[:1], 1, (1.0,)))), 1),
    "coverage of many": (lambda: draw_baseline_coverage(compared(coverage(MORE, 1))), 12),
    "scores": (lambda: draw_baseline_scores(compared(scores())), 9),
    "scores of one": (lambda: draw_baseline_scores(compared(scores(TOYS[:1], 1))), 3),
    "costs": (lambda: draw_baseline_costs(compared(table(TOYS))), 9),
    "costs of one": (lambda: draw_baseline_costs(compared(table(ONE, 1))), 3),
    "points": (lambda: draw_points([row(2), row(3), row(10), images((1, 8, 8), 16)], METHODS), 20),
    "points of toys": (lambda: draw_points([row(2)], METHODS), 4),
    "points of images": (lambda: draw_points([images((3, 8, 6), 255)], METHODS), 8),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_have_their_panels_stay_on_the_page_and_are_drawn_without_a_warning(name: str, tmp_path: Path) -> None:
    draw, panels = FIGURES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure: Figure = draw()
        save_figure(figure, tmp_path / "figure.png", tmp_path / "figure.pdf")
    assert len(figure.axes) == panels
    assert all(axis.has_data() for axis in figure.axes)
    drawn = figure.get_tightbbox()
    assert figure.get_figwidth() <= DOUBLE_COLUMN + 1e-9
    assert figure.get_figheight() < 11.5
    assert min(drawn.x0, drawn.y0) > -0.02
    assert drawn.x1 < figure.get_figwidth() + 0.02
    assert drawn.y1 < figure.get_figheight() + 0.02


@pytest.mark.parametrize("name", ["frechet of one", "points of toys"])
def test_equal_figures_are_equal_to_the_byte(name: str, tmp_path: Path) -> None:
    for run in ("first", "second"):
        save_figure(FIGURES[name][0](), tmp_path / f"{run}.png", tmp_path / f"{run}.pdf")
    for suffix in ("png", "pdf"):
        assert (tmp_path / f"first.{suffix}").read_bytes() == (tmp_path / f"second.{suffix}").read_bytes()


def bars_of(axis: Axes) -> list[ErrorbarContainer]:
    return [container for container in axis.containers if isinstance(container, ErrorbarContainer)]


def spans_of(axis: Axes) -> list[tuple[float, float]]:
    """Left and right edge of each band."""
    return [
        (patch.get_x(), patch.get_x() + patch.get_width()) for patch in axis.patches if isinstance(patch, Rectangle)
    ]


def test_means_bars_and_dots_are_those_of_the_seeds() -> None:
    axis = draw_baseline_reconstruction(compared(table())).axes[0]
    values = 0.02 * np.array([1, 1.1, 1.2])
    mark, _, (lines,) = bars_of(axis)[0]
    assert mark.get_xdata()[0] == pytest.approx(values.mean())
    ends = lines.get_segments()[0][:, 0]
    np.testing.assert_allclose(ends, values.mean() + 2 * values.std(ddof=1) / np.sqrt(3) * np.array([-1, 1]))
    dots = next(line for line in axis.lines if len(line.get_xdata()) == 3)
    np.testing.assert_allclose(sorted(dots.get_xdata()), values)


def test_a_single_seed_is_a_marker_alone() -> None:
    axis = draw_baseline_reconstruction(compared(table(seeds=1))).axes[0]
    assert [len(line.get_xdata()) for line in axis.lines] == [1] * len(METHODS)


def test_methods_have_one_place_colour_and_marker_in_all_figures() -> None:
    looks = [(COLOURS[k], MARKERS[k]) for k in range(len(METHODS))]
    assert list(method_looks(METHODS).values()) == looks
    for draw in (draw_baseline_samples, draw_baseline_reconstruction, draw_baseline_frechet, draw_baseline_costs):
        for axis in draw(compared(table(IMAGES))).axes:
            marks = [bar.lines[0] for bar in bars_of(axis)]
            assert [(to_hex(mark.get_color()).upper(), mark.get_marker()) for mark in marks] == looks
            assert [mark.get_ydata()[0] for mark in marks] == [0, 1, 2, 3]
    # A method that a table lacks leaves no gap, and the others keep their colours.
    fewer = table(methods=[name for name in METHODS if name != "m_flow"])
    axis = draw_baseline_reconstruction(compared(fewer)).axes[0]
    assert [bar.lines[0].get_marker() for bar in bars_of(axis)] == ["o", "^", "D"]
    assert [label.get_text() for label in axis.get_yticklabels()] == [
        METHODS[name] for name in fewer["method"].unique()
    ]


def test_floor_is_that_of_as_many_points_as_are_compared() -> None:
    energy, accuracy = draw_baseline_samples(compared(table(TOYS[:1]), floor(COMPARED // 4))).axes[:2]
    assert spans_of(energy)[0][1] == pytest.approx(2e-4 / 4)
    assert spans_of(accuracy)[0][1] == pytest.approx(0.5 + 0.02 / 2)
    # Of a data set without a floor nothing is claimed.
    other, _ = draw_baseline_samples(compared(table(TOYS[2:]), floor())).axes[:2]
    assert spans_of(other) == []


def test_negative_energy_distances_are_in_sight() -> None:
    negative = table(TOYS)
    ours = (negative["method"] == "inflationary_flow") & (negative["metric"] == "energy_distance")
    negative.loc[ours, "value"] *= -1
    for axis in draw_baseline_samples(compared(negative)).axes[:3]:
        assert axis.get_xlim()[0] < -1.2e-4
        assert axis.get_xscale() == "symlog"
    assert all(axis.get_xscale() == "log" for axis in draw_baseline_samples(compared(table(TOYS))).axes[:3])


def test_bands_of_costs_are_a_fifth_around_ours() -> None:
    parameters, seconds, sample = draw_baseline_costs(compared(table(ONE))).axes
    assert spans_of(parameters) == [pytest.approx((0.8 * 57_200, 1.2 * 57_200))]
    assert spans_of(seconds) == [pytest.approx((0.8 * 55, 1.2 * 55))]
    assert spans_of(sample) == []
    for axis in (parameters, seconds):
        assert axis.get_xlim()[0] == 0
        assert axis.get_xlim()[1] > spans_of(axis)[0][1]


def test_missing_values_are_said() -> None:
    lacking = table(TOYS[:1])
    diverged = (lacking["method"] == "m_flow") & (lacking["metric"] == "reconstruction_mse")
    lacking.loc[diverged & (lacking["seed"] == 1), "value"] = np.nan
    axis = draw_baseline_reconstruction(compared(lacking)).axes[0]
    assert [text.get_text() for text in axis.texts] == ["2 of 3 seeds"]
    lacking.loc[diverged, "value"] = np.nan
    axis = draw_baseline_reconstruction(compared(lacking)).axes[0]
    assert [text.get_text() for text in axis.texts] == ["no value"]
    assert len(bars_of(axis)) == len(METHODS) - 1


def test_best_draws_are_hollow_where_there_are_several() -> None:
    def hollow(axis: Axes) -> list[float]:
        return [line.get_xdata()[0] for line in axis.lines if line.get_markerfacecolor() == "white"]

    one = table(IMAGES[:1])
    assert frechet_metrics(table()) == ["fd_digits"]
    assert hollow(draw_baseline_frechet(compared(one)).axes[0]) == []
    one.loc[one["metric"] == "fd_digits_best", "value"] *= 0.9
    axis = draw_baseline_frechet(compared(one)).axes[0]
    means = [bar.lines[0].get_xdata()[0] for bar in bars_of(axis)]
    np.testing.assert_allclose(hollow(axis), 0.9 * np.array(means))
    assert axis.get_xlabel() == "FD-digits"


def test_coverage_is_drawn_as_its_mean_difference_to_the_nominal_level() -> None:
    axis = draw_baseline_coverage(compared(coverage())).axes[0]
    thick = [line for line in axis.lines if line.get_marker() in MARKERS]
    # The last lies above the others.
    for line, gap in zip(reversed(thick), (0, -0.05, -0.1, -0.15), strict=True):
        np.testing.assert_allclose(line.get_ydata(), gap, atol=1e-12)
    assert len(axis.lines) == 1 + 4 * len(METHODS)
    band = axis.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((-0.04, 0.04))


def test_scores_are_what_the_exact_density_has_more() -> None:
    figure = draw_baseline_scores(compared(scores(TOYS[:1])))
    error, log_score, energy = figure.axes
    means = [bar.lines[0].get_xdata()[0] for bar in bars_of(error)]
    # Methods first, references below them.
    np.testing.assert_allclose(means, 0.02 * np.array([2, 3, 4, 5, 1, 6, 7]))
    assert [text.get_text() for text in error.get_yticklabels()][4:] == ["Exact density", "Gaussian (PCA)", "Flat box"]
    for axis, unit in ((log_score, 0.5), (energy, 0.3)):
        means = [bar.lines[0].get_xdata()[0] for bar in bars_of(axis)]
        np.testing.assert_allclose(means, unit * np.array([1, 2, 3, 4, 5, 6]))
        hollow = [line.get_xdata()[0] for line in axis.lines if line.get_markerfacecolor() == "white"]
        np.testing.assert_allclose(hollow, unit * np.array([2, 3, 4, 5, 6]))


def test_toys_are_drawn_over_held_out_points_within_their_frame() -> None:
    first, *_, last = draw_points([row(2)], METHODS).axes
    grey, coloured = first.collections
    assert len(set(grey.get_facecolors()[0][:3])) == 1
    assert to_hex(coloured.get_facecolors()[0]).upper() == COLOURS[0]
    held_out = points(2)["m_flow"]["held_out"]
    np.testing.assert_allclose(grey.get_offsets(), held_out - held_out.mean(0))
    # Three times as far out, most of them are beyond the frame.
    limit = last.get_xlim()[1]
    drawn = np.asarray(last.collections[1].get_offsets())
    assert len(drawn) < len(held_out) / 2
    assert np.abs(drawn).max() <= limit


def test_reconstructions_are_beside_their_originals() -> None:
    shape, levels = (1, 4, 5), 16
    figure = draw_points([images(shape, levels)], METHODS)
    lower = figure.axes[1].images[0].get_array()
    held_out, reconstructed = lower[:4, :5, 0], lower[5:9, :5, 0]
    first = points(20)["m_flow"]
    for drawn, expected in ((held_out, first["held_out"][0]), (reconstructed, first["reconstructed"][0])):
        np.testing.assert_allclose(drawn, np.rint((expected.reshape(4, 5) + 1) * 8) / 16)


def test_rows_are_data_sets_with_their_schedules_and_columns_methods() -> None:
    of_method = points(2)
    models = [[method, dataset, "PRR to 1", "0"] for method in METHODS for dataset in ("circles", "moons")]
    arrays = [of_method[method] for method, *_ in models]
    figure = draw_baseline_points(Material(LABELS, arrays={"points": arrays}, params={"models": models, "images": {}}))
    assert len(figure.axes) == 2 * len(METHODS)
    assert {text.get_text() for text in figure.texts} == {"circles", "moons", *METHODS.values()}


def test_points_of_another_size_than_the_images_are_refused() -> None:
    with pytest.raises(DataError, match="64 coordinates"):
        draw_points([PointRow("digits", points(9), Pictures((1, 8, 8), 16))], METHODS)


def test_labels_of_methods_begin_with_our_flow_and_keep_the_order_of_the_configuration() -> None:
    methods = {
        "rectangular": {"kind": "rectangular_flow", "label": "Rectangular flow"},
        "ours": {"kind": "inflationary_flow"},
        "m_flow": {"kind": "m_flow", "label": None},
    }
    labels = Labels({"baselines": {"methods": methods}})
    assert labels.methods(["m_flow", "new"]) == {
        "ours": "ours",
        "rectangular": "Rectangular flow",
        "m_flow": "m_flow",
        "new": "new",
    }
    assert list(Labels().methods(["m_flow", "inflationary_flow"])) == ["inflationary_flow", "m_flow"]
