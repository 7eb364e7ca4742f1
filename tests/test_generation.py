"""Images from flows: seeds of their own, parts, baselines, round trips in grey levels, and what a rotation costs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch.utils._python_dispatch import TorchDispatchMode

from inflationary_flows.data.pixels import ImageFormat, Pixels
from inflationary_flows.errors import DataError, Interrupted
from inflationary_flows.experiments.images.acceleration import accelerate
from inflationary_flows.experiments.images.choice import choose_images
from inflationary_flows.experiments.images.generation import generate_images, sample_gaussian
from inflationary_flows.experiments.images.pictures import take_pictures
from inflationary_flows.experiments.images.roundtrip import measure_image_roundtrip, wrapped_mse
from inflationary_flows.mathematics.denoisers import MixtureDenoiser, NetworkDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.networks.build import build_network
from oracles import mixture_flow
from stores import Memory, kept, stopping_after

IMAGE = ImageFormat(3, 4, 4)
QUICK = SolverSettings("rk4", 8)


def image_data(n: int = 600, seed: int = 0) -> np.ndarray:
    """Points in [-1, 1] with a steep spectrum."""
    rng = np.random.default_rng(seed)
    mixing = np.linalg.qr(np.random.default_rng(99).standard_normal((48, 48)))[0] * np.geomspace(0.5, 0.01, 48)
    return np.clip(rng.standard_normal((n, 48)) @ mixing.T * 0.3, -1, 1)


def network_flow(space: str = "ambient", **schedule) -> tuple[Flow, np.ndarray]:
    """A flow with an untrained but stirred network of images."""
    x = image_data()
    basis = Eigenbasis.fit(x)
    settings = {"kind": "unet", "space": space, "image": [3, 4, 4], "channels": [8, 8], "layers": 1}
    network = build_network(settings, 48, 0).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    fitted = make_schedule(basis.eigenvalues, **{"signal_left": 1e-2, **schedule})
    return Flow(NetworkDenoiser(fitted, network, basis, space), basis, solver=QUICK), x


# ---------------------------------------------------------------------------------------------
# Generation


@pytest.mark.parametrize("prior", ["gaussian", "empirical", "zero"])
def test_latents_of_images_do_not_depend_on_how_a_draw_is_cut(prior):
    flow, _ = network_flow(kept_dims=5)
    flow.compressed_prior = prior
    flow.compressed_latents = torch.randn(30, 43, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    whole = flow.prior().sample_numbered(0, 10, seed=3)
    cut = [flow.prior().sample_numbered(first, count, seed=3) for first, count in ((0, 1), (1, 6), (7, 3))]
    assert torch.equal(whole, torch.cat(cut))
    assert not torch.equal(whole, flow.prior().sample_numbered(0, 10, seed=4))
    if prior == "zero":
        assert float(whole[:, 5:].abs().max()) == 0
    if prior == "empirical":
        rows = (whole[:, None, 5:] == flow.compressed_latents[None]).all(2)
        assert bool((rows.sum(1) == 1).all())


def test_numbered_latents_have_the_exact_covariance():
    flow, _ = network_flow()
    z = flow.prior().sample_numbered(0, 4000, seed=0) / flow.schedule.latent_std
    assert float(z.mean(0).abs().max()) < 0.08
    assert float((z.square().mean(0) - 1).abs().max()) < 0.12


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_images_depend_neither_on_parts_nor_on_batches(batch_size):
    flow, _ = network_flow()
    whole, evaluations = generate_images(flow, IMAGE, first=0, count=20, sample_seed=1)
    flow.batch_size = batch_size
    parts = [generate_images(flow, IMAGE, first=first, count=10, sample_seed=1)[0] for first in (0, 10)]
    # Convolutions of other batch sizes round otherwise, which may tip a grey level.
    assert np.abs(np.concatenate(parts).astype(int) - whole).max() <= 1
    assert np.mean(np.concatenate(parts) != whole) < 0.001
    assert evaluations == flow.evaluations() == 32


def finished_in_three_lives(compute):
    """What a computation gives that is told to stop twice; the checkpoint is the one argument."""
    store = Memory()
    for _ in range(2):
        with pytest.raises(Interrupted, match="progress is kept in memory"):
            compute(kept(store, stop=stopping_after(1)))
    return compute(kept(store))


def test_images_do_not_depend_on_interruptions():
    flow, _ = network_flow()
    flow.batch_size = 4
    whole, evaluations = generate_images(flow, IMAGE, first=3, count=11, sample_seed=1)
    resumed, again = finished_in_three_lives(
        lambda checkpoint: generate_images(flow, IMAGE, first=3, count=11, sample_seed=1, checkpoint=checkpoint)
    )
    np.testing.assert_array_equal(resumed, whole)
    assert again == evaluations


def test_round_trips_do_not_depend_on_interruptions():
    flow, x = network_flow()
    flow.batch_size = 4
    whole = measure_image_roundtrip(flow, x, samples=11, sample_seed=0)
    resumed = finished_in_three_lives(
        lambda checkpoint: measure_image_roundtrip(flow, x, samples=11, sample_seed=0, checkpoint=checkpoint)
    )
    assert resumed == whole


def test_empirical_prior_without_training_data_is_refused():
    flow, _ = network_flow(kept_dims=5)
    with pytest.raises(DataError, match="compressed latents"):
        flow.prior("empirical").sample_numbered(0, 2, seed=0)


def test_gaussian_baseline_has_mean_and_covariance_of_the_data():
    x = image_data(4000)
    basis = Eigenbasis.fit(x)
    images = sample_gaussian(basis, IMAGE, first=0, count=4000, sample_seed=0)
    assert images.shape == (4000, 3, 4, 4)
    points = IMAGE.to_points(images).reshape(4000, -1)
    assert np.abs(points.mean(0) - x.mean(0)).max() < 0.02
    largest = np.abs(np.cov(x.T)).max()
    # Rounding to grey levels adds a variance of its own.
    assert np.abs(np.cov(points.T) - np.cov(x.T)).max() < 0.06 * largest + IMAGE.least_variance
    cut = sample_gaussian(basis, IMAGE, first=5, count=3, sample_seed=0)
    assert np.array_equal(cut, images[5:8])


def test_untrained_flow_generates_the_gaussian_baselines_law():
    """F = 0 is the denoiser of a Gaussian: what the baseline stands for."""
    x = image_data()
    basis = Eigenbasis.fit(x)
    schedule = make_schedule(basis.eigenvalues, signal_left=1e-2)
    network = build_network({"kind": "unet", "space": "ambient", "image": [3, 4, 4], "channels": [8, 8]}, 48, 0)
    flow = Flow(NetworkDenoiser(schedule, network.eval().requires_grad_(False), basis, "ambient"), basis, solver=QUICK)
    z = flow.prior().sample_numbered(0, 50, seed=0)
    start = schedule.total_std(schedule.t_min) / schedule.latent_std
    torch.testing.assert_close(flow.generate(z), basis.from_eigen(z * start), rtol=1e-9, atol=1e-9)


# ---------------------------------------------------------------------------------------------
# Round trips


@pytest.mark.parametrize(("error", "printed"), [(16, 80), (64, 101)])
def test_wrapped_error_prints_what_the_published_code_prints(error, printed):
    rng = np.random.default_rng(0)
    original = rng.integers(0, 256, 400_000).astype(np.uint8)
    recovered = (original.astype(int) + np.round(error * rng.standard_normal(original.shape)).astype(int)) % 256
    found = wrapped_mse(original, recovered.astype(np.uint8))
    steps = np.arange(-1000, 1001)
    probability = np.diff(norm.cdf(np.append(steps, 1001) - 0.5, scale=error))
    assert found == pytest.approx(float(probability @ (steps**2 % 256)), rel=0.01)
    # Measured once with the published code, on images whose edges cut some errors off.
    assert found == pytest.approx(printed, rel=0.05)


def test_wrapped_error_folds_what_the_true_one_counts():
    zero = np.zeros(5, np.uint8)
    assert wrapped_mse(zero, np.array([3, 3, 3, 3, 3], np.uint8)) == 9
    assert wrapped_mse(zero, np.array([16, 0, 0, 0, 0], np.uint8)) == 0
    assert wrapped_mse(np.array([20], np.uint8), np.array([1], np.uint8)) == 19**2 - 256


def test_true_error_is_in_grey_levels_of_eight_bits():
    """Euler's few steps leave an error, which is the mean square of what the flow's own calls say."""
    flow, x = network_flow()
    points = Pixels(IMAGE.to_levels(x), IMAGE)
    settings = SolverSettings("euler", 5)
    row = measure_image_roundtrip(flow, points, samples=30, sample_seed=2, settings=settings)
    chosen = points[choose_images(len(points), 30, 2)]
    error = (flow.round_trip(chosen, solver="euler", steps=5) - chosen) * 127.5
    assert row["mse"] == pytest.approx(float(np.mean(error**2)), rel=1e-4)
    assert row["max_error"] == pytest.approx(float(np.abs(error).max()), rel=1e-3)
    assert (row["n"], row["evaluations"]) == (30, 5)
    fine = measure_image_roundtrip(flow, points, samples=30, sample_seed=2, settings=SolverSettings("rk4", 64))
    assert fine["mse"] < 1e-4 * row["mse"]
    assert fine["mse_uint8_wrapped"] == 0


def test_draws_choose_other_images_and_never_one_twice():
    first, second = (choose_images(1000, 100, draw) for draw in (0, 1))
    assert len(set(first.tolist())) == 100
    assert set(first.tolist()) != set(second.tolist())
    assert np.array_equal(choose_images(7, 100, 0), np.arange(7))


def test_pictures_show_what_the_flow_does():
    flow, x = network_flow(kept_dims=5)
    points = Pixels(IMAGE.to_levels(x), IMAGE)
    pictures = take_pictures(flow, points, IMAGE, pictures=6, sample_seed=0)
    assert all(pictures[name].shape == (6, 3, 4, 4) for name in ("original", "latent", "recovered", "samples"))
    assert np.array_equal(pictures["original"].reshape(6, -1), points.values[choose_images(len(points), 6, 0)])
    assert np.abs(pictures["recovered"].astype(int) - pictures["original"]).mean() < 2


# ---------------------------------------------------------------------------------------------
# What an evaluation costs, and what large kernels do


class Rotations(TorchDispatchMode):
    """Counts matrix products with a matrix of D x D."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.dimension = dimension
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in (torch.ops.aten.mm.default, torch.ops.aten.addmm.default, torch.ops.aten.bmm.default):
            shapes = [tuple(a.shape) for a in args if isinstance(a, torch.Tensor)]
            self.count += (self.dimension, self.dimension) in shapes
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(("space", "each"), [("ambient", 2), ("eigen", 0)])
def test_an_evaluation_costs_one_rotation_in_and_one_out(space, each):
    flow, x = network_flow(space)
    y = flow.whiten_data(torch.from_numpy(x[:5]))
    with Rotations(48) as rotations:
        _, _, evaluations = flow.carry(y, "inflate", QUICK)
    assert evaluations == 32
    assert rotations.count == each * evaluations


