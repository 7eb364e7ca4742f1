"""The three injective flows against what is known: linear manifolds, brute-force Jacobians, inverses, resumed runs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inflationary_flows import Flow
from inflationary_flows import InjectiveFlow as StoredFlow
from inflationary_flows.artifacts.models import load_model, save_model
from inflationary_flows.baselines.chart import InjectiveNetwork, build_network, chart_of_size
from inflationary_flows.baselines.discovery import load_method
from inflationary_flows.baselines.injective import InjectiveFlow
from inflationary_flows.baselines.layers import count_parameters, half_mask, unshuffled
from inflationary_flows.baselines.method import RANDOM_NUMBERS, TrainingTask
from inflationary_flows.baselines.methods.rectangular_flow import joint_loss
from inflationary_flows.baselines.volume import (
    LocalMap,
    conjugate_gradients,
    log_volume,
    log_volume_surrogate,
    metric_tensor,
    off_diagonal,
    off_diagonal_estimate,
)
from inflationary_flows.checkpoint import Checkpoint
from inflationary_flows.errors import ArtifactError, ConfigError, Interrupted, TrainingError
from inflationary_flows.experiments.baselines.encoder import measure_encoder
from inflationary_flows.experiments.baselines.search import chosen_settings, search
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.runtime.states import keep_checkpoint

INJECTIVE = ["m_flow", "rectangular_flow", "canonical_manifold_flow"]
OTHERS = ["inflationary_flow", "variational_autoencoder", "neural_spline_flow"]
CHART = {
    **{"layers": 4, "univariate": "affine", "bins": 8, "hidden_layers": 1},
    **{"conditioner": "mlp", "squeeze": 2, "latent_layers": 2},
}
BUDGET = {
    **{"chart": CHART, "batch_size": 128, "warmup_steps": 20, "ema_half_life": 2000, "gradient_clip": 10.0},
    **{"exact_dims": 4, "probes": 1, "cg_iterations": 20, "cg_tolerance": 1e-4},
    **{"validate_every": 50, "validation_points": 500},
}
IMAGE = (3, 4, 4)


def unrotated(dimension: int) -> Eigenbasis:
    """A basis that knows nothing of the data: the chart has to find their directions by itself."""
    one = torch.ones(dimension, dtype=torch.float64)
    return Eigenbasis(torch.zeros_like(one), one, torch.eye(dimension, dtype=torch.float64), one)


def task_of(x: np.ndarray, kept: int, basis: Eigenbasis | None = None, **budget: Any) -> TrainingTask:
    """Data split in two, with a budget of few parameters."""
    half = len(x) // 2
    chart = {**CHART, **budget.pop("chart", {})}
    return TrainingTask(
        train=x[:half],
        validation=x[half:],
        basis=basis or Eigenbasis.fit(x[:half], np.ones(x.shape[1])),
        schedule={"kept_dims": kept, "signal_left": 1e-3},
        network={"kind": "mlp", "width": 24, "blocks": 1, "frequencies": 8, "space": "eigen"},
        training={"batch_size": 128, "warmup_steps": 5, "reference_size": 256, "validate_every": 20},
        solver={
            **{"method": "rk4", "steps": 8, "tolerance": 1e-6},
            "grid": {"kind": "uniform", "centre": 0.0, "width": 4.0},
        },
        compressed_prior="gaussian",
        budget={**BUDGET, **budget, "chart": chart},
    )


def trained(kind: str, task: TrainingTask, steps: int, **settings: Any) -> InjectiveFlow:
    method = load_method(kind)
    model, _ = method.fit(task, method.Settings(**settings), steps=steps, seed=0, checkpoint=Checkpoint.unkept())
    assert isinstance(model, InjectiveFlow)
    return model


def wobbly(
    dimension: int, kept: int, *, image: tuple[int, int, int] | None = None, noise: float = 0.2, **chart: Any
) -> InjectiveFlow:
    """An untrained flow that bends strongly, in float64."""
    settings = {**CHART, "width": 16, **chart}
    random = np.random.default_rng(0)
    x = random.standard_normal((500, dimension)) @ random.standard_normal((dimension, dimension))
    basis = Eigenbasis.fit(x, np.ones(dimension))
    network = build_network(basis, kept, settings, image, seed=1)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(noise * torch.randn(parameter.shape, generator=generator))
    return InjectiveFlow(network.requires_grad_(False), basis, settings, image).double()


SHAPES = [
    pytest.param(2, 1, {}, None, id="circle"),
    pytest.param(3, 2, {"univariate": "spline"}, None, id="splines"),
    pytest.param(6, 3, {}, None, id="affine"),
    pytest.param(48, 5, {"conditioner": "convolution"}, IMAGE, id="convolutions"),
]


@pytest.mark.parametrize(("dimension", "kept", "chart", "image"), SHAPES)
def test_inverse_is_exact_on_the_manifold(
    dimension: int, kept: int, chart: dict[str, Any], image: tuple[int, int, int] | None
) -> None:
    flow = wobbly(dimension, kept, image=image, **chart)
    z = torch.from_numpy(np.random.default_rng(1).standard_normal((200, kept)))
    x = flow.generate(z)
    assert torch.allclose(flow.inflate(x), z, atol=1e-8)
    assert np.allclose(flow.reconstruct(x.numpy()), x.numpy(), atol=1e-8)


@pytest.mark.parametrize(("dimension", "kept", "chart", "image"), SHAPES)
def test_volume_equals_that_of_brute_force_autograd(
    dimension: int, kept: int, chart: dict[str, Any], image: tuple[int, int, int] | None
) -> None:
    flow = wobbly(dimension, kept, image=image, **chart)
    z = torch.from_numpy(np.random.default_rng(2).standard_normal((5, kept)))
    decode = flow.network.decoder()
    for row in z:
        brute = torch.autograd.functional.jacobian(lambda v: decode(v[None])[0], row)
        ours = LocalMap(decode, row[None], differentiable=False).jacobian()[0]
        assert torch.allclose(ours, brute, atol=1e-10)
        exact = torch.log(torch.linalg.svdvals(brute)).sum()
        assert float(log_volume(metric_tensor(ours[None]))) == pytest.approx(float(exact), abs=1e-9)


def test_density_integrates_to_one_over_a_curve() -> None:
    flow = wobbly(2, 1)
    grid = torch.linspace(-40, 40, 40_001, dtype=torch.float64)[:, None]
    x = flow.generate(grid)
    lengths = (x[1:] - x[:-1]).norm(dim=1)
    density = torch.exp(flow.log_prob(x))
    mass = float((lengths * (density[1:] + density[:-1]) / 2).sum())
    assert mass == pytest.approx(1.0, abs=1e-3)


def test_density_is_per_volume_in_data_units() -> None:
    flow = wobbly(3, 2)
    basis = flow.basis
    wide = Eigenbasis(3 * basis.mean, 3 * basis.scale, basis.vectors, basis.eigenvalues)
    scaled = InjectiveFlow(flow.network, wide, flow.chart)
    x = flow.generate(torch.zeros(4, 2, dtype=torch.float64) + torch.arange(4.0)[:, None])
    assert torch.allclose(scaled.log_prob(3 * x), flow.log_prob(x) - 2 * math.log(3), atol=1e-8)


def test_conjugate_gradients_solve_systems_of_all_sizes() -> None:
    random = torch.Generator().manual_seed(0)
    root = torch.randn(20, 7, 7, generator=random, dtype=torch.float64)
    matrix = root @ root.mT + 0.1 * torch.eye(7, dtype=torch.float64)
    target = torch.randn(20, 7, generator=random, dtype=torch.float64)
    target[3] = 0
    solved = conjugate_gradients(lambda v: (matrix @ v[..., None])[..., 0], target, iterations=7, tolerance=0.0)
    assert torch.allclose(solved, torch.linalg.solve(matrix, target), atol=1e-6)
    assert bool((solved[3] == 0).all())


def weight_gradients(network: InjectiveNetwork, value: torch.Tensor) -> torch.Tensor:
    parameters = list(network.layers.parameters())
    found = torch.autograd.grad(value, parameters, allow_unused=True)
    return torch.cat([g.flatten() for g in found if g is not None])


def test_stochastic_gradient_of_the_volume_is_unbiased() -> None:
    network = wobbly(6, 3, noise=0.1).network.requires_grad_(True)
    z = torch.from_numpy(np.random.default_rng(3).standard_normal((400, 3)))
    exact = LocalMap(network.decoder(), z, differentiable=True)
    expected = weight_gradients(network, log_volume(metric_tensor(exact.jacobian())).mean())
    generator = torch.Generator().manual_seed(0)
    estimates = []
    for _ in range(40):
        local = LocalMap(network.decoder(), z, differentiable=True)
        surrogate = log_volume_surrogate(local, 1, generator, iterations=10, tolerance=1e-8)
        estimates.append(weight_gradients(network, surrogate.mean()))
    mean = torch.stack(estimates).mean(0)
    error = torch.stack(estimates).std(0) / math.sqrt(len(estimates))
    assert float((mean - expected).norm()) < 2 * float(error.norm())
    assert float(error.norm()) < 0.1 * float(expected.norm())


def test_gradient_of_the_volume_varies_less_than_by_the_estimate_of_the_paper() -> None:
    network = wobbly(6, 3).network.requires_grad_(True)
    z = torch.from_numpy(np.random.default_rng(3).standard_normal((100, 3)))
    generator = torch.Generator().manual_seed(0)
    spreads = []
    for paper in (False, True):
        estimates = []
        for _ in range(8):
            local = LocalMap(network.decoder(), z, differentiable=True)
            signs = torch.randint(0, 2, z.shape, generator=generator).to(z) * 2 - 1
            solved = torch.linalg.solve(metric_tensor(local.jacobian()).detach(), signs[..., None])[..., 0]
            left = local.push(solved, differentiable=paper)
            value = (left * local.push(signs)).sum(1).mean() / (2 if paper else 1)
            estimates.append(weight_gradients(network, value))
        spreads.append(float(torch.stack(estimates).std(0).norm()))
    assert spreads[0] < 0.1 * spreads[1]


def test_estimate_of_off_diagonal_entries_is_unbiased() -> None:
    network = wobbly(6, 3).network
    z = torch.from_numpy(np.random.default_rng(4).standard_normal((50, 3)))
    local = LocalMap(network.decoder(), z, differentiable=False)
    exact = off_diagonal(metric_tensor(local.jacobian()))
    generator = torch.Generator().manual_seed(0)
    estimates = torch.stack([off_diagonal_estimate(local, 1, generator) for _ in range(300)])
    error = estimates.std(0) / math.sqrt(len(estimates))
    assert bool(((estimates.mean(0) - exact).abs() < 5 * error + 1e-9).all())


@pytest.mark.parametrize("layers", [2, 6])
def test_layers_read_complementary_halves(layers: int) -> None:
    for layer in range(0, layers, 2):
        assert bool((half_mask(9, layer) ^ half_mask(9, layer + 1)).all())


def test_folded_pixels_are_those_of_squares() -> None:
    shape, order = unshuffled((1, 4, 4), 2)
    assert shape == (4, 2, 2)
    assert order[:4].tolist() == [0, 2, 8, 10]
    with pytest.raises(ConfigError, match="a divisor of 4"):
        unshuffled((1, 4, 4), 3)


@pytest.mark.parametrize("parameters", [2_000, 20_000])
@pytest.mark.parametrize(("dimension", "kept", "chart", "image"), SHAPES)
def test_width_spends_the_parameters_of_the_budget(
    dimension: int, kept: int, chart: dict[str, Any], image: tuple[int, int, int] | None, parameters: int
) -> None:
    basis = unrotated(dimension)
    chosen = chart_of_size(basis, kept, {**CHART, **chart}, image, parameters)
    found = count_parameters(InjectiveNetwork(basis, kept, chosen, image))
    assert found == pytest.approx(parameters, rel=0.2)


def linear_manifold() -> tuple[np.ndarray, np.ndarray]:
    """Points of an oblique plane in space, with a little noise across it; and the plane's directions."""
    random = np.random.default_rng(0)
    rotation, _ = np.linalg.qr(random.standard_normal((3, 3)))
    x = (random.standard_normal((8_000, 3)) * [1.5, 0.8, 0.02]) @ rotation.T
    return x, rotation[:, :2]


