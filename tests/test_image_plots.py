"""Figures of the image experiments: what is drawn, and that it stays on the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from conftest import REPOSITORY
from inflationary_flows.errors import DataError
from inflationary_flows.experiments.evaluation_sweep.figure import draw_evaluation_sweep
from inflationary_flows.experiments.images.figure import draw_fig05, draw_samples
from inflationary_flows.experiments.paper_comparison.figure import draw_paper_comparison, measured_points, uncompared
from inflationary_flows.experiments.paper_comparison.measure import compare_with_paper
from inflationary_flows.files.contact_sheet import as_colours, mosaic
from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.style import DOUBLE_COLUMN, save_figure

SCHEDULES: dict[str, dict[str, Any]] = {
    "prp": {},
    "prr2": {"kept_dims": 2, "gap": "constant", "inflation_gap": 1.02},
    "prr9": {"kept_dims": 9, "gap": "constant", "inflation_gap": 1.02},
    "prr9_orig": {"kept_dims": 9, "gap": "orig"},
    "prr2_gap1.5": {"kept_dims": 2, "gap": "constant", "inflation_gap": 1.5},
}


def images(n: int, channels: int = 3, levels: int = 255, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, levels + 1, (n, channels, 8, 8)).astype(np.uint8)


def pictures(channels: int = 3, levels: int = 255) -> dict[str, np.ndarray]:
    return {name: images(12, channels, levels) for name in ("original", "latent", "recovered", "samples")}


def frechet_table(dataset: str = "patches") -> pd.DataFrame:
    rows = [
        {
            "dataset": dataset,
            "schedule": schedule,
            "sample_seed": seed,
            "extractor": "e",
            "metric": metric,
            "part": part,
            "value": value if part == "equal" else -1.0,
        }
        for part in ("whole", "equal")
        for schedule, value in (*zip(SCHEDULES, (5.0, 7.0, 6.0, 99.0, 9.0), strict=True), ("gaussian", 80.0))
        for seed, metric in ((0, "fd_effnetlite0"), (1, "fd_effnetlite0"), (0, "kid"))
    ]
    return pd.DataFrame(rows)


def roundtrip_table(dataset: str = "patches") -> pd.DataFrame:
    return pd.DataFrame(
        {"dataset": dataset, "schedule": schedule, "sample_seed": 0, "mse": 1e-3, "mse_uint8_wrapped": 0.1}
        for schedule in SCHEDULES
    )


def measured() -> pd.DataFrame:
    return measured_points(frechet_table(), roundtrip_table(), SCHEDULES, {"patches": 192})


def comparison(fid: pd.DataFrame | None = None) -> pd.DataFrame:
    nothing = pd.DataFrame()
    published = pd.read_csv(REPOSITORY / "configs/paper_tables.csv")
    fid = nothing if fid is None else fid.assign(n=50_000, evaluations=100, extractor="inception", metric="fid")
    return compare_with_paper(published, fid, nothing, nothing, SCHEDULES, {"cifar10": "cifar10"})


def sweep_table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "dataset": dataset,
            "schedule": "prp",
            "sample_seed": seed,
            "solver": solver,
            "evaluations": evaluations,
            "extractor": "e",
            "metric": metric,
            "value": (5.0 if metric == "fd_digits" else 0.0) + 100 / evaluations**2,
            "n": 100,
        }
        for dataset in ("digits", "patches")
        for seed in (0, 1)
        for solver, evaluations in (("heun_scaled", 31), ("heun_scaled", 511), ("adams_bashforth6", 35))
        for metric in ("fd_digits", "roundtrip_mse")
    )


def of_images(*names: str, levels: int = 255, **arrays: np.ndarray) -> Material:
    """Pictures of the same arrays under each schedule."""
    params = {"schedules": list(names), "levels": levels}
    return Material(arrays={"pictures": [arrays for _ in names]}, params=params)


def compared(table: pd.DataFrame, own: bool = False) -> Figure:
    tables = {"paper_comparison": table}
    if own:
        tables |= {"frechet": frechet_table(), "roundtrip": roundtrip_table()}
    params = {"schedules": SCHEDULES, "dimensions": {"patches": 192}}
    return draw_paper_comparison(Material(tables=tables, params=params))


def swept(table: pd.DataFrame) -> Figure:
    return draw_evaluation_sweep(Material(tables={"evaluation_sweep": table}))


MANY = [f"d = {d}" for d in range(14)]
GREY = images(9, 1, 16)
FIGURES = {
    "samples": lambda: draw_samples(of_images("PRP", "d = 2, gap 1.02", samples=images(30), original=images(7))),
    "samples of many flows": lambda: draw_samples(of_images(*MANY, samples=images(30), original=images(30))),
    "grey samples": lambda: draw_samples(of_images("PRP", levels=16, samples=GREY, original=GREY)),
    "round trips": lambda: draw_fig05(of_images("PRP", "d = 2", **pictures())),
    "round trips of many flows": lambda: draw_fig05(of_images(*MANY[1:], **pictures())),
    "grey round trips": lambda: draw_fig05(of_images("PRP", levels=16, **pictures(1, 16))),
    "comparison": lambda: compared(comparison()),
    "comparison and our own": lambda: compared(comparison(), own=True),
    "sweep": lambda: swept(sweep_table()),
    "sweep of many flows": lambda: swept(pd.concat([sweep_table().assign(schedule=f"d = {d}") for d in range(12)])),
    "sweep of one flow": lambda: swept(sweep_table().query("dataset == 'digits'")),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figure_is_saved_equal_to_the_byte_and_within_the_page(name: str, tmp_path: Path) -> None:
    for run in ("first", "second"):
        figure = FIGURES[name]()
        assert figure.get_figwidth() <= DOUBLE_COLUMN + 1e-9
        assert figure.get_figheight() < 11.5
        save_figure(figure, tmp_path / f"{run}.png", tmp_path / f"{run}.pdf")
        drawn = figure.get_tightbbox()
        assert min(drawn.x0, drawn.y0) > -0.02
        assert drawn.x1 < figure.get_figwidth() + 0.02
        assert drawn.y1 < figure.get_figheight() + 0.02
    for suffix in ("png", "pdf"):
        assert (tmp_path / f"first.{suffix}").read_bytes() == (tmp_path / f"second.{suffix}").read_bytes()


def test_grey_becomes_three_equal_colours_and_colours_stay() -> None:
    grey = as_colours(np.array([[[[0, 16]]]], np.uint8), 16)
    np.testing.assert_array_equal(grey, [[[[0, 0, 0], [1, 1, 1]]]])
    np.testing.assert_array_equal(as_colours(np.array([[[[0, 16]]]], np.uint8), 16, ink=True), 1 - grey)
    red = np.zeros((1, 3, 1, 1), np.uint8)
    red[0, 0] = 255
    np.testing.assert_array_equal(as_colours(red, 255)[0, 0, 0], [1, 0, 0])
    with pytest.raises(DataError, match="shape"):
        as_colours(np.zeros((4, 64)), 255)


def test_a_mosaic_goes_row_by_row_and_leaves_missing_images_white() -> None:
    tiles = np.arange(3)[:, None, None, None] / 4 * np.ones((1, 2, 2, 3))
    canvas = mosaic(tiles, 2, 2)
    assert canvas.shape == (5, 5, 3)
    for place, (top, left) in enumerate([(0, 0), (0, 3), (3, 0)]):
        np.testing.assert_array_equal(canvas[top : top + 2, left : left + 2], tiles[place])
    assert (canvas[3:, 3:] == 1).all()
    assert (canvas[2] == 1).all()


def test_round_trips_show_the_stages_below_each_other() -> None:
    arrays = pictures()
    canvas = draw_fig05(of_images("PRP", **arrays)).axes[0].images[0].get_array()
    for row, stage in enumerate(("original", "latent", "recovered")):
        np.testing.assert_allclose(canvas[9 * row : 9 * row + 8, :8], as_colours(arrays[stage][:1], 255)[0])


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def heights(figure: Figure, panel: int, label: str) -> list[float]:
    containers = [c for c in figure.axes[panel].containers if str(c.get_label()).startswith(label)]
    return [float(y) for container in containers for y in container[0].get_ydata()]


def test_what_was_not_run_is_said_once() -> None:
    figure = compared(comparison())
    assert len(figure.axes) == 6
    assert legend(figure) == ["published", "ours beside published values: not run"]
    # PRP and d = 2 of CIFAR-10; d = 9 was not published.
    partly = legend(compared(comparison(frechet_table("cifar10"))))
    assert partly == ["published", "ours", "ours beside published values: 2 of 46"]


def test_bars_on_logarithmic_axes_stay_above_zero() -> None:
    wide = comparison()
    is_error = wide["metric"] == "roundtrip_mse_uint8"
    wide.loc[is_error, "published_two_sigma"] = 1.5 * wide.loc[is_error, "published"]
    panels = [panel for panel in compared(wide).axes if panel.get_ylabel().startswith("round-trip")]
    for panel in panels:
        assert panel.get_yscale() == "log"
        ends = [segment[:, 1] for bar in panel.containers for segment in bar[2][0].get_segments()]
        assert 0 < panel.get_ylim()[0] < np.min(ends)
    assert len(panels) == 3


def test_published_points_are_those_of_the_tables() -> None:
    published = pd.read_csv(REPOSITORY / "configs/paper_tables.csv", dtype={"table": str})
    figure = compared(comparison())
    for table, dataset in (("1", "AFHQv2"), ("2", "CIFAR-10")):
        fid = published[(published["table"] == table) & (published["metric"] == "fid")]
        (panel,) = [
            number
            for number, axis in enumerate(figure.axes)
            if axis.get_title() == dataset and len(axis.get_xticks()) == 9
        ]
        assert heights(figure, panel, "published") == list(fid.sort_values("dims")["mean"])


def test_one_thing_changes_along_an_axis() -> None:
    points = measured()
    distances = points[(points["metric"] == "fd_effnetlite0") & (points["source"] == "ours")]
    along = {axis: dict(zip(rows["position"], rows["value"], strict=True)) for axis, rows in distances.groupby("axis")}
    assert along == {"dims": {192.0: 5.0, 2.0: 7.0, 9.0: 6.0}, "gap": {1.02: 7.0, 1.5: 9.0}}
    assert set(points["metric"]) == {"fd_effnetlite0", "mse"}
    assert set(points[points["source"] == "gaussian"]["value"]) == {80.0}


def test_data_sets_are_drawn_once_beside_the_published_or_alone() -> None:
    dimensions = {"cifar10": 3072, "patches": 192}
    assert uncompared(comparison(frechet_table("cifar10")), dimensions) == {"patches": 192}
    assert uncompared(comparison(), dimensions) == dimensions


def test_the_band_is_two_percent_around_heuns_last() -> None:
    figure = swept(sweep_table())
    (band,) = figure.axes[0].patches
    last = 5 + 100 / 511**2
    assert isinstance(band, Rectangle)
    assert band.get_y() == pytest.approx(0.98 * last)
    assert band.get_height() == pytest.approx(0.04 * last)
