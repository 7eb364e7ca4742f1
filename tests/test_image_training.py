"""Training on images: several processes, accumulation, augmentation, precision, and what is kept in memory."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from inflationary_flows.data.pixels import ImageFormat, Pixels
from inflationary_flows.errors import ConfigError, TrainingError
from inflationary_flows.files.files import sha256_of
from inflationary_flows.files.tensors import load_tensors
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.schedules import Schedule, make_schedule
from inflationary_flows.networks.build import build_network
from inflationary_flows.training import examples as examples_module
from inflationary_flows.training.augmentation import augment
from inflationary_flows.training.compute import Compute, Processes
from inflationary_flows.training.examples import KeptExamples, StreamedExamples, make_examples
from inflationary_flows.training.fit import fit
from inflationary_flows.training.kernels import Kernels
from inflationary_flows.training.settings import TrainingSettings
from inflationary_flows.training.targets import data_weights, flow_weights
from stores import Memory, kept

DRIVER = Path(__file__).with_name("ddp_driver.py")
IMAGE = ImageFormat(1, 8, 8)
UNET = {"kind": "unet", "space": "ambient", "image": [1, 8, 8], "channels": [8, 16], "layers": 1}
TINY = TrainingSettings(
    steps=20,
    batch_size=16,
    learning_rate=2e-3,
    warmup_steps=2,
    targets="sample",
    validate_every=10,
    validation_points=64,
)


def pixels(n: int = 240, image: ImageFormat = IMAGE, seed: int = 0) -> Pixels:
    """Smooth random images with a little noise."""
    rng = np.random.default_rng(seed)
    low = rng.standard_normal((n, image.channels, 3, 3))
    smooth = torch.nn.functional.interpolate(torch.from_numpy(low), size=(image.height, image.width), mode="bilinear")
    noisy = 0.4 * smooth.numpy() + 0.1 * rng.standard_normal(smooth.shape)
    return Pixels(image.to_levels(noisy).reshape(n, -1), image)


def setting(x: Pixels | None = None) -> tuple[Pixels, Eigenbasis, Schedule]:
    x = pixels() if x is None else x
    basis = Eigenbasis.fit(x)
    return x, basis, make_schedule(basis.eigenvalues, signal_left=1e-2, least_variance=x.image.least_variance)


def train(settings: TrainingSettings = TINY, network=UNET, checkpoint=None, **options):
    x, basis, schedule = setting()
    kernels, checkpoint = Kernels([schedule]), checkpoint or kept()
    return fit(x, x[:60], basis, kernels, network, settings, seed=0, checkpoint=checkpoint, **options)


def weights(denoiser) -> dict[str, torch.Tensor]:
    return denoiser.network.state_dict()


def largest_difference(one, other) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(weights(one).values(), weights(other).values(), strict=True))


# ---------------------------------------------------------------------------------------------
# Processes that share a batch


def command(folder: Path, processes: int, parts: int, steps: int) -> list[str]:
    return [sys.executable, str(DRIVER), str(folder), str(processes), str(parts), str(steps)]


def run_driver(folder: Path, processes: int, parts: int, steps: int = 12) -> Path:
    done = subprocess.run(command(folder, processes, parts, steps), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "network.safetensors"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network of one process that takes each batch in two halves."""
    return run_driver(tmp_path_factory.mktemp("alone"), 1, 2)


@pytest.mark.long
def test_two_processes_train_the_network_of_one_to_the_bit(alone, tmp_path):
    """Dropout and augmentation included: both do the same sums."""
    assert sha256_of(run_driver(tmp_path, 2, 1)) == sha256_of(alone)