def test_training_costs_one_rotation_in_one_out_and_one_for_the_gradient():
    flow, x = network_flow()
    network = flow.denoiser.network.requires_grad_(True)
    y = flow.whiten_data(torch.from_numpy(x[:5])).float()
    with Rotations(48) as rotations:
        NetworkDenoiser(flow.schedule, network, flow.basis, "ambient").raw(y, 1.0).square().mean().backward()
    assert rotations.count == 3


def test_kernels_near_exp_60_keep_the_signal_in_float32():
    """rho = 2 and T = 15.01: kept directions reach gamma_0 exp(60), others stay small, and images come back."""
    settings = {"kept_dims": 1, "rho": 2.0, "t_max": 15.01}
    exact, x = mixture_flow(settings)
    assert float(exact.schedule.log_gamma(15.01).max()) == pytest.approx(np.log(5e-4) + 2 * 2 * 15.01)
    flow, _ = mixture_flow(settings, dtype=torch.float32)
    z = flow.inflate(x[:200], solver="rk5", steps=120)
    assert np.isfinite(z).all()
    assert np.abs(z[:, 0]).max() < 6
    back = flow.generate(z, solver="rk5", steps=120)
    error = (back - x[:200]) * 127.5
    assert np.sqrt(np.mean(error**2)) < 0.05
    assert np.abs(z - exact.inflate(x[:200], solver="rk5", steps=120)).max() < 1e-3


