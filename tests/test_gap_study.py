"""The gap study where answers are known: Gaussian latents, latents of another gap, and errors of solvers."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.data.splits import Splits
from inflationary_flows.experiments.gap_study.figure import draw_gap_study
from inflationary_flows.experiments.gap_study.measure import (
    Features,
    distance_to_normal,
    inflation_gap,
    measure,
    measure_latent_gap,
    measure_log_density,
    measure_prior_gap,
    with_published,
)
from inflationary_flows.experiments.gap_study.spec import EXPERIMENT
from inflationary_flows.mathematics.denoisers import GaussianDenoiser, MixtureDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.metrics.two_sample import energy_distance
from inflationary_flows.networks.digits_classifier import DigitsClassifier
from inflationary_flows.plotting.material import Material
from oracles import PRR, PRR_GAP, mixture_flow
from repository import REPOSITORY

RNG = np.random.default_rng(0)
PUBLISHED = pd.read_csv(Path(REPOSITORY) / "configs/paper_tables.csv")
# Of images without their two halves.
SPREAD = np.linspace(0.12, 0.04, 64)
GAP = {"t_max": 6.0, "kept_dims": 2, "gap": "constant"}


def values(rows: list[dict[str, Any]], key: str = "value") -> dict[str, float]:
    return {row["metric"]: row[key] for row in rows}


def gaussian_flow(**schedule: Any) -> tuple[Flow, np.ndarray]:
    """The exact flow of Gaussian data in four dimensions, and a sample."""
    x = RNG.standard_normal((3000, 4)) * [2.0, 1.0, 0.1, 0.02]
    basis = Eigenbasis.fit(x)
    return Flow(GaussianDenoiser(make_schedule(basis.eigenvalues, **schedule)), basis), x


def digits_of(halves: float, seed: int) -> np.ndarray:
    """Images of 64 pixels within [-1, 1]: Gaussian, but for the first that is at 0.7 or -0.7 to an extent."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((200, 64)) * SPREAD
    x[:, 40] += halves * rng.choice([-1.0, 1.0], len(x))
    return x


class TestLatents:
    def test_distance_to_the_normal_is_that_of_two_samples(self) -> None:
        y = RNG.exponential(size=(1500, 2)) - 1
        expected = np.mean([energy_distance(y[:, [k]], RNG.standard_normal((6000, 1))) for k in range(2)])
        assert distance_to_normal(y) == pytest.approx(expected, abs=0.01)
        assert distance_to_normal(y) > 0.05
        null = [distance_to_normal(RNG.standard_normal((50, 3))) for _ in range(400)]
        assert abs(np.mean(null)) < 4 * np.std(null) / math.sqrt(len(null))

    @pytest.mark.parametrize("gap", [1.02, 1.5])
    def test_gaussian_latents_are_at_the_floor_and_those_of_another_gap_are_not(self, gap: float) -> None:
        flow, x = gaussian_flow(**GAP, inflation_gap=gap)
        for row in measure_latent_gap(flow, x, seed=0)[:4]:
            assert abs(row["value"]) < 4 * row["reference"], row
        other, _ = gaussian_flow(**GAP, inflation_gap=2.5 - gap)

        class OfOtherGap(Flow):
            """Its latents are the other flow's."""

            def inflate(self, points, **options):
                return other.inflate(points, **options)

        found = measure_latent_gap(OfOtherGap(flow.denoiser, flow.basis), x, seed=0)
        compressed = next(row for row in found if row["metric"] == "latent_compressed")
        assert compressed["value"] > 20 * compressed["reference"]

    def test_kept_directions_are_all_there_are_without_compression(self) -> None:
        flow, x = gaussian_flow(signal_left=1e-3)
        assert set(values(measure_latent_gap(flow, x, seed=0))) == {
            *("latent_kept", "latent_kept_exact", "latent_cov_error", "latent_kurtosis"),
        }
        assert math.isnan(inflation_gap(flow))
        assert inflation_gap(gaussian_flow(**GAP, inflation_gap=1.35)[0]) == pytest.approx(1.35)


class TestDensities:
    @pytest.mark.parametrize(("method", "order"), [("heun", 2), ("rk4", 4)])
    def test_errors_fall_with_the_order_of_the_solver(self, method: str, order: int) -> None:
        flow, x = mixture_flow(PRR_GAP)
        errors = []
        for steps in (40, 80):
            flow.solver = SolverSettings(method, steps)
            rows = measure_log_density(flow, x[:20], reference_samples=20, reference_steps=160)
            errors.append(values(rows)["log_density_error"])
        assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.5)

    def test_a_linear_flow_has_no_error(self) -> None:
        flow, x = gaussian_flow(signal_left=1e-3)
        rows = measure_log_density(flow, x[:9], reference_samples=5, reference_steps=10)
        assert values(rows)["log_density_error"] == 0
        assert values(rows)["log_likelihood"] == pytest.approx(values(rows, "reference")["log_likelihood"])