@pytest.fixture(scope="module", params=INJECTIVE)
def linear(request: pytest.FixtureRequest) -> InjectiveFlow:
    """Each method, trained on the plane without being told of it."""
    x, _ = linear_manifold()
    task = task_of(x, 2, unrotated(3), batch_size=256, chart={"layers": 6})
    weights = {} if request.param == "m_flow" else {"reconstruction_weight": 200.0}
    return trained(request.param, task, 700, learning_rate=1e-2, **weights)


@pytest.mark.long
def test_linear_manifold_is_that_of_principal_components(linear: InjectiveFlow) -> None:
    """Maximum likelihood on a linear Gaussian manifold is PCA: the same plane, the same density on it."""
    x, plane = linear_manifold()
    held_out = x[4_000:]
    centre = torch.from_numpy(linear.inflate(held_out[:200]))
    directions, _ = torch.linalg.qr(linear.jacobian(centre))
    cosines = torch.linalg.svdvals(directions.mT @ torch.from_numpy(plane))
    # Over the 200 points: the median tangent plane lies within a degree of the plane of principal components.
    angles = torch.rad2deg(torch.arccos(cosines.min(1).values.clamp(max=1)))
    assert float(angles.median()) < 1.0
    reconstruction = float(np.mean(np.sum((linear.reconstruct(held_out) - held_out) ** 2, 1)))
    assert reconstruction < 3 * 0.02**2 + 1e-3
    u = held_out @ plane
    variances = np.array([1.5, 0.8]) ** 2
    exact = -0.5 * np.sum(u**2 / variances + np.log(2 * np.pi * variances), 1)
    assert float(np.mean(linear.log_prob(held_out))) == pytest.approx(float(exact.mean()), abs=0.05)


