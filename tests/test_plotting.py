"""Figures: their files are equal from run to run, whole, and show what the tables say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import Axes3D

from inflationary_flows.errors import DataError
from inflationary_flows.experiments.flow_quality.figure import draw_flow_quality
from inflationary_flows.experiments.pr_over_time.figure import draw_pr_over_time
from inflationary_flows.experiments.snapshots.digits import as_images, tile
from inflationary_flows.experiments.snapshots.figure import (
    draw_digits_roundtrip,
    draw_digits_samples,
    draw_embedded_toys,
    draw_fig02,
    draw_fig03,
)
from inflationary_flows.experiments.solver_comparison.figure import draw_solver_comparison, draw_solver_comparison_flows
from inflationary_flows.experiments.spectra.figure import draw_spectra
from inflationary_flows.experiments.thin_coordinate_study.figure import draw_thin_coordinate_study
from inflationary_flows.experiments.training_curves.figure import draw_training_curves
from inflationary_flows.files.tables import merge_tables, write_rows
from inflationary_flows.plotting.labels import Labels
from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.style import DOUBLE_COLUMN, label_colours, save_figure
from inflationary_flows.plotting.toys import draw_rows


def snapshots(dimension: int, n: int = 60, frames: int = 3) -> dict[str, np.ndarray]:
    """What `record_trajectory` and `reproduce` return, of random points."""
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
    }


def flows() -> list[tuple[str, str]]:
    return [("circles", "PRP"), ("circles", "PRR to 1"), ("digits", "PRP")]


def training_curves(folder: Path, pairs: list[tuple[str, str]] | None = None) -> Figure:
    """Two kinds of schedules, of which the one named first by the alphabet reduces dimensions."""
    paths, pairs = [], pairs or [("circles", "a"), ("circles", "b"), ("digits", "b")]
    for dataset, schedule in pairs:
        records = pd.DataFrame({"event": "validation", "step": [100, 200, 300], "validation_loss": [3.0, 2.0, 1.0]})
        if dataset == "circles":
            records["excess_denoising_error"] = 1 / records["step"]
        else:
            records = pd.concat([records, pd.DataFrame({"event": ["kept"], "step": [200], "factor": [0.5]})])
        paths.append(str(folder / f"{dataset}_{schedule}.jsonl"))
        records.to_json(paths[-1], orient="records", lines=True)
    labels = Labels({"schedules": {"a": {"label": "PRR to 1", "kept_dims": 1}, "b": {"label": "PRP"}}})
    return draw_training_curves(
        Material(
            labels, files={"curves": paths}, params={"flows": [[*pair, "0"] for pair in pairs], "shared": "shared"}
        )
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
            "of": "equation",
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


def of_flows(of_dataset: dict[str, dict[str, np.ndarray]], schedule: str = "prp", **params: list[str]) -> Material:
    """Snapshots of a flow of each data set; params list data sets."""

    def flows(names: Iterable[str]) -> list[list[str]]:
        return [[name, schedule, "0"] for name in names]

    arrays = [{f"{schedule}/seed0/{k}": v for k, v in arrays.items()} for arrays in of_dataset.values()]
    listed = {name: flows(datasets) for name, datasets in params.items()}
    return Material(arrays={"snapshots": arrays}, params={"flows": flows(of_dataset), **listed})


def thin_coordinate_study(seeds: tuple[int, ...] = (0,)) -> Figure:
    material = of_flows({"S curve": snapshots(3), "thin S curve": snapshots(3)})
    table = pd.DataFrame(
        {"dataset": name, "schedule": "prp", "seed": seed, "variance": 2.0, "roundtrip_mse": 1e-9, **LOSSES}
        for name in ("S curve", "thin S curve")
        for seed in seeds
    )
    return draw_thin_coordinate_study(replace(material, tables={"thin_coordinate_study": table}))


def solvers() -> Material:
    return Material(tables={"solver_comparison": solver_table()})


def ratios(table: pd.DataFrame) -> Figure:
    return draw_pr_over_time(Material(tables={"pr_over_time": table}))


def reduced(dimension: int) -> dict[str, np.ndarray]:
    """Snapshots of a flow that holds inflated training data."""
    arrays = snapshots(dimension)
    return arrays | {"generated_empirical": arrays["original"], "empirical_labels": arrays["generation_labels"]}


FIGURES = {
    "figure 2": lambda _: draw_fig02(of_flows({"circles": snapshots(2), "swirl": snapshots(3)}, preserved=["swirl"])),
    "figure 3": lambda _: draw_fig03(of_flows({"a": reduced(2), "b": reduced(3)}, reduced=["a", "b"])),
    "embedded toys": lambda _: draw_embedded_toys(of_flows({"a": snapshots(10)}, embedded=["a"])),
    "thin coordinate study": lambda _: thin_coordinate_study(),
    "digits samples": lambda _: draw_digits_samples(of_flows({"digits": snapshots(64)}, digits=["digits"])),
    "digits round trips": lambda _: draw_digits_roundtrip(of_flows({"digits": snapshots(64)}, digits=["digits"])),
    "training curves": training_curves,
    "training curves of toys": lambda folder: training_curves(folder, [("circles", "b")]),
    "solver comparison": lambda _: draw_solver_comparison(solvers()),
    "solver comparison by flow": lambda _: draw_solver_comparison_flows(solvers()),
    "participation ratio": lambda _: ratios(ratio_table()),
    "flow quality": lambda _: draw_flow_quality(Material(tables={"flow_quality": quality_table()})),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figure_is_saved_equal_to_the_byte_and_within_the_page(name: str, tmp_path: Path) -> None:
    for run in ("first", "second"):
        figure = FIGURES[name](tmp_path)
        assert isinstance(figure, Figure)
        assert figure.get_figwidth() <= DOUBLE_COLUMN + 1e-9
        save_figure(figure, tmp_path / f"{run}.png", tmp_path / f"{run}.pdf")
    for suffix, magic in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
        content = (tmp_path / f"first.{suffix}").read_bytes()
        assert content.startswith(magic)
        assert content == (tmp_path / f"second.{suffix}").read_bytes()


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_drawn_beyond_the_page(name: str, tmp_path: Path) -> None:
    figure = FIGURES[name](tmp_path)
    figure.draw_without_rendering()
    drawn = figure.get_tightbbox()
    assert drawn.x0 > -0.02
    assert drawn.y0 > -0.02
    assert drawn.x1 < figure.get_figwidth() + 0.02
    assert drawn.y1 < figure.get_figheight() + 0.02


def test_a_failed_save_leaves_the_old_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "figure.png"
    path.write_bytes(b"old")
    figure = ratios(ratio_table())
    monkeypatch.setattr(figure, "savefig", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_figure(figure, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_solver_panels_hold_the_tables_errors() -> None:
    axis = draw_solver_comparison_flows(solvers()).axes[0]
    lines = {line.get_label(): line for line in axis.lines}
    rk4 = lines["Runge-Kutta 4"]
    np.testing.assert_allclose(rk4.get_xdata(), [32, 64, 128])
    np.testing.assert_allclose(rk4.get_ydata(), [8.0**-4, 16.0**-4, 32.0**-4])


def test_errors_of_solvers_are_relative_to_those_of_the_papers() -> None:
    (axis,) = draw_solver_comparison(solvers()).axes
    lines = {line.get_label(): line for line in axis.lines}
    np.testing.assert_allclose(lines["Euler, scaled (the paper's)"].get_ydata(), [4, 2, 1])
    np.testing.assert_allclose(lines["Runge-Kutta 4"].get_ydata(), 32 * np.array([8.0, 16.0, 32.0]) ** -4)


def test_participation_ratios_are_shown_of_flows_that_differ() -> None:
    alike = ratio_table()
    copies = [alike.assign(dataset=f"{dataset} {k}") for k, dataset in enumerate(["a", "b", "c"]) for _ in range(2)]
    other = alike[alike["dataset"] == "digits"].assign(dataset="last")
    other["participation_ratio"] = 2 + 3 * other["t"] * (other["kernel"] == "floor")
    axes = ratios(pd.concat([*copies, other]).drop_duplicates()).axes
    assert len(axes) == 4
    assert axes[-1].get_title() == "last, PRP"
    assert len({axis.get_title().partition(",")[0] for axis in axes}) == 4


def test_training_curves_of_a_shared_network_say_that_it_has_all_schedules(tmp_path: Path) -> None:
    figure = training_curves(tmp_path, [("circles", "shared"), ("digits", "a"), ("digits", "b")])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["all schedules", "PRP", "PRR to 1"]


def test_training_curves_mark_the_step_whose_weights_are_kept(tmp_path: Path) -> None:
    figure = training_curves(tmp_path, [("digits", "a"), ("circles", "a")])
    marked = {axis.get_title(): axis.lines[-1].get_xydata().tolist() for axis in figure.axes if axis.get_title()}
    assert marked == {"circles": [], "digits": [[0.2, 2.0]]}


def test_training_curves_have_toys_and_prp_first(tmp_path: Path) -> None:
    figure = training_curves(tmp_path, [("an image", "a"), ("circles", "a"), ("circles", "b")])
    assert [axis.get_title() for axis in figure.axes if axis.get_title()] == ["circles", "an image"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["PRP", "PRR to 1"]


def test_points_from_the_empirical_prior_stand_beside_those_from_the_gaussian_one() -> None:
    flows = {"circles": reduced(2), "moons": snapshots(2)}
    figure = draw_rows(flows)
    assert len(figure.axes) == 7 + 6
    last = figure.axes[6].collections[0].get_offsets()
    np.testing.assert_allclose(last, flows["circles"]["generated_empirical"])


def test_toy_rows_are_drawn_in_their_dimension() -> None:
    figure = draw_rows({"circles": snapshots(2), "swirl": snapshots(3)})
    assert [axis.name for axis in figure.axes] == ["rectilinear"] * 6 + ["3d"] * 6


def test_data_in_a_plane_are_seen_from_further_above() -> None:
    flat = snapshots(10)
    flat["inflation"][0][:, 2:] = 0.0
    figure = draw_rows({"swirl": snapshots(3), "moons in 10-D": flat})
    elevations = [axis.elev for axis in figure.axes if isinstance(axis, Axes3D)]
    assert len(set(elevations[:6])) == len(set(elevations[6:])) == 1
    assert elevations[6] > elevations[0]


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_thin_coordinate_study_shows_the_share_of_variance_lost(seeds: tuple[int, ...]) -> None:
    figure = thin_coordinate_study(seeds)
    assert [axis.name for axis in figure.axes] == ["3d"] * 12 + ["rectilinear"]
    bars = figure.axes[-1].containers
    heights = [[bar.get_height() for bar in group] for group in bars if isinstance(group, BarContainer)]
    np.testing.assert_allclose(heights, [[value / 2.0] * 2 for value in LOSSES.values()])


def test_a_constant_participation_ratio_looks_constant() -> None:
    low, high = ratios(ratio_table()).axes[0].get_ylim()
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


def test_material_reads_tables_and_arrays_of_flows(tmp_path: Path) -> None:
    for number in (1, 2):
        pd.DataFrame({"dataset": ["a"], "value": [number]}).to_csv(tmp_path / f"{number}.csv", index=False)
        np.savez(tmp_path / f"{number}.npz", **{"prp/seed0/x": np.full(2, number), "prr/seed0/x": np.zeros(2)})
    files = {"floors": [str(tmp_path / "1.csv"), str(tmp_path / "2.csv")], "none": []}
    files["snapshots"] = [str(tmp_path / "1.npz"), str(tmp_path / "2.npz")]
    flows = [["b", "prp", 0], ["a", "prp", 0], ["b", "prr", 0]]
    own = {"own": str(tmp_path / "1.csv")}
    material = Material.read(Labels(), tables=own, files=files, params={"flows": flows}, wildcards={})
    assert material.tables["floors"]["value"].tolist() == [1, 2]
    assert set(material.tables) == {"own", "floors"}
    found = {flow: arrays["x"].tolist() for flow, arrays in material.flow_arrays("snapshots").items()}
    assert found == {("b", "prp", "0"): [1, 1], ("a", "prp", "0"): [2, 2], ("b", "prr", "0"): [0, 0]}


def test_a_table_without_rows_keeps_no_figure_from_being_drawn(tmp_path: Path) -> None:
    """Errors do not grow in a table where no data set has an exact denoiser: it was written without a header."""
    write_rows(tmp_path / "none.csv", [])
    merge_tables([tmp_path / "none.csv"], tmp_path / "merged.csv")
    tables = {"error_growth": str(tmp_path / "merged.csv")}
    material = Material.read(Labels(), tables=tables, files={}, params={}, wildcards={})
    assert material.tables["error_growth"].empty


@pytest.mark.parametrize(
    "text", [r"Price $\foo_{$ per kg", "a $ and $ b", "$x$", "_hidden", r"50 % \\$ ^_{}", "Vögel", "{x}"]
)
def test_text_of_a_label_is_drawn_as_it_is(text: str, tmp_path: Path) -> None:
    labels = Labels({"datasets": {"circles": {"label": text}}, "schedules": {"prp": {"label": text}}})
    spectrum = pd.DataFrame(
        {"dataset": "circles", "index": [1, 2], "eigenvalue": [1, 0.5], "cumulative_share": [0.7, 1]}
    )
    figure = draw_spectra(Material(labels, tables={"spectra": spectrum}))
    (drawn,) = figure.axes[1].get_legend().get_texts()
    plain = draw_spectra(Material(labels, tables={"spectra": spectrum}))
    (written,) = plain.axes[1].get_legend().get_texts()
    written.set(text=f"{text} (D = 2, PR 1.80)", parse_math=False)
    pictures = [tmp_path / "drawn.png", tmp_path / "plain.png"]
    for one, path in zip((figure, plain), pictures, strict=True):
        save_figure(one, path, path.with_suffix(".pdf"))
    assert pictures[0].read_bytes() == pictures[1].read_bytes()
    assert text.lstrip("_") in drawn.get_text().replace(r"\$", "$")


def test_equal_labels_are_told_apart() -> None:
    labels = Labels({"datasets": {"circles": {"label": "rings"}, "others": {"label": "rings"}, "moons": {}}})
    assert [labels.dataset(name) for name in ("circles", "others", "moons")] == [
        "rings (circles)",
        "rings (others)",
        "moons",
    ]
    assert Labels({"datasets": {"a": {"label": "$1"}}}, drawn=False).dataset("a") == "$1"
