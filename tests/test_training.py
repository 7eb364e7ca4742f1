"""Training targets against the mathematics they stand for, and small runs that must learn."""

from __future__ import annotations

import copy
import dataclasses
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

from inflationary_flows.data.toys import TOYS, EmbeddedToy
from inflationary_flows.errors import CheckpointError, Interrupted, TrainingError
from inflationary_flows.mathematics.denoisers import MixtureDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.schedules import Schedule, make_schedule
from inflationary_flows.networks.build import build_network
from inflationary_flows.seeding import derive_seed
from inflationary_flows.training.examples import KeptExamples, whitened_data
from inflationary_flows.training.fit import draw_batch, ema_decay, fit, learning_rate_factor
from inflationary_flows.training.kernels import Kernels
from inflationary_flows.training.optimiser import FlatAdamW
from inflationary_flows.training.settings import TrainingSettings
from inflationary_flows.training.targets import (
    antithetic_twins,
    noisy_pair,
    posterior_mean_target,
    stratified_clock,
    time_angles,
)
from inflationary_flows.training.validation import excess_denoising_error, excess_times, mean_excess
from oracles import SCHEDULES, mixture_data
from repository import REPOSITORY
from stores import Memory, kept, stopping_after

MLP = {"kind": "mlp", "space": "eigen", "width": 32, "blocks": 2, "frequencies": 16}
TINY = TrainingSettings(
    steps=60, batch_size=64, learning_rate=5e-3, warmup_steps=5, reference_size=128, validate_every=20
)


def setting(settings: dict[str, Any]) -> tuple[np.ndarray, Eigenbasis, Schedule]:
    x = mixture_data()[0]
    basis = Eigenbasis.fit(x)
    return x, basis, make_schedule(basis.eigenvalues, **settings)


def train(settings: TrainingSettings = TINY, checkpoint=None, schedule="floor prp", network=MLP, seed=0, **options):
    x, basis, fitted = setting(SCHEDULES[schedule])
    kernels, checkpoint = Kernels([fitted]), checkpoint or kept()
    return fit(x[:4000], x[4000:], basis, kernels, network, settings, seed=seed, checkpoint=checkpoint, **options)


def weights(denoiser) -> dict[str, torch.Tensor]:
    return denoiser.network.state_dict()


def normal(like: torch.Tensor, seed: int) -> torch.Tensor:
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(seed), dtype=like.dtype)


@pytest.mark.parametrize("name", SCHEDULES)
def test_plain_target_is_the_preconditioned_denoising_residual(name):
    x, basis, schedule = setting(SCHEDULES[name])
    w = whitened_data(x[:64], basis, schedule).double()
    t = schedule.time_at(torch.linspace(0.1, 0.9, 64, dtype=torch.float64))
    angle = schedule.angle(t)
    y, target = noisy_pair(w, angle, normal(w, 0))
    u0, u = w * schedule.eigenvalues.sqrt(), y * schedule.total_std(t)
    torch.testing.assert_close(target, (u0 - schedule.c_skip(t) * u) / schedule.c_out(t), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ["floor prp", "floor prr orig", "proportional prp"])
def test_posterior_mean_target_is_the_exact_raw_output_for_the_reference_set(name):
    x, basis, schedule = setting(SCHEDULES[name])
    w = whitened_data(x[:200], basis, schedule).double()
    oracle = MixtureDenoiser(schedule, w * schedule.eigenvalues.sqrt())
    for clock in (0.2, 0.5, 0.9):
        t = float(schedule.time_at(clock))
        angle = schedule.angle(t).expand(50, -1)
        y, _ = noisy_pair(w[:50], angle, normal(w[:50], 1))
        torch.testing.assert_close(posterior_mean_target(y, angle, w), oracle.raw(y, t), rtol=1e-6, atol=1e-8)


def test_both_targets_have_one_mean_and_the_posterior_mean_less_variance():
    x, basis, schedule = setting(SCHEDULES["floor prp"])
    w = whitened_data(x, basis, schedule)
    angle = time_angles(schedule, torch.full((5000,), 0.5, dtype=torch.float64)).float()
    y, plain = noisy_pair(w, angle, normal(w, 2))
    stable = posterior_mean_target(y, angle, w)
    assert float((plain - stable).mean().abs()) < 0.02
    residual = plain - stable
    # Orthogonality: the residual of a conditional mean is uncorrelated with any function of y.
    assert float((residual * torch.tanh(y)).mean().abs()) < 0.02
    assert float(stable.var()) < 0.9 * float(plain.var())