@pytest.mark.long
def test_canonical_charts_have_the_more_diagonal_metric() -> None:
    random = np.random.default_rng(1)
    t = random.uniform(-2, 2, (4_000, 2))
    x = np.stack([t[:, 0] + t[:, 1], t[:, 0] - 0.3 * t[:, 1], np.sin(t[:, 0] + t[:, 1])], 1)
    task = task_of(x, 2, unrotated(3), chart={"layers": 6})
    shares = {}
    for kind, extra in (("rectangular_flow", {}), ("canonical_manifold_flow", {"sparsity_weight": 5.0})):
        flow = trained(kind, task, 400, learning_rate=5e-3, **extra)
        metric = metric_tensor(flow.jacobian(torch.from_numpy(flow.inflate(x[2_000:2_500]))))
        shares[kind] = float((off_diagonal(metric) / metric.diagonal(dim1=1, dim2=2).sum(1)).mean())
    assert shares["canonical_manifold_flow"] < 0.5 * shares["rectangular_flow"]


def test_exact_and_stochastic_losses_share_all_but_the_volume() -> None:
    network = wobbly(6, 3, noise=0.1).network.requires_grad_(True)
    points = torch.from_numpy(np.random.default_rng(5).standard_normal((64, 6)))
    losses = []
    for exact_dims in (3, 2):
        loss = joint_loss({**BUDGET, "exact_dims": exact_dims}, 0.0)
        generator = torch.Generator().manual_seed(0)
        losses.append(weight_gradients(network, loss(network, points, generator)))
    cosine = float(losses[0] @ losses[1] / (losses[0].norm() * losses[1].norm()))
    assert cosine > 0.9


