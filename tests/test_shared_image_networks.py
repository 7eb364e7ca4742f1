"""U-Nets that several schedules share: what they are told, how they train, and the flows of each schedule."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inflationary_flows.data.pixels import ImageFormat, Pixels
from inflationary_flows.files.files import sha256_of
from inflationary_flows.mathematics.denoisers import NetworkDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.kernels import levels
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.networks.build import build_network
from inflationary_flows.networks.kernel_range import KernelRange
from inflationary_flows.training.compute import Compute
from inflationary_flows.training.fit import fit
from inflationary_flows.training.kernels import Kernels, RangeOfKernels
from inflationary_flows.training.settings import TrainingSettings
from stores import Memory, kept

DRIVER = Path(__file__).with_name("ddp_driver.py")
IMAGE = ImageFormat(1, 8, 8)
UNET = {"kind": "unet", "space": "ambient", "image": [1, 8, 8], "channels": [8, 16], "layers": 1, "told": "levels"}
TINY = TrainingSettings(
    steps=8,
    batch_size=16,
    learning_rate=2e-3,
    warmup_steps=2,
    targets="sample",
    validate_every=4,
    validation_points=64,
)
SPECTRUM = torch.logspace(1, -5, 64, dtype=torch.float64)
PRP: dict[str, Any] = {"signal_left": 1e-2}
PRR: dict[str, Any] = {"signal_left": 1e-4, "kept_dims": 10}


def pixels(n: int = 200) -> Pixels:
    """Bright squares somewhere, in noise."""
    rng = np.random.default_rng(0)
    images = 0.1 * rng.standard_normal((n, 8, 8))
    for image, (row, column) in zip(images, rng.integers(0, 5, (n, 2)), strict=True):
        image[row : row + 3, column : column + 3] += 0.8
    return Pixels(IMAGE.to_levels(images).reshape(n, -1), IMAGE)


def kernels_of(basis: Eigenbasis, *settings: dict[str, Any]) -> Kernels:
    return Kernels([make_schedule(basis.eigenvalues, **one) for one in settings or (PRP, PRR)])


def train(settings: TrainingSettings = TINY, network=UNET, checkpoint=None, kernels=None):
    x = pixels()
    basis = Eigenbasis.fit(x)
    kernels = kernels_of(basis) if kernels is None else kernels(basis)
    return fit(x, x[:60], basis, kernels, network, settings, seed=0, checkpoint=checkpoint or kept(), progress=False)


def untrained(network=UNET) -> torch.nn.Module:
    """A network with weights in its last layer, which begins as zero."""
    model = build_network(network, 64, 0)
    torch.manual_seed(1)
    for weights in model.unet.conv_out.parameters():
        torch.nn.init.normal_(weights, std=0.1)
    return model.eval()


# ---------------------------------------------------------------------------------------------
# What it is told


def angles_told(told: torch.Tensor, spectrum: torch.Tensor) -> torch.Tensor:
    """The angles of all directions, from four numbers and the spectrum alone: levels read backwards."""
    kept, compressed, share, floor = told.unbind(-1)
    dimension = len(spectrum)
    d = torch.round(torch.exp(share * math.log(dimension)))
    low, high = (float(spectrum.log().min()), float(spectrum.log().max())) if bool(floor[0] == 1) else (0.0, 0.0)
    noise = torch.where(torch.arange(dimension) < d[:, None], kept[:, None], compressed[:, None])
    noise = noise * (high - low + 16) + low - 8
    return torch.arctan(torch.exp((noise - (spectrum.log() if bool(floor[0] == 1) else 0)) / 2))


@pytest.mark.parametrize("kernel", ["floor", "proportional"])
@pytest.mark.parametrize(
    "own",
    [
        {"signal_left": 1e-2},
        *({"signal_left": 1e-4, "kept_dims": d} for d in (1, 2, 31, 62, 63)),
        {"signal_left": 1e-4, "kept_dims": 7, "gap": "constant", "inflation_gap": 0.6},
        {"t_max": 15.01, "rho": 2.0},
        {"t_max": 15.01, "kept_dims": 2, "gap": "constant", "inflation_gap": 1.0},
    ],
    ids=str,
)
def test_levels_determine_the_kernel(kernel: str, own: dict[str, Any]) -> None:
    schedule = make_schedule(SPECTRUM, kernel=kernel, **own)
    times = schedule.time_at(torch.linspace(0, 1, 40))
    told = levels(schedule, times)
    assert told.shape == (40, 4)
    assert -1e-12 < float(told.min()) <= float(told.max()) < 1 + 1e-12
    # Where noise is next to nothing, or all there is, they say no more than that.
    torch.testing.assert_close(angles_told(told, SPECTRUM), schedule.angle(times), rtol=0, atol=0.019)
    # They are exact between these ends.
    within = (schedule.log_gamma(times) if kernel == "floor" else schedule.log_noise_ratio(times))[:, [0, -1]]
    low, high = (SPECTRUM.log().min(), SPECTRUM.log().max()) if kernel == "floor" else (0.0, 0.0)
    clear = ((within > low - 8) & (within < high + 8)).all(1)
    # The gap `orig` of many kept directions takes the others out of this range at once.
    assert int(clear.sum()) >= 5 or own.get("inflation_gap") == 1.0 or own.get("kept_dims", 1) >= 62
    torch.testing.assert_close(angles_told(told, SPECTRUM)[clear], schedule.angle(times)[clear], rtol=0, atol=1e-9)


def test_schedules_that_pass_through_a_kernel_at_other_times_are_told_the_same() -> None:
    slow = make_schedule(SPECTRUM, kept_dims=16, t_max=9.0)
    # The gap `orig` is d / (D - d), and twice the rate passes in half of the time.
    fast = make_schedule(SPECTRUM, kept_dims=16, gap="constant", inflation_gap=16 / 48, rho=2.0, t_max=9.0)
    t = torch.linspace(0, 4.5, 20, dtype=torch.float64)
    torch.testing.assert_close(slow.angle(2 * t), fast.angle(t))
    torch.testing.assert_close(levels(slow, 2 * t), levels(fast, t))
    # A clock tells them apart by how long they last.
    assert float((slow.clock(2 * t) - fast.clock(t)).abs().max()) > 0.1


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"kept_dims": 9}, 2),
        ({"inflation_gap": 0.9}, 1),
        ({"kernel": "proportional"}, 3),
    ],
    ids=["d", "gap", "family"],
)
def test_other_kernels_are_told_apart(changed: dict[str, Any], place: int) -> None:
    own = {"kept_dims": 8, "gap": "constant", "inflation_gap": 0.5, "t_max": 12.0}
    one, other = make_schedule(SPECTRUM, **own), make_schedule(SPECTRUM, **own | changed)
    difference = (levels(one, 4.0) - levels(other, 4.0)).abs()
    assert float(difference[place]) > 0.01
    assert float((one.angle(4.0) - other.angle(4.0)).abs().max()) > 0.02


@pytest.mark.parametrize("place", range(4))
def test_the_network_hears_each_of_the_four(place: int) -> None:
    model, y = untrained(), torch.randn(3, 64)
    told = torch.full((3, 4), 0.5)
    other = told.clone()
    other[:, place] += 0.2
    with torch.no_grad():
        assert float((model(y, told) - model(y, other)).abs().max()) > 1e-4


def test_the_network_of_a_clock_is_built_as_before() -> None:
    clock = build_network({key: value for key, value in UNET.items() if key != "told"}, 64, 0)
    assert not any(name.startswith("kernel") for name in clock.state_dict())
    assert torch.equal(clock.unet.conv_in.weight, build_network(UNET, 64, 0).unet.conv_in.weight)


@pytest.mark.parametrize("change", [{"channels_last": True}, {"labels": 9}, {"patch": 2}], ids=str)
def test_layout_labels_and_patches_go_with_it(change: dict[str, Any]) -> None:
    settings = dataclasses.replace(TINY, steps=4, augment=0.5 if "labels" in change else 0.0)
    denoiser, history = train(settings, UNET | change)
    assert denoiser.told == "levels"
    assert all(bool(torch.isfinite(weights).all()) for weights in denoiser.network.state_dict().values())
    assert history[-1]["validation_loss"] < 1.2


def test_memory_layout_changes_rounding_alone() -> None:
    y, told = torch.randn(3, 64), torch.rand(3, 4)
    plain, last = untrained(), untrained(UNET | {"channels_last": True})
    last.load_state_dict(plain.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(last(y, told), plain(y, told), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_compilation_and_half_precision_change_rounding_alone() -> None:
    y, told, model = torch.randn(4, 64), torch.rand(4, 4), untrained()
    with torch.no_grad():
        expected = model(y, told)
        torch.testing.assert_close(Compute(model, compiled=True).network(y, told), expected, rtol=1e-4, atol=1e-5)
        rounded = Compute(model, precision="bf16-mixed").network(y, told).float()
    torch.testing.assert_close(rounded, expected, rtol=0.1, atol=0.05)


# ---------------------------------------------------------------------------------------------
# Training and flows


@pytest.mark.parametrize("drawn", [False, True], ids=["listed", "a range"])
def test_an_interrupted_training_ends_with_the_same_bits(drawn: bool) -> None:
    given = KernelRange((1, 63), (0.0, 1.5), ("floor",))
    kernels = (lambda basis: RangeOfKernels(basis.eigenvalues, given)) if drawn else None
    network, store, part = UNET | {"dropout": 0.2}, Memory(), Memory()
    whole, history = train(TINY, network, kept(store, 0.0), kernels)
    part.states = store.states[:5]
    resumed, again = train(TINY, network, kept(part), kernels)
    assert again == history
    states = whole.network.state_dict(), resumed.network.state_dict()
    assert all(torch.equal(a, b) for a, b in zip(*(state.values() for state in states), strict=True))


@pytest.mark.long
def test_two_processes_train_the_network_of_one_to_the_bit(tmp_path: Path) -> None:
    """Each of the two takes one half of a batch, and so examples of both schedules."""
    made = []
    for processes, parts in ((1, 2), (2, 1)):
        folder = tmp_path / str(processes)
        folder.mkdir()
        command = [sys.executable, str(DRIVER), str(folder), str(processes), str(parts), "8", "levels"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        made.append(sha256_of(folder / "network.safetensors"))
    assert made[0] == made[1]


@pytest.mark.parametrize("settings", [PRP, PRR], ids=["prp", "prr"])
def test_a_flow_generates_in_batches_what_it_generates_one_by_one(settings: dict[str, Any]) -> None:
    basis = Eigenbasis.fit(pixels())
    schedule = make_schedule(basis.eigenvalues, **settings)
    flow = Flow(
        NetworkDenoiser(schedule, untrained(), basis, "ambient", "levels"),
        basis,
        solver=SolverSettings(method="rk4", steps=2),
        compressed_prior="gaussian",
    )
    latents = flow.prior().sample_numbered(0, 3, seed=0)
    whole = flow.generate(latents)
    flow.batch_size = 2
    torch.testing.assert_close(flow.generate(latents), whole, rtol=0, atol=1e-5)
    alone = torch.cat([flow.generate(latents[row : row + 1]) for row in range(3)])
    torch.testing.assert_close(alone, whole, rtol=0, atol=1e-5)