def test_noise_of_twins_cancels_where_there_is_little_and_is_standard_normal_everywhere():
    x, basis, schedule = setting(SCHEDULES["floor prp"])
    examples = KeptExamples(whitened_data(x, basis, schedule))
    plain = dataclasses.replace(TINY, targets="sample", batch_size=4096)
    variances = {}
    for antithetic in (False, True):
        settings = dataclasses.replace(plain, antithetic=antithetic)
        batch = draw_batch(examples, Kernels([schedule]), settings, seed=0, step=0)
        angle = time_angles(schedule, batch.clock).float()
        # y and F* rotate w and n: rotated back they are both again.
        noise = torch.sin(angle) * batch.y - torch.cos(angle) * batch.target
        assert abs(float(noise.mean())) < (1e-6 if antithetic else 0.05)
        assert float(noise.std()) == pytest.approx(1.0, abs=0.02)
        early = batch.target[:200].view(100, 2, 2).mean(1)
        variances[antithetic] = float(early.var())
    # Of the two, only the noise counts at early times; of its mean over a pair, half of the variance is left.
    assert variances[False] == pytest.approx(0.5, rel=0.3)
    assert variances[True] < 0.05


def test_every_step_and_every_seed_has_a_batch_of_its_own():
    x, basis, schedule = setting(SCHEDULES["floor prp"])
    examples = KeptExamples(whitened_data(x, basis, schedule))
    kernels = Kernels([schedule])
    first, again, *others = (draw_batch(examples, kernels, TINY, *at).y for at in ((0, 0), (0, 0), (0, 1), (1, 0)))
    assert torch.equal(first, again)
    assert not any(torch.equal(first, other) for other in others)


def test_parts_of_a_draws_name_do_not_run_together():
    assert derive_seed("training step", 1, 23) != derive_seed("training step", 12, 3)


def test_an_odd_batch_has_one_example_without_a_twin():
    assert antithetic_twins(5).tolist() == [0, 0, 1, 1, 2]


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_adam_on_one_vector_is_adam_on_each_tensor(memory_format):
    torch.manual_seed(0)
    flat = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(36, 2))
    flat = flat.to(memory_format=memory_format)
    single = copy.deepcopy(flat)
    strides = [p.stride() for p in single.parameters()]
    x = torch.randn(8, 3, 5, 5)
    ours = FlatAdamW(flat, 1e-2, weight_decay=0.1)
    theirs = torch.optim.AdamW(single.parameters(), 1e-2, weight_decay=0.1)
    assert [p.stride() for p in flat.parameters()] == strides
    for _ in range(20):
        for network, optimiser in ((flat, ours), (single, theirs)):
            optimiser.zero_grad()
            network(x).square().sum().backward()
            optimiser.step()
    for mine, other in zip(flat.parameters(), single.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-6)
    assert ours.weights.numel() == sum(p.numel() for p in single.parameters())