@pytest.fixture(scope="module")
def small() -> TrainingTask:
    random = np.random.default_rng(6)
    x = random.standard_normal((2_000, 3)) * [1.0, 0.7, 0.1]
    return task_of(x, 2)


@pytest.mark.parametrize("kind", [*INJECTIVE, *OTHERS])
def test_model_survives_its_file(kind: str, small: TrainingTask, tmp_path: Path) -> None:
    method = load_method(kind)
    model, curve = method.fit(small, method.Settings(), steps=30, seed=0, checkpoint=Checkpoint.unkept())
    assert [row["step"] for row in curve][-1] == 30
    path = tmp_path / "model.safetensors"
    save_model(path, kind, model, {"seed": 0})
    again = load_model(path)
    x = np.asarray(small.validation[:50])
    for name in ("reconstruct", "round_trip"):
        assert np.array_equal(getattr(again, name)(x), getattr(model, name)(x))
    for random in (None, *RANDOM_NUMBERS):
        assert np.array_equal(again.sample(20, 3, random), model.sample(20, 3, random))
    assert not np.array_equal(model.sample(20, 3, "D"), model.sample(20, 3, "d"))
    assert again.parameters == model.parameters
    assert (again.dimension, again.kept_dims) == (3, 2)
    if kind == "inflationary_flow":
        assert np.array_equal(Flow.load(path).sample(5, 0), model.sample(5, 0))
    if kind in OTHERS:
        with pytest.raises(ArtifactError, match="an injective flow"):
            StoredFlow.load(path)
    else:
        assert isinstance(StoredFlow.load(tmp_path), InjectiveFlow)


