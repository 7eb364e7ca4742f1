"""Speed of the image path against the bare network: what preconditioning, rotations, solver and training cost.

Both sides use the same diffusers UNet2DModel.  The bare ones are what a loop without any method would be: one forward
pass; a chain of forward passes, each added to the image; forward, squared error, backward and a step of AdamW.  Sides
take turns, so that a machine that is busy slows both, and ratios are medians over the turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from inflationary_flows.experiments.images.acceleration import accelerate
from inflationary_flows.mathematics.denoisers import NetworkDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.networks.build import build_network
from inflationary_flows.networks.presets import PRESETS
from inflationary_flows.training.compute import Compute
from inflationary_flows.training.examples import KeptExamples
from inflationary_flows.training.fit import advance, draw_batch
from inflationary_flows.training.kernels import Kernels
from inflationary_flows.training.optimiser import FlatAdamW, flat_weights
from inflationary_flows.training.settings import TrainingSettings
from inflationary_flows.training.state import TrainingState

IMAGE_SPEED_COLUMNS = ("network", "parameters", "what", "batch_size", "bare_per_second", "ours_per_second", "ratio")

# Steps of a chain of evaluations: of Adams and Bashforth, as flows are generated, with its start.
_CHAIN = SolverSettings("adams_bashforth6", 5)


def random_basis(dimension: int) -> Eigenbasis:
    """A dense rotation and a spectrum like that of photographs: speed does not depend on them."""
    vectors, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((dimension, dimension)))
    ones = torch.ones(dimension, dtype=torch.float64)
    return Eigenbasis(0 * ones, ones, torch.from_numpy(vectors), torch.logspace(2, -4, dimension, dtype=torch.float64))


def take_turns(sides: dict[str, Callable[[], object]], repeats: int, device: str) -> dict[str, list[float]]:
    """Seconds of each side, in turn; the first turn is not counted."""

    def seconds(side: Callable[[], object]) -> float:
        begin = time.perf_counter()
        side()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        return time.perf_counter() - begin

    times: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(repeats + 1):
        for name, side in sides.items():
            taken = seconds(side)
            if turn:
                times[name].append(taken)
    return times


def measure_image_speed(
    preset: str, *, image: tuple[int, int, int] = (3, 32, 32), batch_size: int, repeats: int, device: str
) -> list[dict[str, Any]]:
    """Times one network.

    Arguments:
        preset: Name of its size.
        image: Channels, height and width.
        batch_size: Images at once.
        repeats: Turns that count.
        device: Where it runs.

    Returns:
        Rows of `IMAGE_SPEED_COLUMNS`: images a second for an `evaluation`, a `generation` of ten evaluations and a
        `training` step, and our speed as a share of the bare one.
    """
    dimension = int(np.prod(image))
    settings = {"kind": "unet", "space": "ambient", "image": list(image), **PRESETS[preset]}
    network = build_network(settings, dimension, 0).to(device)
    basis = random_basis(dimension)
    schedule = make_schedule(basis.eigenvalues, signal_left=1e-2)
    denoiser = NetworkDenoiser(schedule, network, basis, "ambient")
    flow = accelerate(Flow(denoiser, basis, solver=_CHAIN), device, batch_size=batch_size)
    y = torch.randn(batch_size, dimension, generator=torch.Generator().manual_seed(0)).to(device)
    t = float(schedule.time_at(0.5))
    evaluations = flow.evaluations()
    parameters = sum(parameter.numel() for parameter in network.parameters())
    rows = []
    for what, sides in (
        ("evaluation", _evaluation_sides(network, denoiser, y, t)),
        ("generation", _generation_sides(network, flow, y, evaluations)),
        ("training", _training_sides(settings, schedule_of=denoiser, y=y)),
    ):
        with torch.set_grad_enabled(what == "training"):
            network.train(what == "training")
            times = take_turns(sides, repeats, device)
        ratio = median(bare / ours for bare, ours in zip(times["bare"], times["ours"], strict=True))
        rows.append(
            {
                "network": preset,
                "parameters": parameters,
                "what": what,
                "batch_size": batch_size,
                "bare_per_second": batch_size / median(times["bare"]),
                "ours_per_second": batch_size / median(times["ours"]),
                "ratio": ratio,
            }
        )
    return rows


def _evaluation_sides(
    network: nn.Module, denoiser: NetworkDenoiser, y: Tensor, t: float
) -> dict[str, Callable[[], object]]:
    clock = torch.full((len(y),), 0.5, device=y.device)
    return {"bare": lambda: network(y, clock), "ours": lambda: denoiser.raw(y, t)}


def _generation_sides(network: nn.Module, flow: Flow, y: Tensor, evaluations: int) -> dict[str, Callable[[], object]]:
    clock = torch.full((len(y),), 0.5, device=y.device)

    def chain() -> Tensor:
        x = y
        for _ in range(evaluations):
            x = x - 0.01 * network(x, clock)
        return x

    points = y.double().cpu()
    return {"bare": chain, "ours": lambda: flow.carry(points, "generate", flow.solver)}


def _training_sides(
    settings: dict[str, Any], *, schedule_of: NetworkDenoiser, y: Tensor
) -> dict[str, Callable[[], object]]:
    """A bare training step, and ours with its batches, rotations, clipping and averaged weights."""
    dimension, size, device = y.shape[1], len(y), str(y.device)
    bare = build_network(settings, dimension, 0).to(device).train()
    optimiser = torch.optim.AdamW(bare.parameters(), 1e-4)
    clock = torch.rand(size, device=device)
    target = torch.randn_like(y)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        (bare(y, clock) - target).square().mean().backward()
        optimiser.step()

    chosen = TrainingSettings(steps=10_000, batch_size=size, learning_rate=1e-4, targets="sample", warmup_steps=10)
    ours = build_network(settings, dimension, 0).to(device).train()
    compute = Compute(ours)
    average = build_network(settings, dimension, 0).to(device)
    optimiser_of_ours = FlatAdamW(ours, 1e-4)
    state = TrainingState(
        ours, average, optimiser_of_ours, compute.scaler, [optimiser_of_ours.weights], [flat_weights(average)]
    )
    schedule, basis = schedule_of.schedule, schedule_of.basis
    denoiser = NetworkDenoiser(schedule, compute.module, basis, "ambient")
    examples = KeptExamples(torch.randn(4 * size, dimension).to(device))

    def our_step() -> None:
        batch = draw_batch(examples, Kernels([schedule]), chosen, 0, state.step)
        advance(state, compute, denoiser, batch, chosen, 0)

    return {"bare": step, "ours": our_step}