@pytest.mark.long
def test_a_run_begun_by_one_process_is_finished_by_two(alone, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shutil.copy(alone.with_name("shared") / "step5.safetensors", shared / "state.safetensors")
    assert load_tensors(shared / "state.safetensors")[1]["step"] == 5
    assert sha256_of(run_driver(tmp_path, 2, 1)) == sha256_of(alone)
    assert not (shared / "step5.safetensors").exists()


@pytest.mark.long
def test_two_processes_that_are_told_to_stop_keep_what_they_did(tmp_path):
    """As a scheduler does it: TERM to all processes of the job at once."""
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    whole.mkdir()
    stopped.mkdir()
    network = run_driver(whole, 2, 1, 40)
    driver = subprocess.Popen(command(stopped, 2, 1, 40), stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not (stopped / "shared/step5.safetensors").exists():
        assert driver.poll() is None, driver.stderr.read()
        time.sleep(0.02)
    os.killpg(driver.pid, signal.SIGTERM)
    _, text = driver.communicate(timeout=60)
    assert driver.returncode not in (0, -signal.SIGTERM), text
    step = load_tensors(stopped / "shared/state.safetensors")[1]["step"]
    assert 5 <= step < 40
    assert "SIGTERM after" in text
    assert sha256_of(run_driver(stopped, 2, 1, 40)) == sha256_of(network)


def test_parts_cover_the_batch_once_over_all_processes():
    network = torch.nn.Linear(1, 1)
    seen = []
    for rank in range(3):
        compute = Compute(network)
        compute.processes = Processes(rank, 3)
        seen += list(compute.parts(24, 2))
    assert sorted(number for number, _ in seen) == list(range(6))
    rows = sorted(row for _, part in seen for row in range(24)[part])
    assert rows == list(range(24))


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(TrainingError, match="multiple of 3"):
        list(Compute(torch.nn.Linear(1, 1)).parts(16, 3))


def test_accumulation_changes_rounding_alone():
    whole, _ = train()
    parts, _ = train(dataclasses.replace(TINY, accumulate=4))
    # Adam divides by the size of gradients, so that rounding of tiny ones shows: within a single step's length.
    assert largest_difference(whole, parts) < TINY.learning_rate


# ---------------------------------------------------------------------------------------------
# Resume, precision, compilation


@pytest.mark.parametrize("change", [{"flip": True}, {"augment": 0.5}, {"precision": "bf16-mixed"}], ids=str)
def test_an_interrupted_run_of_images_ends_with_the_same_bits(change):
    settings = dataclasses.replace(TINY, **change)
    network = UNET | {"dropout": 0.2, "labels": 9 if "augment" in change else 0}
    store = Memory()
    whole, history = train(settings, network, kept(store, 0.0))
    part = Memory()
    part.states = store.states[:7]
    resumed, resumed_history = train(settings, network, kept(part))
    # To the byte: nothing in the curve tells of the interruption.
    assert json.dumps(resumed_history) == json.dumps(history)
    assert all(torch.equal(a, b) for a, b in zip(weights(whole).values(), weights(resumed).values(), strict=True))


def test_mixed_precision_keeps_weights_in_float32_and_learns_nearly_the_same():
    exact, history = train()
    mixed, mixed_history = train(dataclasses.replace(TINY, precision="bf16-mixed"))
    assert all(weight.dtype == torch.float32 for weight in weights(mixed).values())
    assert mixed_history[-1]["validation_loss"] == pytest.approx(history[-1]["validation_loss"], rel=0.02)
    assert largest_difference(exact, mixed) > 0


@pytest.mark.slow
def test_compilation_changes_rounding_alone():
    network = {"kind": "mlp", "space": "eigen", "width": 8, "blocks": 1, "frequencies": 4}
    plain, _ = train(network=network)
    compiled, _ = train(dataclasses.replace(TINY, compile=True), network)
    assert largest_difference(plain, compiled) < 1e-4


def test_memory_layout_changes_rounding_alone():
    plain, _ = train()
    last, _ = train(network=UNET | {"channels_last": True})
    assert largest_difference(plain, last) < 2e-3


def test_patches_need_a_side_that_they_divide():
    with pytest.raises(ConfigError, match="multiple of 8 times 2"):
        build_network(UNET | {"patch": 8}, 64, 0)


@pytest.mark.parametrize("space", ["ambient", "eigen"])
def test_a_network_of_images_learns_in_either_space(space):
    settings = dataclasses.replace(TINY, steps=60, validate_every=60)
    _, history = train(settings, UNET | {"space": space})
    assert history[-1]["validation_loss"] < 0.99


# ---------------------------------------------------------------------------------------------
# Examples


def test_streamed_examples_are_the_kept_ones():
    x, basis, schedule = setting()
    kept = make_examples(x, basis, schedule, TINY, IMAGE.shape, "cpu")
    streamed = StreamedExamples(x, IMAGE.shape, basis, schedule, flip=False, probability=0.0, device="cpu")
    numbers = torch.tensor([5, 3, 5, 100])
    one, other = (e.draw(numbers, torch.Generator())[0] for e in (kept, streamed))
    torch.testing.assert_close(one, other, rtol=1e-3, atol=2e-3)


def test_flipped_examples_are_the_mirror_images_in_either_way():
    x, basis, schedule = setting()
    flip = dataclasses.replace(TINY, flip=True)
    kept = make_examples(x, basis, schedule, flip, IMAGE.shape, "cpu")
    streamed = StreamedExamples(x, IMAGE.shape, basis, schedule, flip=True, probability=0.0, device="cpu")
    numbers = torch.arange(40)
    one, other = (e.draw(numbers, torch.Generator().manual_seed(1))[0] for e in (kept, streamed))
    torch.testing.assert_close(one, other, rtol=1e-3, atol=2e-3)
    back = basis.from_eigen(one * schedule.eigenvalues.sqrt()).view(-1, 8, 8)
    original = torch.from_numpy(x[:40]).view(-1, 8, 8)
    mirrored = [bool(torch.allclose(a, b.flip(1), atol=1e-3)) for a, b in zip(back, original, strict=True)]
    assert 10 < sum(mirrored) < 30
    plain = [bool(torch.allclose(a, b, atol=1e-3)) for a, b in zip(back, original, strict=True)]
    assert all(a != b for a, b in zip(mirrored, plain, strict=True))


def test_data_too_large_to_keep_are_streamed(monkeypatch):
    x, basis, schedule = setting()
    assert isinstance(make_examples(x, basis, schedule, TINY, IMAGE.shape, "cpu"), KeptExamples)
    monkeypatch.setattr(examples_module, "KEPT_BYTES", 1000)
    assert isinstance(make_examples(x, basis, schedule, TINY, IMAGE.shape, "cpu"), StreamedExamples)


# ---------------------------------------------------------------------------------------------
# Augmentation


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_without_probability_images_are_mirrored_at_most():
    images = torch.rand(200, 3, 8, 8)
    augmented, labels = augment(images, 0.0, generator())
    mirrored = labels[:, 0] == 1
    assert torch.equal(augmented[~mirrored], images[~mirrored])
    assert torch.equal(augmented[mirrored], images[mirrored].flip(3))
    assert float(labels[:, 1:].abs().max()) == 0
    assert 60 < int(mirrored.sum()) < 140


def test_labels_of_zero_mean_an_image_that_was_left_alone():
    """The network is asked for zeros when it generates: then it must know of nothing but the data."""
    images = torch.rand(3000, 1, 8, 8)
    augmented, labels = augment(images, 0.3, generator())
    alone = labels.abs().amax(1) == 0
    assert int(alone.sum()) > 100
    torch.testing.assert_close(augmented[alone], images[alone], rtol=0, atol=1e-5)
    changed = (augmented - images).abs().amax((1, 2, 3)) > 1e-3
    assert not bool((changed & alone).any())


def test_each_map_comes_with_its_probability():
    _, labels = augment(torch.zeros(20000, 1, 4, 4), 0.12, generator())
    share = (labels != 0).float().mean(0)
    expected = torch.tensor([0.5, 0.06, 0.12, 0.12, 0.12, 0.12, 0.12, 0.12, 0.12])
    torch.testing.assert_close(share, expected, rtol=0, atol=0.012)


def test_augmented_values_stay_within_those_of_the_image():
    augmented, _ = augment(torch.rand(500, 1, 8, 8) * 2 - 1, 1.0, generator())
    assert float(augmented.abs().max()) <= 1 + 1e-5


def test_a_map_is_undone_by_its_label():
    """An image that is flipped upside down says so."""
    images = torch.rand(400, 1, 8, 8)
    augmented, labels = augment(images, 0.5, generator(3))
    only = (labels[:, 1] == 1) & (labels[:, [0, 2, 3, 4, 5, 6, 7, 8]].abs().amax(1) == 0)
    assert bool(only.any())
    torch.testing.assert_close(augmented[only], images[only].flip(2), rtol=0, atol=1e-4)


@pytest.mark.long
def test_augmentation_does_not_leak_into_what_the_network_denoises():
    """Trained on images that turn, the network knows upright ones: told of no augmentation, it denoises them better."""
    x, basis, schedule = setting(oriented(2000))
    settings = dataclasses.replace(
        TINY, steps=500, batch_size=64, validate_every=250, augment=0.9, learning_rate=3e-3, ema_half_life=2000.0
    )
    network = UNET | {"labels": 9, "channels": [16, 32]}
    denoiser, _ = fit(x, x[:60], basis, Kernels([schedule]), network, settings, seed=0, checkpoint=kept())
    held_out = oriented(400, seed=1)
    w = basis.to_eigen(torch.from_numpy(held_out[:])) / schedule.eigenvalues.sqrt()
    noise = torch.from_numpy(np.random.default_rng(2).standard_normal(w.shape))
    time = float(schedule.time_at(0.6))
    angle = schedule.angle(time)
    y, target = torch.cos(angle) * w + torch.sin(angle) * noise, torch.sin(angle) * w - torch.cos(angle) * noise
    upside_down = torch.zeros(len(y), 9)
    upside_down[:, 1] = 1
    with torch.no_grad():
        errors = [float((denoiser.raw(y, time, told) - target).square().mean()) for told in (None, upside_down)]
    assert errors[0] < 0.97 * errors[1]


def oriented(n: int, seed: int = 0) -> Pixels:
    """Images that are brighter below than above, by a random step at a random height."""
    rng = np.random.default_rng(seed)
    height = rng.integers(2, 6, n)[:, None, None]
    step = np.where(np.arange(8)[None, :, None] >= height, 0.7, -0.7) * np.ones((1, 1, 8))
    return Pixels(IMAGE.to_levels(step + 0.1 * rng.standard_normal((n, 8, 8))).reshape(n, -1), IMAGE)


# ---------------------------------------------------------------------------------------------
# Weights of the loss, and the spectrum of images


def test_flow_weights_average_to_one_over_the_clock_and_follow_the_flow():
    schedule = make_schedule(torch.logspace(2, -4, 50), signal_left=1e-2)
    weight = flow_weights(schedule, schedule.time_at(torch.linspace(0, 1, 1001)))
    assert float(weight.mean()) == pytest.approx(1, rel=0.02)
    assert float(weight.min()) >= 0.1
    t = schedule.time_at(torch.linspace(0.05, 0.95, 9))
    assert torch.equal(flow_weights(schedule, t).argmax(1), schedule.log_noise_ratio(t).abs().argmin(1))


def test_weights_of_data_are_those_of_the_flow_by_standard_deviations():
    schedule = make_schedule(torch.logspace(2, -4, 50), signal_left=1e-2)
    t = schedule.time_at(torch.linspace(0, 1, 9))
    ratio = data_weights(schedule, t) / flow_weights(schedule, t)
    torch.testing.assert_close(ratio, (schedule.eigenvalues.sqrt() * ratio[0, 0] / 10).expand_as(ratio))
    assert float(ratio.mean()) == pytest.approx(1)


def test_flow_weights_leave_little_to_times_when_little_moves():
    """Of natural spectra few directions are large: late times are about these alone, and must not rule the loss."""
    schedule = make_schedule(torch.logspace(2, -5, 3072), signal_left=1e-2)
    weight = flow_weights(schedule, schedule.time_at(torch.linspace(0, 1, 101)))
    assert float(weight.max()) < 10
    assert float(weight[-10:].mean()) < float(weight[20:40].mean())


def test_directions_below_the_rounding_of_images_do_not_blow_up():
    x = pixels()
    values = x.values.copy()
    values[:, 0] = 128
    values[0, 0] = 130
    rare = Pixels(values, IMAGE)
    basis = Eigenbasis.fit(rare)
    assert float(basis.eigenvalues.min()) < IMAGE.least_variance
    bounded = make_schedule(basis.eigenvalues, signal_left=1e-2, least_variance=IMAGE.least_variance)
    assert float(bounded.eigenvalues.min()) == pytest.approx(IMAGE.least_variance)
    white = make_examples(rare, basis, bounded, TINY, IMAGE.shape, "cpu").draw(torch.arange(len(rare)), generator())[0]
    assert float(white.square().mean(0).max()) < 1.1