def test_training_does_not_import_the_compiler_of_torch():
    code = """
import sys
sys.path.insert(0, "tests")
from test_training import train
train()
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)


@pytest.mark.parametrize(("second", "warns"), [(0.99, True), (0.5, False)])
def test_a_cut_between_equal_variances_is_warned_of(second, warns, caplog):
    x = np.random.default_rng(0).standard_normal((1000, 2)) * np.sqrt([1.0, second])
    basis = Eigenbasis.fit(x)
    for kept_dims, expected in ((1, warns), (None, False)):
        caplog.clear()
        schedule = make_schedule(basis.eigenvalues, signal_left=1e-3, kept_dims=kept_dims)
        settings = dataclasses.replace(TINY, steps=1, warmup_steps=0)
        fit(x, x[:50], basis, Kernels([schedule]), MLP, settings, seed=0, checkpoint=kept())
        assert ("which directions are kept depends on the sample" in caplog.text) == expected


def test_directions_without_noise_have_nothing_to_learn():
    w = torch.randn(8, 2)
    angle = torch.tensor([[0.7, 0.0]]).expand(8, -1)
    y, target = noisy_pair(w, angle, normal(w, 0))
    assert torch.equal(target[:, 1], torch.zeros(8))
    assert torch.equal(y[:, 1], w[:, 1])


def test_stratified_clock_has_one_point_in_each_part():
    clock = stratified_clock(50, torch.Generator().manual_seed(0))
    assert (clock * 50).floor().tolist() == list(range(50))


def test_learning_rate_warms_up_and_decays_to_zero():
    settings = TrainingSettings(steps=1000, warmup_steps=100)
    rates = [learning_rate_factor(step, settings) for step in range(1001)]
    assert rates[0] == pytest.approx(0.01)
    assert max(rates) == pytest.approx(1.0)
    assert rates[100] == pytest.approx(1.0)
    assert rates[1000] == pytest.approx(0.0, abs=1e-12)
    assert rates[100:] == sorted(rates[100:], reverse=True)


def test_average_forgets_half_in_a_half_life():
    settings = TrainingSettings(batch_size=100, ema_half_life=5000)
    kept = np.prod([ema_decay(step, settings) for step in range(5000, 5050)])
    assert kept == pytest.approx(0.5)
    # Before, the half-life is a tenth of all examples so far: a batch after ten steps.
    assert ema_decay(9, settings) == pytest.approx(0.5)


def test_gradients_are_clipped():
    store = Memory()
    train(dataclasses.replace(TINY, steps=1, gradient_clip=1e-3), checkpoint=kept(store))
    arrays, _ = store.states[-1]
    # After one step the first moment is a tenth of the gradient.
    assert np.linalg.norm(arrays["optimiser.0.exp_avg"]) == pytest.approx(1e-4, rel=1e-3)


@pytest.mark.parametrize("targets", ["sample", "posterior_mean"])
def test_training_closes_four_fifths_of_the_gap_to_the_exact_denoiser(targets):
    x, basis, schedule = setting(SCHEDULES["floor prp"])
    _, means, variance = mixture_data()
    exact = MixtureDenoiser(
        schedule,
        basis.to_eigen(torch.from_numpy(means)),
        covariance=variance * torch.eye(2, dtype=torch.float64),
    )
    settings = dataclasses.replace(TINY, steps=400, batch_size=256, targets=targets, validate_every=200)
    denoiser, history = train(settings, exact=[exact])
    times = excess_times(schedule)
    u0 = basis.to_eigen(torch.from_numpy(x[4000:]))
    errors = excess_denoising_error(denoiser, exact, u0, 0, times)
    untrained = build_network(MLP, 2, 0)
    start = excess_denoising_error(type(denoiser)(schedule, untrained, basis, "eigen"), exact, u0, 0, times)
    assert mean_excess(schedule, times, errors, 0.01) < 0.2 * mean_excess(schedule, times, start, 0.01)
    assert [row["step"] for row in history] == [200, 400]
    assert history[-1]["excess_denoising_error"] < history[0]["excess_denoising_error"]


def test_an_exact_denoiser_has_no_excess_error():
    x, basis, schedule = setting(SCHEDULES["floor prp"])
    exact = MixtureDenoiser(schedule, basis.to_eigen(torch.from_numpy(x[:50])))
    u0 = basis.to_eigen(torch.from_numpy(x[50:90]))
    assert excess_denoising_error(exact, exact, u0, 0, excess_times(schedule)).max() == 0.0


class TestInterruption:
    def test_a_resumed_run_ends_with_the_same_bits(self):
        whole, history = train()
        store = Memory()
        train(checkpoint=kept(store, 0.0))
        for states in (1, 17, 40):
            part = Memory()
            part.states = store.states[:states]
            resumed, resumed_history = train(checkpoint=kept(part))
            assert resumed_history == history
            for name, weight in weights(whole).items():
                assert torch.equal(weight, weights(resumed)[name]), name

    def test_a_run_that_is_asked_to_stop_keeps_its_last_step_and_ends_with_the_same_bits(self):
        whole, _ = train()
        store = Memory()
        for stops in (1, 23):
            with pytest.raises(Interrupted, match="SIGTERM"):
                train(checkpoint=kept(store, stop=stopping_after(stops)))
        assert [metadata["step"] for _, metadata in store.states] == [1, 24]
        resumed, _ = train(checkpoint=kept(store))
        assert all(torch.equal(a, b) for a, b in zip(weights(whole).values(), weights(resumed).values(), strict=True))

    def test_a_state_of_another_run_is_refused(self):
        store = Memory()
        train(checkpoint=kept(store))
        arrays, metadata = store.states[-1]
        store.states.append((arrays, {**metadata, "digest": "other"}))
        with pytest.raises(CheckpointError, match="progress of the run d"):
            train(checkpoint=kept(store))

    def test_divergence_is_reported_and_the_last_good_state_kept(self):
        store = Memory()
        wild = dataclasses.replace(TINY, learning_rate=1e6, gradient_clip=1e9, warmup_steps=1)
        with pytest.raises(TrainingError, match="learning_rate"):
            train(wild, checkpoint=kept(store, 0.0))
        arrays, _ = store.states[-1]
        assert all(np.isfinite(array).all() for array in arrays.values())

    def test_checkpoints_do_not_change_the_result(self):
        often, _ = train(checkpoint=kept(seconds=0.0))
        never, _ = train(checkpoint=kept())
        assert all(torch.equal(a, b) for a, b in zip(weights(often).values(), weights(never).values(), strict=True))


def test_seeds_decide():
    same = [weights(train(seed=3)[0]) for _ in range(2)]
    other = weights(train(seed=4)[0])
    assert all(torch.equal(a, b) for a, b in zip(same[0].values(), same[1].values(), strict=True))
    assert not torch.equal(same[0]["last.weight"], other["last.weight"])


def test_the_callers_random_stream_is_left_alone():
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    build_network(MLP, 2, seed=5)
    assert torch.equal(torch.rand(3), expected)


def test_posterior_mean_targets_need_noise_everywhere():
    x, basis, _ = setting(SCHEDULES["floor prp"])
    schedule = make_schedule(basis.eigenvalues, kernel="proportional", kept_dims=1, signal_left=1e-3)
    with pytest.raises(TrainingError, match="targets"):
        fit(x, x, basis, Kernels([schedule]), MLP, TINY, seed=0, checkpoint=kept())


@pytest.mark.parametrize(
    ("network", "dimension"),
    [
        (MLP, 3),
        ({"kind": "unet", "space": "ambient", "image": [1, 8, 8], "channels": [16, 32], "layers": 1}, 64),
    ],
    ids=["mlp", "unet"],
)
class TestNetworks:
    def test_start_at_the_gaussian_denoiser(self, network, dimension):
        built = build_network(network, dimension, seed=0)
        assert torch.equal(built(torch.randn(5, dimension), torch.rand(5)), torch.zeros(5, dimension))

    def test_rows_do_not_see_each_other(self, network, dimension):
        built = self.stirred(network, dimension)
        y, clock = torch.randn(6, dimension), torch.rand(6)
        torch.testing.assert_close(built(y, clock)[2:3], built(y[2:3], clock[2:3]), rtol=1e-4, atol=1e-5)

    def test_neighbouring_times_look_alike(self, network, dimension):
        built = self.stirred(network, dimension)
        y = torch.randn(64, dimension)
        here, near = (built(y, torch.full((64,), c)) for c in (0.5, 0.501))
        similarity = torch.cosine_similarity(here, near, dim=1).min().detach()
        assert float(similarity) > 0.999

    def stirred(self, network, dimension):
        built = build_network(network, dimension, seed=0).eval()
        with torch.no_grad():
            for parameter in built.parameters():
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
        return built


def test_embedded_data_train_with_finite_loss_in_their_null_directions():
    """Three of five eigenvalues are zero; nothing divides by them, and the flow keeps to the plane."""
    toy = EmbeddedToy(base=TOYS["circles"], dimension=5, seed=1)
    x, _ = toy.sample(3000, np.random.default_rng(0))
    basis = Eigenbasis.fit(x)
    assert float(basis.eigenvalues[2]) < 1e-12
    schedule = make_schedule(basis.eigenvalues, kept_dims=2, signal_left=1e-3)
    settings = dataclasses.replace(TINY, steps=200, batch_size=128)
    denoiser, history = fit(x[:2500], x[2500:], basis, Kernels([schedule]), MLP, settings, seed=0, checkpoint=kept())
    assert all(np.isfinite(row["loss"]) and row["validation_loss"] < 2 for row in history)
    flow = Flow(denoiser, basis)
    held_out = x[2500:]
    assert np.abs(flow.round_trip(held_out) - held_out).max() < 1e-3
    off_plane = basis.to_eigen(torch.from_numpy(flow.generate(flow.noised_latents(held_out, 0))))[:, 2:]
    assert float(off_plane.abs().max()) < 0.2