def test_residual_noise_fills_what_the_manifold_leaves_out(small: TrainingTask) -> None:
    model = trained("m_flow", small, 30)
    x = np.asarray(small.validation)
    left = small.basis.to_eigen(torch.from_numpy(x)) - small.basis.to_eigen(torch.from_numpy(model.reconstruct(x)))
    added = small.basis.to_eigen(torch.from_numpy(model.sample(4000, 1, "D")))
    added -= small.basis.to_eigen(torch.from_numpy(model.sample(4000, 1, "d")))
    assert added.std(0).numpy() == pytest.approx(left[:500].square().mean(0).sqrt().numpy(), rel=0.06)


def test_spline_flows_have_a_density() -> None:
    random = np.random.default_rng(2)
    x = np.concatenate([random.standard_normal((1000, 2)) * 0.3 + side for side in ([-1, 0], [1, 0.5])])
    task = task_of(random.permutation(x), 1)
    method = load_method("neural_spline_flow")
    model, _ = method.fit(task, method.Settings(), steps=150, seed=0, checkpoint=Checkpoint.unkept())
    y = np.stack(np.meshgrid(*2 * [np.linspace(-6, 6, 241)]), -1).reshape(-1, 2)
    grid = model.whitening.restore(torch.from_numpy(y))
    assert np.exp(model.log_prob(grid)).sum() * 0.05**2 == pytest.approx(1.0, abs=0.01)
    # Better than the Gaussian of the data, whose mean log density of whitened points is known.
    assert model.log_prob(np.asarray(task.validation)).mean() > -np.log(2 * np.pi) - 1 + 0.1
    assert np.allclose(model.round_trip(x), x, atol=1e-4)


