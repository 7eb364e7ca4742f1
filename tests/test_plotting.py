"""Figures: their files are equal from run to run, whole, and show what the tables say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import Axes3D

from inflationary_flows.errors import DataError
from inflationary_flows.plotting.curves import (
    plot_flow_quality,
    plot_participation_ratio,
    plot_solver_comparison,
    plot_training_curves,
)
from inflationary_flows.plotting.digits import (
    as_images,
    plot_digit_roundtrips,
    plot_digit_samples,
    tile,
)
from inflationary_flows.plotting.scaling_study import plot_scaling_study
from inflationary_flows.plotting.style import DOUBLE_COLUMN, label_colours, save_figure
from inflationary_flows.plotting.toys import plot_toys


def snapshots(dimension: int, n: int = 60, frames: int = 3) -> dict[str, np.ndarray]:
    """What `trace_flow` returns, of random points."""
    generator = np.random.default_rng(dimension)
    points = {
        name: generator.uniform(-1, 1, (n, dimension))
        for name in ("original", "roundtrip", "generated_prior", "generated_true_pt")
    }
    return points | {
        "times": np.linspace(0, 7, frames),
        "noise_share": np.linspace(0, 1, frames),
        "inflation": generator.standard_normal((frames, n, dimension)),
        "generation": generator.standard_normal((frames, n, dimension)),
        "inflation_labels": generator.random(n),
        "generation_labels": generator.random(n),
        "kept_dims": np.array(dimension),
    }


def flows() -> list[tuple[str, str]]:
    return [("circles", "PRP"), ("circles", "PRR to 1"), ("digits", "PRP")]


def training_records() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "dataset": dataset,
            "schedule": schedule,
            "seed": 0,
            "step": step,
            "validation_loss": 1 + 100 / step,
            "excess_denoising_error": 1 / step if dataset == "circles" else None,
        }
        for dataset, schedule in flows()
        for step in (100, 200, 300)
    )


def solver_table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "dataset": dataset,
            "schedule": schedule,
            "seed": seed,
            "solver": solver,
            "steps": steps,
            "evaluations": steps * stages,
            "generation_rmse": steps ** -float(stages),
            "roundtrip_rmse": steps ** -float(stages),
        }
        for dataset, schedule in flows()
        for seed in (0, 1)
        for solver, stages in (("reference", 6), ("rk4", 4), ("euler_scaled", 1))
        for steps in ((400,) if solver == "reference" else (8, 16, 32))
    )


def ratio_table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "dataset": dataset,
            "schedule": schedule,
            "kernel": kernel,
            "t": t,
            "t_fraction": t,
            "participation_ratio": 2.0,
        }
        for dataset, schedule in flows()
        for kernel in ("floor", "proportional")
        for t in (0.0, 0.5, 1.0)
    )


def quality_table() -> pd.DataFrame:
    values = {"energy_distance": -1e-4, "sliced_wasserstein": 0.02, "c2st_accuracy": 0.51}
    rows = [
        {
            "dataset": dataset,
            "schedule": schedule,
            "seed": 0,
            "metric": f"{metric}_{source}",
            "value": value,
            "reference": 0.5 if metric == "c2st_accuracy" else 3e-4,
            "n": 100,
        }
        for dataset, schedule in flows()
        for metric, value in values.items()
        for source in ("true_pt", "prior")
    ]
    excess = {"metric": "excess_denoising_error", "value": 2e-3, "reference": 0.0, "n": 100}
    return pd.DataFrame([*rows, {"dataset": "circles", "schedule": "PRP", "seed": 0, **excess}])


LOSSES = {"pca_mse": 0.2, "conditional_variance": 0.3, "reconstruction_mse": 0.4}


def loss_table(seeds: tuple[int, ...] = (0,)) -> pd.DataFrame:
    return pd.DataFrame(
        {"row": row, "seed": seed, "variance": 2.0, "roundtrip_mse": 1e-9, **LOSSES}
        for row in ("S curve", "thin S curve")
        for seed in seeds
    )


def scaling_study(seeds: tuple[int, ...] = (0,)) -> Figure:
    return plot_scaling_study({"S curve": snapshots(3), "thin S curve": snapshots(3)}, loss_table(seeds))


FIGURES = {
    "toys": lambda: plot_toys({"circles": snapshots(2), "swirl": snapshots(3)}),
    "embedded toys": lambda: plot_toys({"circles in 3-D": snapshots(3), "moons in 10-D": snapshots(10)}),
    "scaling study": scaling_study,
    "digits samples": lambda: plot_digit_samples({"PRP": snapshots(64), "PRR": snapshots(64)}),
    "digits round trips": lambda: plot_digit_roundtrips({"PRP": snapshots(64)}),
    "training curves": lambda: plot_training_curves(training_records()),
    "solver comparison": lambda: plot_solver_comparison(solver_table()),
    "participation ratio": lambda: plot_participation_ratio(ratio_table()),
    "flow quality": lambda: plot_flow_quality(quality_table()),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figure_is_saved_equal_to_the_byte_and_within_the_page(name: str, tmp_path: Path) -> None:
    for run in ("first", "second"):
        figure = FIGURES[name]()
        assert isinstance(figure, Figure)
        assert figure.get_figwidth() <= DOUBLE_COLUMN + 1e-9
        save_figure(figure, tmp_path / f"{run}.png", tmp_path / f"{run}.pdf")
    for suffix, magic in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
        content = (tmp_path / f"first.{suffix}").read_bytes()
        assert content.startswith(magic)
        assert content == (tmp_path / f"second.{suffix}").read_bytes()


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_drawn_beyond_the_page(name: str) -> None:
    figure = FIGURES[name]()
    figure.draw_without_rendering()
    drawn = figure.get_tightbbox()
    assert drawn.x0 > -0.02
    assert drawn.y0 > -0.02
    assert drawn.x1 < figure.get_figwidth() + 0.02
    assert drawn.y1 < figure.get_figheight() + 0.02


def test_a_failed_save_leaves_the_old_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "figure.png"
    path.write_bytes(b"old")
    figure = plot_participation_ratio(ratio_table())
    monkeypatch.setattr(figure, "savefig", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_figure(figure, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_solver_panels_hold_the_tables_errors() -> None:
    axis = plot_solver_comparison(solver_table()).axes[0]
    lines = {line.get_label(): line for line in axis.lines}
    rk4 = lines["Runge-Kutta 4"]
    np.testing.assert_allclose(rk4.get_xdata(), [32, 64, 128])
    np.testing.assert_allclose(rk4.get_ydata(), [8.0**-4, 16.0**-4, 32.0**-4])


def test_toy_rows_are_drawn_in_their_dimension() -> None:
    figure = plot_toys({"circles": snapshots(2), "swirl": snapshots(3)})
    assert [axis.name for axis in figure.axes] == ["rectilinear"] * 6 + ["3d"] * 6


def test_data_in_a_plane_are_seen_from_further_above() -> None:
    flat = snapshots(10)
    flat["inflation"][0][:, 2:] = 0.0
    figure = plot_toys({"swirl": snapshots(3), "moons in 10-D": flat})
    elevations = [axis.elev for axis in figure.axes if isinstance(axis, Axes3D)]
    assert len(set(elevations[:6])) == len(set(elevations[6:])) == 1
    assert elevations[6] > elevations[0]


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_scaling_study_shows_the_share_of_variance_lost(seeds: tuple[int, ...]) -> None:
    figure = scaling_study(seeds)
    assert [axis.name for axis in figure.axes] == ["3d"] * 12 + ["rectilinear"]
    bars = figure.axes[-1].containers
    heights = [[bar.get_height() for bar in group] for group in bars if isinstance(group, BarContainer)]
    np.testing.assert_allclose(heights, [[value / 2.0] * 2 for value in LOSSES.values()])


def test_a_constant_participation_ratio_looks_constant() -> None:
    low, high = plot_participation_ratio(ratio_table()).axes[0].get_ylim()
    assert high - low >= 0.1


def test_images_are_square_and_tiled_row_by_row() -> None:
    images = as_images(np.arange(3 * 4.0).reshape(3, 4))
    canvas = tile(images, 2, 2, -1.0)
    assert canvas.shape == (7, 7)
    np.testing.assert_array_equal(canvas[1:3, 4:6], [[4, 5], [6, 7]])
    np.testing.assert_array_equal(canvas[4:6, 1:3], [[8, 9], [10, 11]])
    assert np.all(canvas[4:6, 4:6] == -1)
    with pytest.raises(DataError, match="square"):
        as_images(np.zeros((3, 5)))


def test_classes_get_separate_colours_and_quantities_a_scale() -> None:
    classes, (low, high) = label_colours(np.array([0.0, 3.0, 9.0]))
    assert classes.N == 10
    assert (low, high) == (-0.5, 9.5)
    scale, bounds = label_colours(np.linspace(0.0, 1.0, 50))
    assert scale.name == "viridis"
    assert bounds == (0.0, 1.0)
    assert label_colours(np.full(4, 0.3))[1] == (0.3, 1.3)
