"""Uncertainty carried to latents, the derivatives that samplers rely on, and the files between their steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import arviz_base
import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import Tensor

from inflationary_flows.artifacts.evidence import load_evidence, save_evidence
from inflationary_flows.artifacts.laplace import load_laplace, save_laplace
from inflationary_flows.artifacts.observations import ObservedMixture, load_observations, save_observations
from inflationary_flows.errors import ArtifactError, DataError
from inflationary_flows.files.datasets import load_dataset, save_dataset
from inflationary_flows.inference.chains import Chain, posterior_dataset
from inflationary_flows.inference.collapsed import CollapsedPosterior, ComponentEvidence
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.joint import JointPosterior
from inflationary_flows.inference.laplace import fit_laplace
from inflationary_flows.inference.latent_mixture import LatentMixture, observe
from inflationary_flows.mathematics.denoisers import GaussianDenoiser, NetworkDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.grids import GridSettings, TimeGrid
from inflationary_flows.mathematics.pfode import VelocityField
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.mathematics.uncertainty import summarise
from inflationary_flows.networks.build import build_network
from oracles import PRP, PRR, SCHEDULES, GaussianCase, mixture_data, mixture_flow

PAIR = LatentMixture.of([0.7, 0.3], [[-1.0, 0.4], [0.8, -0.2]], [[0.5, 0.9], [0.7, 0.4]])
COORDINATES = ("latent", "data")


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def network_denoiser(space: str = "eigen", dtype: torch.dtype = torch.float64) -> NetworkDenoiser:
    """A network whose weights are all random: as it is built, its last layers are zero."""
    x = mixture_data(dimension=3)[0] @ np.diag([2.0, 1.0, 0.5])
    basis = Eigenbasis.fit(x)
    settings = {"kind": "mlp", "space": space, "width": 24, "blocks": 2, "frequencies": 8}
    network = build_network(settings, 3, seed=1)
    for index, parameter in enumerate(network.parameters()):
        torch.nn.init.normal_(parameter, std=0.2, generator=torch.Generator().manual_seed(index))
    network.to(dtype).requires_grad_(False)
    return NetworkDenoiser(make_schedule(basis.eigenvalues, **PRP), network, basis, space)


def slopes(function: Any, at: Tensor, step: float = 1e-5) -> Tensor:
    """Central differences of a scalar function of a vector."""
    return torch.stack([(function(at + e) - function(at - e)) / (2 * step) for e in step * torch.eye(len(at)).double()])


def gradient_of(function: Any, at: Tensor) -> Tensor:
    leaf = at.clone().requires_grad_()
    return torch.autograd.grad(function(leaf).sum(), leaf)[0]


def assert_rows_are_alone(density: Any, rows: Tensor) -> None:
    """Log density and gradient of each row are those of the row by itself, whatever the batch holds."""
    torch.testing.assert_close(density(rows), torch.stack([density(row) for row in rows]))
    together = gradient_of(density, rows)
    torch.testing.assert_close(together, torch.stack([gradient_of(density, row) for row in rows]))
    assert torch.unique(together, dim=0).shape == rows.shape


class TestUncertaintyOfAPoint:
    x0 = np.array([0.8, -0.5, 0.3])

    @pytest.mark.parametrize("settings", SCHEDULES.values(), ids=SCHEDULES)
    def test_is_an_affine_image_for_gaussian_data(self, settings):
        case, n = GaussianCase(settings), 20_000
        propagated = case.flow.propagate(self.x0, 0.2, n, seed=0)
        t = case.schedule.t_max
        std = (0.2 * case.schedule.scale(t) * case.growth(t)).numpy()
        mean = case.latents(torch.from_numpy(self.x0)).numpy()
        np.testing.assert_array_less(np.abs(propagated.mean - mean), 5 * std / np.sqrt(n))
        whitened = propagated.covariance / np.outer(std, std)
        np.testing.assert_allclose(whitened, np.eye(3), atol=0.05)
        for level, interval in zip(propagated.levels, propagated.intervals, strict=True):
            half = norm.ppf((1 + level) / 2)
            expected = np.stack([mean - half * std, mean + half * std], 1)
            np.testing.assert_allclose(interval, expected, atol=0.05 * std.max())

    def test_a_ball_is_drawn_around_the_point_and_carried(self):
        flow = GaussianCase(PRR).flow
        propagated = flow.propagate(self.x0, 0.2, 4000, seed=0)
        np.testing.assert_allclose(propagated.x.mean(0), self.x0, atol=0.02)
        np.testing.assert_allclose(np.cov(propagated.x.T), 0.04 * np.eye(3), atol=0.004)
        np.testing.assert_allclose(propagated.z, flow.inflate(propagated.x))

    def test_given_samples_are_carried_as_they_are(self):
        flow, x = mixture_flow(PRP)
        propagated = flow.propagate(x[:50], None, 30, seed=0)
        assert np.array_equal(propagated.x, x[:30])
        np.testing.assert_allclose(propagated.mean, flow.inflate(x[:30]).mean(0))
        np.testing.assert_allclose(propagated.covariance, np.cov(flow.inflate(x[:30]).T))

    def test_kept_and_compressed_coordinates_are_told_apart(self):
        for settings, kept in ((PRR, 1), (PRP, 3)):
            propagated = GaussianCase(settings).flow.propagate(self.x0, 0.2, 10, seed=0)
            assert propagated.kept.shape == (10, kept)
            assert np.array_equal(np.concatenate([propagated.kept, propagated.compressed], 1), propagated.z)

    def test_a_seed_fixes_every_byte_and_batches_change_nothing(self):
        flow, _ = mixture_flow(PRP)
        x0 = torch.tensor([0.3, -0.4])
        once, again, other = (flow.propagate(x0, 0.1, 40, seed=s) for s in (3, 3, 4))
        for name, values in vars(once).items():
            assert np.array_equal(getattr(again, name), values)
        assert not np.isclose(once.z, other.z).any()
        flow.batch_size = 7
        np.testing.assert_allclose(flow.propagate(x0[None], 0.1, 40, seed=3).z, once.z, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(flow.propagate(x0, 0.1, 9, seed=3).z, once.z[:9], rtol=1e-10, atol=1e-12)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"noise_std": 0.0}, "a number > 0"),
            ({"noise_std": -0.1}, "a number > 0"),
            ({"noise_std": float("nan")}, "a number > 0"),
            ({"noise_std": float("inf")}, "a number > 0"),
            ({"x0": np.zeros(5)}, r"\(n, 3\)"),
            ({"x0": np.zeros((2, 3))}, "noise_std=None"),
            ({"x0": np.array([0.0, np.nan, 1.0])}, "finite numbers"),
            ({"x0": np.zeros((4, 2)), "noise_std": None}, r"\(n, 3\)"),
            ({"x0": np.zeros((1, 3)), "noise_std": None}, "at least 2 samples"),
            ({"n": 1}, "a whole number from 2"),
            ({"levels": (0.5, 1.0)}, "between 0 and 1"),
            ({"levels": (90,)}, "0.9 is the 90 % interval"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, change, message):
        arguments = {"x0": self.x0, "noise_std": 0.1, "n": 10, "seed": 0} | change
        with pytest.raises(DataError, match=message):
            GaussianCase(PRR).flow.propagate(**arguments)

    def test_intervals_hold_their_share_of_samples_in_one_dimension_too(self):
        z = np.random.default_rng(0).exponential(size=(999, 1))
        summary = summarise(z, z, 1, (0.5, 0.9))
        assert summary.covariance.shape == (1, 1)
        for level, ((low, high),) in zip(summary.levels, summary.intervals, strict=True):
            assert np.mean(z < low) == pytest.approx((1 - level) / 2, abs=2e-3)
            assert np.mean(z > high) == pytest.approx((1 - level) / 2, abs=2e-3)


class TestForwardTangents:
    y = normal(7, 3)

    @pytest.mark.parametrize("space", ["eigen", "wiener", "ambient"])
    @pytest.mark.parametrize("t", [0.0, 3.0, 8.0])
    def test_of_a_network_are_the_derivatives_that_autograd_finds(self, space, t):
        denoiser = network_denoiser(space)
        values, jacobian = denoiser.raw_with_jacobian(self.y, t)
        torch.testing.assert_close(values, denoiser.raw(self.y, t))
        for i, point in enumerate(self.y):
            expected = torch.autograd.functional.jacobian(lambda p: denoiser.raw(p[None], t)[0], point)
            torch.testing.assert_close(jacobian[i], expected)

    @pytest.mark.parametrize("space", ["eigen", "wiener", "ambient"])
    def test_can_be_differentiated_once_more(self, space):
        denoiser = network_denoiser(space)

        def log_volume(y: Tensor) -> Tensor:
            return torch.linalg.slogdet(torch.eye(3) + denoiser.raw_with_jacobian(y, 3.0)[1]).logabsdet

        assert torch.autograd.gradcheck(log_volume, self.y[:2].clone().requires_grad_())

    @pytest.mark.parametrize("space", ["eigen", "wiener"])
    def test_take_times_that_differ_between_points(self, space):
        denoiser, times = network_denoiser(space), torch.linspace(0.5, 6.0, 7, dtype=torch.float64)
        together = denoiser.raw_with_jacobian(self.y, times)
        for i, t in enumerate(times):
            for whole, single in zip(together, denoiser.raw_with_jacobian(self.y[i : i + 1], t), strict=True):
                torch.testing.assert_close(whole[i : i + 1], single)

    def test_keep_the_precision_of_the_points_not_of_the_network(self):
        exact = network_denoiser().raw_with_jacobian(self.y, 3.0)
        rounded = network_denoiser(dtype=torch.float32).raw_with_jacobian(self.y, 3.0)
        for fine, coarse in zip(exact, rounded, strict=True):
            assert coarse.dtype == torch.float64
            torch.testing.assert_close(coarse, fine, rtol=1e-4, atol=1e-4)

    def test_of_gaussian_data_vanish(self):
        denoiser = GaussianDenoiser(GaussianCase(PRP).schedule)
        assert torch.equal(denoiser.raw_with_jacobian(self.y, 1.0)[1], torch.zeros(7, 3, 3, dtype=torch.float64))

    @pytest.mark.parametrize("gradients", [True, False])
    def test_are_asked_for_inside_and_outside_of_no_grad(self, gradients):
        flow, x = mixture_flow(PRP)
        velocity = VelocityField(flow.denoiser, TimeGrid(flow.schedule, GridSettings()))
        y = flow.whiten_data(torch.from_numpy(x[:4]))
        with torch.set_grad_enabled(gradients):
            values, jacobian = velocity.with_jacobian(y, 0.4)
        assert (values.requires_grad, jacobian.requires_grad) == (gradients, gradients)
        for j, step in enumerate(1e-6 * torch.eye(2, dtype=torch.float64)):
            slope = (velocity(y + step, 0.4) - velocity(y - step, 0.4)) / 2e-6
            torch.testing.assert_close(jacobian[:, :, j].detach(), slope, rtol=1e-5, atol=1e-7)


class TestEncodingWithDerivatives:
    @pytest.mark.parametrize("settings", SCHEDULES.values(), ids=SCHEDULES)
    def test_is_the_inverse_of_decoding_with_derivatives(self, settings):
        flow, x = mixture_flow(settings)
        decoder = Decoder(flow, solver="rk4", steps=60)
        y, there = decoder.encode_with_jacobian(torch.from_numpy(x[:6]))
        back, here = decoder.jacobian(y)
        torch.testing.assert_close(back, torch.from_numpy(x[:6]), atol=1e-4, rtol=0)
        torch.testing.assert_close(there @ here, torch.eye(2).double().expand(6, 2, 2), atol=2e-3, rtol=0)

    @pytest.mark.parametrize("solver", ["euler", "heun", "rk4", "adams_bashforth6"])
    def test_derives_the_steps_whatever_their_error(self, solver):
        x = mixture_data(dimension=3)[0]
        basis = Eigenbasis.fit(x, scale=np.array([1.0, 0.2, 3.0]))
        denoiser = network_denoiser()
        flow = Flow(NetworkDenoiser(denoiser.schedule, denoiser.network, basis, "eigen"), basis)
        decoder = Decoder(flow, solver=solver, steps=3)
        points = torch.from_numpy(x[:4])
        y, jacobian = decoder.encode_with_jacobian(points)
        torch.testing.assert_close(y, decoder.encode(points))
        for j, step in enumerate(1e-5 * torch.eye(3, dtype=torch.float64)):
            slope = (decoder.encode(points + step) - decoder.encode(points - step)) / 2e-5
            torch.testing.assert_close(jacobian[:, :, j], slope, rtol=1e-6, atol=1e-7)

    def test_gives_the_log_probability_of_the_flow(self):
        flow, x = mixture_flow(PRP, solver=SolverSettings("rk4", 60))
        y, jacobian = Decoder(flow).encode_with_jacobian(torch.from_numpy(x[:8]))
        log_density = torch.distributions.Normal(0.0, 1.0).log_prob(y).sum(1) + torch.linalg.slogdet(jacobian)[1]
        expected = flow.log_prob(x[:8])
        np.testing.assert_allclose(log_density.detach(), expected, atol=1e-3)


class TestGradientsOfLogDensities:
    @pytest.mark.parametrize("coordinates", COORDINATES)
    @pytest.mark.parametrize("checkpointed", [False, True], ids=["remembered", "checkpointed"])
    def test_of_the_joint_posterior_are_its_slopes(self, coordinates, checkpointed):
        decoder = Decoder(mixture_flow(PRP)[0], solver="heun", steps=4, checkpointed=checkpointed)
        made = observe(decoder, PAIR, 2, 0.5, seed=1)
        laplace = fit_laplace(decoder, made.x, 0.5)
        posterior = JointPosterior(decoder, PAIR, made.x, 0.5, laplace, coordinates)
        theta = posterior.at(PAIR.weights, laplace.mode + 0.1)
        leaf = theta.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(posterior(leaf), leaf)
        torch.testing.assert_close(gradient, slopes(posterior, theta), rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize("coordinates", COORDINATES)
    def test_of_many_chains_are_those_of_each(self, coordinates):
        decoder = Decoder(mixture_flow(PRP)[0], solver="heun", steps=4)
        made = observe(decoder, PAIR, 2, 0.5, seed=1)
        posterior = JointPosterior(decoder, PAIR, made.x, 0.5, fit_laplace(decoder, made.x, 0.5), coordinates)
        assert_rows_are_alone(posterior, posterior.starts([1, 2, 3]))

    def test_of_many_collapsed_chains_are_those_of_each(self):
        posterior = CollapsedPosterior(3 * normal(2, 6, 3))
        assert_rows_are_alone(posterior, posterior.starts([1, 2, 3]))

    def test_of_the_collapsed_posterior_are_its_slopes(self):
        posterior = CollapsedPosterior(3 * normal(2, 6, 3))
        theta = normal(4, seed=1)
        leaf = theta.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(posterior(leaf), leaf)
        torch.testing.assert_close(gradient, slopes(posterior, theta), rtol=1e-6, atol=1e-7)


@pytest.fixture
def flow_file(tmp_path: Path) -> Path:
    path = tmp_path / "flow.safetensors"
    path.write_bytes(b"one flow")
    return path


@pytest.fixture
def other_flow_file(tmp_path: Path) -> Path:
    path = tmp_path / "other_flow.safetensors"
    path.write_bytes(b"another flow")
    return path


class TestFiles:
    decoder = Decoder(mixture_flow(PRP)[0], steps=6)
    observed = ObservedMixture(observe(decoder, PAIR, 5, 0.4, 0), PAIR, 0.4, decoder.flow.schedule.latent_std)
    evidence = ComponentEvidence(normal(5, 2), normal(5, 2, 2), np.linspace(0, 1, 5), np.full(5, np.inf), np.arange(5))

    def test_observations_return_as_they_were(self, tmp_path, flow_file):
        path = tmp_path / "observations.safetensors"
        save_observations(path, self.observed, flow_file)
        for loaded in (load_observations(path, flow_file), load_observations(path)):
            for name in ("observations", "mixture"):
                for field, values in vars(getattr(self.observed, name)).items():
                    assert torch.equal(getattr(getattr(loaded, name), field), values)
            assert loaded.noise_std == 0.4
            assert torch.equal(loaded.latent_std, self.observed.latent_std)

    def test_laplace_approximations_return_as_they_were(self, tmp_path, flow_file):
        path = tmp_path / "laplace.safetensors"
        laplace = fit_laplace(self.decoder, self.observed.observations.x, 0.4, iterations=1)
        save_laplace(path, laplace, flow_file)
        for field, values in vars(load_laplace(path, flow_file)).items():
            assert torch.equal(getattr(laplace, field), values)

    def test_files_of_another_flow_are_refused(self, tmp_path, flow_file, other_flow_file):
        observations, whitening = tmp_path / "observations.safetensors", tmp_path / "laplace.safetensors"
        save_observations(observations, self.observed, flow_file)
        save_laplace(whitening, fit_laplace(self.decoder, self.observed.observations.x, 0.4, iterations=1), flow_file)
        for load, path in ((load_observations, observations), (load_laplace, whitening)):
            with pytest.raises(
                ArtifactError, match=r"made with the flow .*other_flow.*(\n|.)*must belong together"
            ) as no:
                load(path, other_flow_file)
            assert no.value.where == str(path)

    def test_evidence_returns_as_it_was_or_its_beginning(self, tmp_path):
        path = tmp_path / "evidence.safetensors"
        save_evidence(path, self.evidence)
        for count in (None, 5, 3, 0):
            loaded = load_evidence(path, count)
            assert torch.equal(loaded.log_evidence, self.evidence.log_evidence[:count])
            for name in ("ess_fraction", "pareto_k", "particles"):
                assert np.array_equal(getattr(loaded, name), getattr(self.evidence, name)[:count])

    def test_more_observations_than_an_evidence_holds_are_refused(self, tmp_path):
        save_evidence(tmp_path / "evidence.safetensors", self.evidence)
        with pytest.raises(ArtifactError, match="at least 6 observations, got 5"):
            load_evidence(tmp_path / "evidence.safetensors", 6)

    def test_equal_contents_are_equal_files(self, tmp_path, flow_file):
        paths = [tmp_path / name for name in ("a", "b")]
        for path in paths:
            save_observations(path, self.observed, flow_file)
        assert paths[0].read_bytes() == paths[1].read_bytes()

    def test_one_kind_of_file_is_not_taken_for_another(self, tmp_path, flow_file):
        save_observations(tmp_path / "file", self.observed, flow_file)
        with pytest.raises(ArtifactError, match="kind 'observations'"):
            load_evidence(tmp_path / "file")


class TestDatasets:
    def dataset(self):
        rng = np.random.default_rng(0)
        chain = Chain(rng.random((6, 4)), np.arange(6) == 2, rng.random(6), np.arange(6), rng.random(6), 0.5, 7)
        return posterior_dataset([chain] * 2, weights=[rng.dirichlet(np.ones(3), 6) for _ in range(2)])

    def test_returns_as_it_was_also_to_arviz(self, tmp_path):
        path, dataset = tmp_path / "posterior.nc", self.dataset()
        save_dataset(path, dataset)
        assert load_dataset(path).equals(dataset)
        # What `arviz.from_netcdf` gives from ArviZ 1 on.
        assert arviz_base.convert_to_datatree(str(path)).posterior.to_dataset().equals(dataset)

    def test_equal_contents_are_equal_files(self, tmp_path):
        paths = [tmp_path / name for name in ("a.nc", "b.nc")]
        for path in paths:
            save_dataset(path, self.dataset())
        assert paths[0].read_bytes() == paths[1].read_bytes()

    def test_files_that_hold_no_posterior_are_refused(self, tmp_path):
        path = tmp_path / "posterior.nc"
        with pytest.raises(ArtifactError, match="an existing file"):
            load_dataset(path)
        save_dataset(path, self.dataset(), group="prior")
        with pytest.raises(ArtifactError, match="a group 'posterior'"):
            load_dataset(path)
        path.write_bytes(path.read_bytes()[:100])
        with pytest.raises(ArtifactError, match="a netCDF file"):
            load_dataset(path, "prior")
