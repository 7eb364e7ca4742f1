"""Posteriors of images that are seen in part: linear flows, whose posteriors are known, and the figure."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.data.splits import Splits
from inflationary_flows.experiments.inverse_problems.figure import draw_inverse_problems
from inflationary_flows.experiments.inverse_problems.measure import measure, problems
from inflationary_flows.experiments.measured import Measured
from inflationary_flows.mathematics.denoisers import GaussianDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.plotting.labels import Labels
from inflationary_flows.plotting.material import Material

IMAGE = ImageFormat(channels=1, height=4, width=4)
FLOWS = [["digits", "prp", "0"]]


@pytest.fixture(scope="module")
def measured() -> Measured:
    """Of Gaussian images and their linear flow, so that all but guidance is right."""
    random = np.random.default_rng(3)
    # Neighbours hang together, so that what is seen tells something of what is not.
    places = np.stack(np.divmod(np.arange(16), 4), 1)
    covariance = 0.3 * np.exp(-np.square(places[:, None] - places).sum(2) / 4) + 0.01 * np.eye(16)
    train, validation, test = (random.multivariate_normal(np.zeros(16), covariance, n) for n in (3000, 500, 4))
    splits = Splits(train, validation, test, *(np.zeros(n) for n in (3000, 500, 4)), scale=np.ones(16), image=IMAGE)
    basis = Eigenbasis.fit(torch.from_numpy(train))
    schedule = make_schedule(basis.eigenvalues, signal_left=1e-3)
    flow = Flow(GaussianDenoiser(schedule), basis, solver=SolverSettings("heun", 4))
    return measure(
        flow,
        splits=splits,
        images=4,
        shown=2,
        noise_std=0.3,
        blur_std=0.8,
        chains=4,
        warmup=100,
        draws=600,
        solver="heun",
        steps=2,
        strength=0.3,
        components=[1, 2],
        ranks=[2],
        seed=0,
        log=logging.getLogger(),
    )


@pytest.fixture(scope="module")
def rows(measured: Measured) -> dict[tuple[str, str], Any]:
    return {(row["problem"], row["prior"]): row for row in measured.tables["inverse_problems"]}


@pytest.mark.parametrize("problem", problems(IMAGE, 1.0))
def test_a_right_flow_covers_and_says_as_much_as_the_exact_posterior(rows, problem: str) -> None:
    learned, exact = rows[problem, "learned"], rows[problem, "gaussian"]
    for name in ("coverage_50", "coverage_90"):
        assert learned[name] == pytest.approx(exact[name], abs=0.07)
    for name in ("energy_score", "rmse", "spread"):
        assert learned[name] == pytest.approx(exact[name], rel=0.06)
    assert learned["converged"] >= 0.5
    assert learned["images"] == 4


@pytest.mark.parametrize("problem", problems(IMAGE, 1.0))
def test_guidance_says_less_than_the_posterior(rows, problem: str) -> None:
    learned, guided = rows[problem, "learned"], rows[problem, "guidance"]
    assert guided["energy_score"] > 1.2 * learned["energy_score"]
    assert guided["spread"] > 1.2 * guided["rmse"] or guided["rmse"] > 1.1 * learned["rmse"]


def test_what_is_shown_is_what_was_seen(measured: Measured) -> None:
    arrays = measured.arrays["inverse_problems"]
    half = arrays["half/observed"]
    assert np.isnan(half[:, :, 2:]).all()
    # Noise of 0.3 standard deviations.
    assert np.abs(half[:, :, :2] - arrays["half/truth"][:, :, :2]).max() < 4 * 0.3 * 0.6
    squares = arrays["squares/observed"]
    np.testing.assert_allclose(squares[..., ::2, ::2], squares[..., 1::2, 1::2])
    assert arrays["blur/draws"].shape == (2, 4, 1, 4, 4)
    assert (arrays["half/spread"][:, :, 3] > arrays["half/spread"][:, :, 0]).all()


def test_the_figure_has_a_row_an_image_and_a_panel_a_problem(measured: Measured, tmp_path) -> None:
    table = pd.DataFrame(
        {"dataset": "digits", "schedule": "prp", "seed": 0, **row} for row in measured.tables["inverse_problems"]
    )
    arrays = {f"prp/seed0/{key}": values for key, values in measured.arrays["inverse_problems"].items()}
    material = Material(Labels(), {"inverse_problems": table}, {"pictures": [arrays]}, params={"flows": FLOWS})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = draw_inverse_problems(material)
        figure.savefig(tmp_path / "figure.png")
    assert len(figure.axes) == 6 * 9 + 3
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), arrays["prp/seed0/half/truth"][0, 0])
