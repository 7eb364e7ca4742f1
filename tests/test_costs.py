"""Costs in closed form against the networks themselves, built without memory or run once."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from conftest import REPOSITORY
from inflationary_flows.mathematics.solvers import FIXED_STEP, HEUN_THEN_EULER
from inflationary_flows.networks.costs import (
    Cost,
    evaluations_of,
    generation_hours,
    generation_memory_gb,
    mlp_cost,
    network_cost,
    training_hours,
    training_memory_gb,
    unet_cost,
)
from inflationary_flows.networks.mlp import ResidualMLP
from inflationary_flows.networks.presets import PRESETS
from inflationary_flows.networks.unet import ImageUNet

COLOUR = (3, 32, 32)
UNETS: dict[str, dict[str, Any]] = {
    "the paper's": {"image": COLOUR, "channels": (256, 256, 256), "layers": 4, "attention": (16,), "labels": 9},
    "one level": {"image": (1, 8, 8), "channels": (32,), "layers": 1},
    "grey, growing": {"image": (1, 28, 28), "channels": (32, 64, 96), "layers": 1, "attention": (14, 7)},
    "shrinking": {"image": (3, 16, 16), "channels": (96, 32, 64), "layers": 2, "attention": (8,)},
    "patches": {"image": COLOUR, "channels": (64, 128), "layers": 2, "attention": (8,), "patch": 2},
    "attention first": {"image": (3, 16, 16), "channels": (32, 32), "layers": 3, "attention": (16,), "labels": 4},
    "shared": {"image": (1, 8, 8), "channels": (32, 64), "layers": 1, "labels": 9, "told": "levels"},
}


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", UNETS)
def test_parameters_of_a_unet(name: str) -> None:
    with torch.device("meta"):
        model = ImageUNet(**UNETS[name])
    assert unet_cost(**UNETS[name]).parameters == parameters(model)


@pytest.mark.parametrize("preset", PRESETS)
def test_parameters_of_presets(preset: str) -> None:
    options = {key: value for key, value in PRESETS[preset].items() if key != "dropout"}
    image = (1, 28, 28) if preset == "small_28" else COLOUR
    with torch.device("meta"):
        model = ImageUNet(image, **options)
    assert network_cost({"kind": "unet", "preset": preset}, math.prod(image), image).parameters == parameters(model)


def test_the_papers_unet_has_the_size_that_was_measured() -> None:
    # The authors' own has 55.7 M parameters.
    assert unet_cost(**UNETS["the paper's"]).parameters == pytest.approx(55.7e6, rel=0.03)


@pytest.mark.parametrize("name", ["one level", "shrinking", "patches", "attention first", "shared"])
def test_operations_of_a_unet(name: str) -> None:
    settings = UNETS[name]
    model = ImageUNet(**settings).eval()
    # Attention as plain products: the counter does not know the fused one of CPUs.
    for module in model.modules():
        if isinstance(module, Attention):
            module.set_processor(AttnProcessor())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        told = torch.zeros(2, 4) if settings.get("told") == "levels" else torch.zeros(2)
        model(torch.zeros(2, math.prod(settings["image"])), told)
    assert 2 * unet_cost(**settings).flops == pytest.approx(counter.get_total_flops(), rel=0.02)


@pytest.mark.parametrize("settings", [{}, {"width": 48, "blocks": 2, "frequencies": 0}, {"time_features": 5}])
def test_parameters_and_operations_of_an_mlp(settings: dict[str, int]) -> None:
    model = ResidualMLP(7, **settings)
    cost = mlp_cost(7, **settings)
    assert cost.parameters == parameters(model)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(3, 7), torch.linspace(0, 1, 3))
    assert 3 * cost.flops == counter.get_total_flops()


def test_a_step_of_training_costs_three_forward_passes() -> None:
    model = ResidualMLP(7, frequencies=0)
    y, clock = torch.zeros(3, 7, requires_grad=True), torch.linspace(0, 1, 3)
    with FlopCounterMode(display=False) as counter:
        model(y, clock).sum().backward()
    # Nothing is derived by the clock: one product of the first layer on it is spared.
    assert counter.get_total_flops() == pytest.approx(3 * 3 * mlp_cost(7, frequencies=0).flops, rel=0.02)


def test_what_is_kept_for_the_backward_pass_is_about_what_autograd_keeps() -> None:
    settings = UNETS["shrinking"]
    model = ImageUNet(**settings)
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes() // 4
        return tensor

    batch = 4
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = model(torch.zeros(batch, math.prod(settings["image"])), torch.zeros(batch))
    assert output.requires_grad
    assert unet_cost(**settings).activations == pytest.approx(sum(kept.values()) / batch, rel=0.25)


def test_network_settings_of_the_configuration_are_understood() -> None:
    paper = {"kind": "unet", "preset": "ddpmpp", "channels": None, "space": "ambient"}
    assert network_cost(paper, 3072, COLOUR, labels=9) == unet_cost(**UNETS["the paper's"])
    assert network_cost({**paper, "image": list(COLOUR), "labels": 9}, 3072) == unet_cost(**UNETS["the paper's"])
    narrow = network_cost({**paper, "channels": [128, 128, 128]}, 3072, COLOUR)
    assert narrow == unet_cost(COLOUR, channels=(128,) * 3, layers=4, attention=(16,))
    grey = {"kind": "unet", "channels": [32, 64], "layers": 1, "attention": None}
    assert network_cost(grey, 64) == unet_cost((1, 8, 8), channels=(32, 64), layers=1)
    mlp = {"kind": "mlp", "width": 64, "blocks": 2, "frequencies": 8, "bandwidth": 1.5, "time_features": 12}
    assert network_cost({**mlp, "space": "eigen"}, 5) == mlp_cost(5, width=64, blocks=2, frequencies=8)


@pytest.mark.parametrize("method", FIXED_STEP)
@pytest.mark.parametrize("steps", [1, 2, 3, 95])
def test_evaluations_are_those_of_the_solvers(method: str, steps: int) -> None:
    assert evaluations_of(method, steps) == FIXED_STEP[method].evaluations(steps)
    assert evaluations_of("heun_scaled", steps) == HEUN_THEN_EULER.evaluations(steps)


def test_hours_and_memory_grow_as_they_should() -> None:
    cost = Cost(parameters=10**6, multiply_adds=10**9, activations=10**6)
    # 3 passes of 2e9 operations for 6e5 examples are 3.6e15 operations: an hour at 1e12 a second.
    assert training_hours(cost, 6e5, 1.0) == pytest.approx(1.0)
    assert training_hours(cost, 1.2e6, 4.0) == pytest.approx(0.5)
    assert generation_hours(cost, 1.8e4, 100, 1.0) == pytest.approx(1.0)
    # 5 copies of 4 MB, and 4 MB an image; half precision halves the latter alone.
    assert training_memory_gb(cost, 100) == pytest.approx(0.02 + 0.4)
    assert training_memory_gb(cost, 100, bytes_per_activation=2) == pytest.approx(0.02 + 0.2)
    assert generation_memory_gb(cost, 100) < training_memory_gb(cost, 100)


def test_costs_are_known_without_torch() -> None:
    code = "import sys; import inflationary_flows.networks.costs; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False).returncode == 0