@pytest.mark.parametrize("schedule", [{}, {"kept_dims": 30, "gap": "constant", "inflation_gap": 1.02}], ids=str)
def test_preconditioning_of_a_natural_spectrum_is_finite_in_float32_at_all_times(schedule):
    spectrum = torch.logspace(2, -5, 3072, dtype=torch.float64)
    fitted = make_schedule(spectrum, rho=2.0, t_max=15.01, **schedule)
    for t in torch.linspace(0, 15.01, 50).tolist():
        for values in (fitted.c_in(t), fitted.angle_rate(t), fitted.angle(t), fitted.c_skip(t), fitted.c_out(t)):
            assert bool(torch.isfinite(values.float()).all())
        assert float(fitted.log_noise_ratio(t).abs().max()) < 90
    y = torch.cos(fitted.angle(15.01)).float()
    assert float(y.max()) <= 1


@pytest.mark.long
def test_a_compiled_flow_generates_the_same_images():
    flow, _ = network_flow()
    plain, _ = generate_images(flow, IMAGE, first=0, count=8, sample_seed=0)
    faster = accelerate(flow, "cpu", batch_size=8, compiled=True)
    compiled, _ = generate_images(faster, IMAGE, first=0, count=8, sample_seed=0)
    assert np.abs(plain.astype(int) - compiled).max() <= 1
    assert dataclasses.replace(flow.solver) == faster.solver


def test_exact_denoisers_stay_on_the_cpu():
    flow, _ = mixture_flow({"signal_left": 1e-2})
    assert isinstance(flow.denoiser, MixtureDenoiser)
    assert flow.denoiser.device.type == "cpu"
