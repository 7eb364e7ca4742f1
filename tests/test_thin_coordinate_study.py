"""The thin-coordinate study: reconstruction from kept latents, principal components and the conditional variance."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inflationary_flows.data.toys import TOYS
from inflationary_flows.errors import DataError
from inflationary_flows.experiments.registry import FLOW_COLUMNS
from inflationary_flows.experiments.thin_coordinate_study.measure import measure_thin_coordinate_loss, project
from inflationary_flows.experiments.thin_coordinate_study.spec import EXPERIMENT
from inflationary_flows.mathematics.denoisers import GaussianDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.oracles import exact_denoiser
from inflationary_flows.mathematics.schedules import make_schedule

VARIANCES = np.array([2.0, 1.0, 0.5, 0.1])


def gaussian_flow(kept_dims: int | None) -> tuple[Flow, np.ndarray]:
    """The exact flow of rotated and shifted Gaussian data, and such data."""
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    x = rng.standard_normal((20_000, 4)) * np.sqrt(VARIANCES) @ turn.T + [3.0, 0.0, -1.0, 2.0]
    basis = Eigenbasis.fit(x)
    schedule = make_schedule(basis.eigenvalues, kept_dims=kept_dims, signal_left=1e-3)
    return Flow(GaussianDenoiser(schedule), basis), x


@pytest.mark.parametrize("kept_dims", [1, 2, 3])
def test_gaussian_data_lose_what_principal_components_lose(kept_dims: int) -> None:
    flow, x = gaussian_flow(kept_dims)
    (row,) = measure_thin_coordinate_loss(flow, x, samples=len(x))
    lost = float(flow.basis.eigenvalues[kept_dims:].sum()) / 4
    assert [*FLOW_COLUMNS, *row] == list(EXPERIMENT.shown[1].columns)
    assert row["pca_mse"] == pytest.approx(lost, rel=1e-3)
    assert row["reconstruction_mse"] == pytest.approx(row["pca_mse"], rel=1e-12)
    assert row["conditional_variance"] == pytest.approx(lost, rel=0.03)
    assert row["kept_share"] == pytest.approx(1 - lost / row["variance"], rel=1e-3)
    assert row["roundtrip_mse"] < 1e-24


def test_projection_is_that_of_the_singular_value_decomposition() -> None:
    flow, x = gaussian_flow(2)
    mean = x.mean(0)
    directions = np.linalg.svd(x - mean, full_matrices=False)[2][:2]
    np.testing.assert_allclose(project(flow, x), mean + (x - mean) @ directions.T @ directions, atol=1e-10)


def test_only_the_conditional_variance_depends_on_the_seed() -> None:
    flow, x = gaussian_flow(2)
    first, again, other = (measure_thin_coordinate_loss(flow, x, samples=200, seed=seed)[0] for seed in (0, 0, 1))
    assert first == again
    changed = {column for column in first if first[column] != other[column]}
    assert changed == {"conditional_variance"}


def toy_loss(name: str) -> dict[str, float]:
    """The row of a toy reduced to 2 by its exact denoiser, with compressed latents resampled from inflated data."""
    x = TOYS[name].sample(6_000, np.random.default_rng(0))[0]
    basis = Eigenbasis.fit(x[:5_000])
    schedule = make_schedule(basis.eigenvalues, kept_dims=2, signal_left=1e-4)
    denoiser = exact_denoiser(schedule, basis, *TOYS[name].mixture(32))
    flow = Flow(denoiser, basis, solver=SolverSettings("rk4", 20), compressed_prior="empirical")
    flow.compressed_latents = flow.inflate(torch.from_numpy(x[:1_000]))[:, 2:]
    return measure_thin_coordinate_loss(flow, x[5_000:])[0]


def test_a_thin_independent_coordinate_is_all_that_is_lost() -> None:
    row = toy_loss("alt_s_curve")
    assert row["pca_mse"] == pytest.approx(0.5**2 / 3, rel=0.1)
    assert row["reconstruction_mse"] == pytest.approx(row["pca_mse"], rel=0.03)
    assert row["conditional_variance"] == pytest.approx(row["pca_mse"], rel=0.1)


def test_kept_latents_tell_less_than_components_where_the_compressed_coordinate_is_wide() -> None:
    row = toy_loss("s_curve")
    assert row["pca_mse"] < row["conditional_variance"] < row["reconstruction_mse"]
    assert row["reconstruction_mse"] > 1.2 * row["pca_mse"]
    assert row["roundtrip_mse"] < 1e-5


def test_a_flow_that_keeps_all_has_nothing_to_study() -> None:
    flow, x = gaussian_flow(None)
    with pytest.raises(DataError, match="fewer than D = 4"):
        measure_thin_coordinate_loss(flow, x)