@pytest.mark.long
def test_autoencoders_of_gaussian_data_find_their_plane_and_their_posterior() -> None:
    random = np.random.default_rng(3)
    # Whitened, a latent and its noise: the principal direction has the larger share of both coordinates' variance.
    x = random.standard_normal((4000, 1)) * [1.0, 1.0] + 0.5 * random.standard_normal((4000, 2))
    task = task_of(x, 1, unrotated(2))
    method = load_method("variational_autoencoder")
    model, _ = method.fit(task, method.Settings(1e-2), steps=400, seed=0, checkpoint=Checkpoint.unkept())
    samples = model.sample(4000, 0)
    assert np.cov(samples.T) == pytest.approx(np.cov(x.T), abs=0.15)
    found = {row["metric"]: row["value"] for row in measure_encoder(model, 2000, [0.25, 0.5, 0.75], seed=0)}
    # The posterior of a linear model is Gaussian: q can be it.
    assert found["q_width"] == pytest.approx(1.0, abs=0.1)
    assert 0 <= found["q_kl"] + 0.01 < 0.1


@pytest.mark.parametrize("kind", [*INJECTIVE, *OTHERS])
def test_points_by_number_are_the_same_in_any_parts(kind: str, small: TrainingTask) -> None:
    method = load_method(kind)
    model, _ = method.fit(small, method.Settings(), steps=10, seed=0, checkpoint=Checkpoint.unkept())
    whole = model.sample_numbered(0, 7, seed=2)
    parts = [model.sample_numbered(0, 3, seed=2), model.sample_numbered(3, 4, seed=2)]
    assert np.allclose(np.concatenate(parts), whole, atol=1e-5)
    assert np.allclose(model.sample(5, 1), model.sample(9, 1)[:5], atol=1e-5)


@pytest.mark.parametrize("kind", [*INJECTIVE, *OTHERS])
def test_interrupted_training_ends_with_the_same_bits(kind: str, small: TrainingTask, tmp_path: Path) -> None:
    method = load_method(kind)
    settings = method.Settings()
    straight, curve = method.fit(small, settings, steps=24, seed=1, checkpoint=Checkpoint.unkept())
    digest = "0" * 32
    asked: list[int] = []

    def stop_once() -> str | None:
        asked.append(1)
        return "a test" if len(asked) == 15 else None

    with keep_checkpoint(tmp_path, digest, 1e9) as checkpoint:
        checkpoint.stop = stop_once
        with pytest.raises(Interrupted):
            method.fit(small, settings, steps=24, seed=1, checkpoint=checkpoint)
    with keep_checkpoint(tmp_path, digest, 1e9) as checkpoint:
        resumed, curve_again = method.fit(small, settings, steps=24, seed=1, checkpoint=checkpoint)
    assert curve_again == curve
    assert np.array_equal(resumed.sample(10, 0), straight.sample(10, 0))


def test_diverging_training_is_told(small: TrainingTask) -> None:
    method = load_method("rectangular_flow")
    with pytest.raises(TrainingError, match="a finite loss"):
        method.fit(small, method.Settings(learning_rate=1e6), steps=40, seed=0, checkpoint=Checkpoint.unkept())


def test_search_takes_the_candidate_nearest_to_held_out_points(small: TrainingTask) -> None:
    candidates = [{"learning_rate": 1e6}, {"learning_rate": 1e-9}, {"learning_rate": 1e-2}]
    rows = search(
        load_method("rectangular_flow"),
        small,
        candidates,
        defaults={"reconstruction_weight": 10.0},
        steps=60,
        seed=0,
        samples=500,
        checkpoint=Checkpoint.unkept(),
    )
    assert rows[0]["value"] is None
    finite = [row["value"] for row in rows[1:]]
    assert [row["chosen"] for row in rows[1:]] == [value == min(finite) for value in finite]
    assert chosen_settings(rows)["reconstruction_weight"] == 10.0


def test_search_says_so_if_nothing_can_be_trained(small: TrainingTask) -> None:
    with pytest.raises(TrainingError, match="at least one"):
        search(
            load_method("m_flow"),
            small,
            [{"learning_rate": 1e12}],
            defaults={},
            steps=40,
            seed=0,
            samples=100,
            checkpoint=Checkpoint.unkept(),
        )