class TestPrior:
    @pytest.mark.parametrize(("halves", "seen"), [(0.0, False), (0.7, True)])
    def test_a_prior_gap_is_seen_where_compressed_latents_are_no_gaussian(self, halves: float, seen: bool) -> None:
        """Exact flows, so that images from the true p_T are right in both cases."""
        train, held_out = digits_of(halves, 0), digits_of(halves, 1)
        basis = Eigenbasis.fit(train)
        # The bimodal direction varies most; the one after it is kept alone.
        schedule = make_schedule(basis.eigenvalues, kept_dims=1, gap="constant", inflation_gap=1.02, t_max=8.0)
        exponents = schedule.exponents.roll(1)
        schedule = replace(schedule, exponents=exponents)
        centre = basis.vectors[40] * halves
        means = torch.stack([centre, -centre]).double()
        covariance = torch.from_numpy(np.cov(train.T) if not halves else np.diag(SPREAD**2))
        denoiser = MixtureDenoiser(schedule, means, covariance=basis.vectors.T @ covariance @ basis.vectors)
        flow = Flow(denoiser, basis, solver=SolverSettings("rk4", 12))
        image = ImageFormat(1, 8, 8, 255)
        labels = np.zeros(len(train))
        splits = Splits(train, held_out, held_out, labels, labels, labels, np.ones(64), image=image)
        torch.manual_seed(0)
        features = Features(splits, DigitsClassifier(4, 8).eval())
        rows = measure_prior_gap(flow, held_out, features, sets=2, seed=0)
        energy, frechet = (
            [values(rows)[f"{name}_{source}"] for source in ("prior", "true_pt")] for name in ("energy", "frechet")
        )
        assert (energy[0] - energy[1] > 0.004) == seen
        assert energy[1] < 0.002
        assert frechet[1] < 3 * rows[0]["reference"]


def test_published_values_stand_beside_flows_of_the_same_dimensions_and_gap() -> None:
    flow, _ = gaussian_flow(**GAP, inflation_gap=1.25)
    row = {"metric": "frechet_prior", "value": 1.0, "error": 0.1, "reference": 0.5, "n": 3}
    found = with_published(
        [row, row | {"metric": "roundtrip_paper_wrapped"}, row | {"metric": "other"}], flow, PUBLISHED
    )
    assert [one["published"] for one in found[:2]] == [17.84, 1.65]
    assert math.isnan(found[2]["published"])
    assert (found[0]["kept_dims"], found[0]["inflation_gap"]) == (2, 1.25)
    one_dimension, _ = mixture_flow(PRR)
    assert math.isnan(with_published([row], one_dimension, PUBLISHED)[0]["published"])


def test_a_flow_is_measured_and_drawn() -> None:
    train, held_out = digits_of(0.3, 0), digits_of(0.3, 1)[:30]
    labels = RNG.integers(0, 3, len(train))
    splits = Splits(
        train,
        held_out[:10],
        held_out[10:],
        labels,
        labels[:10],
        labels[:20],
        np.ones(64),
        image=ImageFormat(1, 8, 8, 16),
    )
    basis = Eigenbasis.fit(train)
    flows = {}
    for name, gap in (("prp", None), ("low", 1.02), ("high", 1.10)):
        reducing = {} if gap is None else {"kept_dims": 2, "gap": "constant", "inflation_gap": gap}
        schedule = make_schedule(basis.eigenvalues, t_max=8.0, **reducing)
        flows[name, "0"] = Flow(GaussianDenoiser(schedule), basis, solver=SolverSettings("rk4", 4))
    settings = {
        "samples": 25,
        "density_samples": 4,
        "reference_samples": 2,
        "reference_steps": 4,
        "roundtrip": 3,
        "paper_steps": 4,
    }
    classifier = {"steps": 2, "batch_size": 8, "channels": 2, "features": 4, "seed": 0}
    measured = measure(flows, splits=splits, published=PUBLISHED, classifier=classifier, sets=1, seed=0, **settings)
    table = pd.DataFrame([{"dataset": "digits", **row} for row in measured.tables["gap_study"]])
    assert list(table) == list(EXPERIMENT.tables[0].columns)
    documented = EXPERIMENT.tables[0].notes
    assert all(f"`{metric}`" in documented for metric in table["metric"])
    likelihood = table[table["metric"] == "log_likelihood"]
    np.testing.assert_allclose(likelihood["value"], likelihood["reference"])
    # Seen with the first kernel's noise, which is the same in all schedules, all have one Gaussian.
    assert likelihood["reference"].nunique() == 1
    figure = draw_gap_study(Material(tables={"gap_study": table}))
    paper = [line for axis in figure.axes for line in axis.lines if line.get_marker() == "x"]
    assert len(paper) == 2
    np.testing.assert_allclose(paper[0].get_ydata()[1] / paper[0].get_ydata()[0], 13.98 / 11.95)
