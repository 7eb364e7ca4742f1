"""Animations: from data to latents and from prior latents to data, in GIFs that play for ever and stay small."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgba_array
from PIL import Image, ImageSequence

from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.experiments.animations.figure import draw_animation, save_animation
from inflationary_flows.experiments.animations.spec import Animations
from inflationary_flows.experiments.images.generation import as_images
from inflationary_flows.experiments.images.pictures import take_pictures
from inflationary_flows.experiments.snapshots.images import record_images
from inflationary_flows.experiments.snapshots.spec import Snapshots
from inflationary_flows.experiments.snapshots.trajectory import record_points, record_trajectory
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.plotting.labels import Labels
from inflationary_flows.plotting.material import Material
from inflationary_flows.plotting.style import COLOURS
from oracles import PRP, PRR, mixture_flow

SETTINGS = Animations()
DIGIT = ImageFormat(1, 8, 8, 16)
SOLVER = SolverSettings("rk4", 12)
PARAMS = {name: getattr(SETTINGS, name) for name in ("points", "frame_seconds", "hold_seconds")}


def material_of(**flows: dict[str, np.ndarray]) -> Material:
    """Flows of one data set by their schedules."""
    arrays = {f"{schedule}/seed0/{k}": v for schedule, arrays in flows.items() for k, v in arrays.items()}
    labels = Labels({"schedules": {"reduced": {"kept_dims": 1}}})
    listed = [["mixture", schedule, "0"] for schedule in flows]
    return Material(labels, arrays={"animation": [arrays]}, params={"flows": listed, **PARAMS})


def image_flow(settings: dict[str, Any]) -> tuple[Flow, np.ndarray]:
    """An exact flow of 64 coordinates, with points that are grey levels."""
    flow, x = mixture_flow(settings, dimension=DIGIT.dimension, solver=SOLVER)
    return flow, DIGIT.to_points(DIGIT.to_levels(0.4 * x[:100]))


def test_points_go_from_data_to_latents_and_from_prior_latents_to_data() -> None:
    flow, x = mixture_flow(PRP, solver=SOLVER)
    arrays = record_points(flow, x, x[:, 0], samples=40, frames=5, seed=3)
    schedule = flow.schedule
    data = (flow.basis.to_eigen(torch.from_numpy(x[:40])) * schedule.scale(schedule.t_min)).numpy()
    np.testing.assert_allclose(arrays["inflation"][0], data, atol=1e-10)
    np.testing.assert_allclose(arrays["inflation"][-1], flow.inflate(x[:40]), atol=1e-10)
    prior = flow.sample_latents(40, 3)
    np.testing.assert_allclose(arrays["generation"][0], prior.numpy(), atol=1e-10)
    generated = flow.basis.to_eigen(flow.generate(prior)) * schedule.scale(schedule.t_min)
    np.testing.assert_allclose(arrays["generation"][-1], generated.numpy(), atol=1e-10)


def test_points_are_those_of_the_figures() -> None:
    flow, x = mixture_flow(PRP, solver=SOLVER)
    figure = record_trajectory(flow, x, x[:, 0], samples=30, frames=3, seed=1)
    animation = record_points(flow, x, x[:, 0], samples=30, frames=9, seed=1)
    for name in ("inflation", "generation"):
        np.testing.assert_allclose(animation[name][[0, -1]], figure[name][[0, -1]], atol=1e-10)
        np.testing.assert_array_equal(animation[f"{name}_labels"], figure[f"{name}_labels"])


@pytest.mark.parametrize("settings", [PRP, PRR], ids=["prp", "prr"])
def test_pictures_begin_as_data_and_end_as_the_latents_of_figure_5(settings: dict[str, Any]) -> None:
    flow, x = image_flow(settings)
    arrays = record_images(flow, x, DIGIT, pictures=9, frames=4, seed=2)
    assert arrays["inflation"].shape == arrays["generation"].shape == (4, 9, *DIGIT.shape)
    figure = take_pictures(flow, x, DIGIT, pictures=9, sample_seed=2)
    np.testing.assert_array_equal(arrays["inflation"][0], figure["original"])
    np.testing.assert_array_equal(arrays["inflation"][-1], figure["latent"])
    generated = flow.generate(flow.sample_latents(9, 2))
    np.testing.assert_array_equal(arrays["generation"][-1], as_images(generated.numpy(), DIGIT))


@dataclass(frozen=True)
class Animation:
    """An animation by the default settings: its frames as drawn, its file, and the frames that a viewer sees."""

    arrays: dict[str, np.ndarray]
    drawn: list[np.ndarray]
    path: Path
    seen: list[np.ndarray]
    seconds: list[float]


@pytest.fixture(scope="module", params=["plane", "space", "pictures"])
def animation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Animation:
    chosen = {"frames": SETTINGS.frames, "seed": SETTINGS.seed}
    if request.param == "pictures":
        flow, x = image_flow(PRP)
        arrays = record_images(flow, x, DIGIT, pictures=SETTINGS.pictures, **chosen)
    else:
        dimension = 2 if request.param == "plane" else 3
        flow, x = mixture_flow(PRP, dimension=dimension, solver=SOLVER)
        arrays = record_points(flow, x, x[:, 0], samples=Snapshots().samples, **chosen)
    drawn = draw_animation(material_of(prp=arrays))
    path = tmp_path_factory.mktemp("animation") / "mixture.gif"
    save_animation(path, drawn, material_of())
    with Image.open(path) as gif:
        assert gif.info["loop"] == 0
        read = [
            (np.array(frame.convert("RGB")), frame.info["duration"] / 1000) for frame in ImageSequence.Iterator(gif)
        ]
    return Animation(arrays, drawn, path, [frame for frame, _ in read], [seconds for _, seconds in read])


def test_every_frame_is_seen_for_its_time_and_the_ends_longer(animation: Animation) -> None:
    way = [SETTINGS.hold_seconds, *[SETTINGS.frame_seconds] * (SETTINGS.frames - 2), SETTINGS.hold_seconds]
    seconds = 2 * way
    assert len(animation.drawn) == len(seconds)
    # Frames that are equal in a row become one: images of few levels hardly begin to move.
    differs = [bool((a != b).any()) for a, b in pairwise(animation.drawn)]
    begins = [0, *(number for number, differ in enumerate(differs, 1) if differ), len(seconds)]
    assert animation.seconds == pytest.approx([sum(seconds[first:last]) for first, last in pairwise(begins)])
    assert "levels" in animation.arrays or len(animation.seen) == 2 * SETTINGS.frames


def test_viewers_see_what_was_drawn(animation: Animation) -> None:
    assert all((a != b).any() for a, b in pairwise(animation.seen))
    for seen, drawn in ((animation.seen[0], animation.drawn[0]), (animation.seen[-1], animation.drawn[-1])):
        assert np.abs(seen.astype(int) - drawn).mean() < 1
        # Paper is white, not nearly so.
        assert (seen[(drawn == 255).all(axis=2)] == 255).all()


def test_bar_is_as_long_as_the_share_of_noise(animation: Animation) -> None:
    shares = animation.arrays["noise_share"]
    half = len(animation.drawn) // 2
    for way, colour in ((animation.drawn[:half], COLOURS[0]), (animation.drawn[half:][::-1], COLOURS[1])):
        filled = np.round(255 * to_rgba_array(colour)[0, :3])
        # The row of a frame in which most pixels have the colour runs along the bar.
        lengths = [(frame == filled).all(axis=2)[-26:].sum(axis=1).max() for frame in way]
        whole = lengths[-1] / shares[-1]
        np.testing.assert_allclose(np.array(lengths) / whole, shares, atol=1.5 / whole)


def test_equal_input_gives_equal_bytes(animation: Animation, tmp_path: Path) -> None:
    again = draw_animation(material_of(prp=animation.arrays))
    save_animation(tmp_path / "again.gif", again, material_of())
    assert (tmp_path / "again.gif").read_bytes() == animation.path.read_bytes()


def test_animations_stay_small(animation: Animation) -> None:
    assert animation.path.stat().st_size < 500_000


@pytest.mark.parametrize("side", [8, 64, 128])
def test_pictures_of_any_size_leave_text_and_bar_alone(side: int) -> None:
    noise = np.random.default_rng(side).integers(0, 256, (2, 30, 3, side, side), dtype=np.uint8)
    blank = np.full_like(noise, 255)
    shares = np.array([0.0, 1.0])
    frames = {
        name: draw_animation(
            material_of(prp={"noise_share": shares, "inflation": x, "generation": x, "levels": np.array(255)})
        )
        for name, x in (("noise", noise), ("blank", blank))
    }
    changed = np.any([(a != b).any(axis=2) for a, b in zip(frames["noise"], frames["blank"], strict=True)], axis=0)
    rows, columns = np.nonzero(changed)
    assert rows.min() >= 24
    assert rows.max() < changed.shape[0] - 26
    # Centred.
    assert columns.min() == pytest.approx(changed.shape[1] - 1 - columns.max(), abs=1)
    assert columns.max() - columns.min() > 200


def test_flows_of_a_data_set_stand_one_below_the_other_with_those_that_preserve_first() -> None:
    flow, x = mixture_flow(PRP, solver=SOLVER)
    arrays = [record_points(flow, x, x[:, 0], samples=20, frames=2, seed=seed) for seed in (0, 1)]
    alone = [draw_animation(material_of(zero=found)) for found in arrays]
    both = draw_animation(material_of(reduced=arrays[0], zero=arrays[1]))
    assert len(both) == 4
    below = alone[0][0].shape[0]
    for frame, preserved, reduced in zip(both, alone[1], alone[0], strict=True):
        np.testing.assert_array_equal(frame[:below], preserved)
        # The titles differ.
        np.testing.assert_array_equal(frame[below + 24 :], reduced[24:])
