r"""Trains the network of an injective flow with any loss.

Adam with linear warm-up and cosine decay, and an exponential moving average of the weights, as for inflationary flows.
Batch and probes of a step depend on seed and step alone, so that a resumed run ends with a bitwise identical network.
Each phase begins from averaged weights, with a warm-up of its own.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from inflationary_flows.baselines.chart import InjectiveNetwork, build_network, chart_of_size
from inflationary_flows.baselines.injective import InjectiveFlow
from inflationary_flows.baselines.method import TrainingTask
from inflationary_flows.checkpoint import Checkpoint
from inflationary_flows.errors import TrainingError
from inflationary_flows.mathematics.eigenbasis import Eigenbasis, Rows
from inflationary_flows.networks.costs import network_cost
from inflationary_flows.progress import Progress
from inflationary_flows.seeding import derive_seed
from inflationary_flows.training.fit import ema_decay, learning_rate_factor
from inflationary_flows.training.settings import TrainingSettings
from inflationary_flows.training.state import TrainingState

logger = logging.getLogger(__name__)

# A network of any method, a batch of points in its coordinates, a source of random numbers.
Loss = Callable[[Any, Tensor, torch.Generator], Tensor]
Network = TypeVar("Network", bound=nn.Module)

_ROWS = 4096


@dataclass(frozen=True)
class Phase:
    """Steps with one loss.

    Attributes:
        name: Name in the training curve.
        steps: Optimiser steps.
        loss: Mean loss of a batch of points, shape (n, D), coordinates of the chart, with a source of probes.
    """

    name: str
    steps: int
    loss: Loss


def reconstruction(network: InjectiveNetwork, points: Tensor) -> tuple[Tensor, Tensor]:
    """Latents of points, shape (n, d), and squared distances to their projections, shape (n,), standardised units."""
    z = network.encode(points)
    return z, (network.decoder()(z) - points).square().sum(1)


def chart_points(network: InjectiveNetwork, basis: Eigenbasis, x: Rows) -> Tensor:
    """Data, shape (n, D), data units, in coordinates of the chart, where the network is."""
    parts = [
        network.standardise(basis, torch.as_tensor(x[first : first + _ROWS], dtype=torch.float64))
        for first in range(0, len(x), _ROWS)
    ]
    return torch.cat(parts)


def _settings_of(phase: Phase, budget: Mapping[str, Any], learning_rate: float) -> TrainingSettings:
    """Optimiser settings of a phase."""
    return TrainingSettings(
        steps=phase.steps,
        batch_size=budget["batch_size"],
        learning_rate=learning_rate,
        warmup_steps=min(budget["warmup_steps"], phase.steps // 5),
        ema_half_life=budget["ema_half_life"],
        gradient_clip=budget["gradient_clip"],
    )


def _phase_at(phases: Sequence[Phase], step: int) -> tuple[Phase, int]:
    """The phase of a step, and the step's number in it."""
    for phase in phases:
        if step < phase.steps:
            return phase, step
        step -= phase.steps
    raise IndexError(step)


def make_network(task: TrainingTask, seed: int) -> tuple[InjectiveNetwork, dict[str, Any]]:
    """The untrained network, as large as the score network, and the settings of its chart."""
    parameters = network_cost(task.network, task.dimension).parameters
    image = task.image if task.budget["chart"]["conditioner"] == "convolution" else None
    chart = chart_of_size(task.basis, task.kept_dims, task.budget["chart"], image, parameters)
    return build_network(task.basis, task.kept_dims, chart, image, seed), chart


@torch.no_grad()
def _measure(network: InjectiveNetwork, points: Tensor) -> dict[str, float]:
    """Validation metrics of the training curve."""
    z, squared = reconstruction(network, points)
    return {
        "validation_loss": float(squared.mean() / points.shape[1]),
        "latent_log_prob": float(network.latent_log_prob(z).mean()),
    }


def fit_injective(
    task: TrainingTask,
    phases: Sequence[Phase],
    *,
    learning_rate: float,
    seed: int,
    checkpoint: Checkpoint,
    device: str = "cpu",
) -> tuple[InjectiveFlow, list[dict[str, Any]]]:
    """Trains an injective flow, or resumes an interrupted run of the same digest.

    Arguments:
        task: Data and budget.
        phases: Losses, one after the other.
        learning_rate: Peak rate.
        seed: Seed of initial weights, batches and probes.
        checkpoint: Where the state is kept, and when to stop early.
        device: Device of the network.

    Returns:
        The flow with averaged weights, and the rows of the training curve: validation_loss is the squared distance of
        held-out points to their projections, a coordinate, standardised units; latent_log_prob in nats.

    Raises:
        TrainingError: if the loss is not finite; the last good state is kept.
        Interrupted: if it was asked to stop; the state is kept.
        CheckpointError: if the kept state is of another run, or another job writes it.
    """
    network, chart = make_network(task, seed)
    network.to(device)
    average, history = train_phases(
        network,
        phases,
        task=task,
        points=lambda x: chart_points(network, task.basis, x),
        measure=_measure,
        learning_rate=learning_rate,
        seed=seed,
        checkpoint=checkpoint,
    )
    flow = InjectiveFlow(average, task.basis, chart, task.image)
    return flow.with_residuals(task.validation[: task.budget["validation_points"]]), history


def train_phases(
    network: Network,
    phases: Sequence[Phase],
    *,
    task: TrainingTask,
    points: Callable[[Rows], Tensor],
    measure: Callable[[Network, Tensor], dict[str, float]],
    learning_rate: float,
    seed: int,
    checkpoint: Checkpoint,
) -> tuple[Network, list[dict[str, Any]]]:
    """Trains a network of any method, or resumes an interrupted run of the same digest.

    Arguments:
        network: The untrained network, on its device.
        phases: Losses, one after the other.
        task: Data and budget.
        points: Data, shape (n, D), to coordinates of the network, shape (n, k), on its device.
        measure: Validation metrics of a network at held-out points.
        learning_rate: Peak rate.
        seed: Seed of batches and probes.
        checkpoint: Where the state is kept, and when to stop early.

    Returns:
        The network with averaged weights, and the rows of the training curve.

    Raises:
        TrainingError, Interrupted, CheckpointError: as of `fit_injective`.
    """
    budget, total = task.budget, sum(phase.steps for phase in phases)
    train, held_out = points(task.train), points(task.validation[: budget["validation_points"]])
    optimiser = torch.optim.AdamW(network.parameters(), learning_rate, weight_decay=0.0)
    scaler = torch.amp.GradScaler(enabled=False)
    average = copy.deepcopy(network)
    state = TrainingState(network, average, optimiser, scaler, list(network.parameters()), list(average.parameters()))
    if state.resume(checkpoint):
        logger.info("resumed at step %d of %d", state.step, total)
    bar = Progress(total, "training", done=state.step)
    while state.step < total:
        phase, step = _phase_at(phases, state.step)
        if step == 0 and state.step > 0:
            network.load_state_dict(average.state_dict())
        settings = _settings_of(phase, budget, learning_rate)
        rate = learning_rate * learning_rate_factor(step, settings)
        try:
            value = _advance(state, phase.loss, train, settings, rate, seed)
        except TrainingError as problem:
            problem.hint += f"; the last good state is kept in {checkpoint.store.name}"
            raise
        bar.update()
        if state.step % budget["validate_every"] == 0 or state.step == total:
            row = {
                "event": "validation",
                "phase": phase.name,
                "step": state.step,
                "images_seen": state.step * budget["batch_size"],
                "loss": value,
                **measure(average, held_out),
            }
            state.history.append(row)
            logger.info("step %d of %d (%s)  %s", state.step, total, phase.name, row)
        reason = checkpoint.stop() if state.step < total else None
        if reason or checkpoint.due():
            state.save(checkpoint)
        if reason:
            raise checkpoint.interrupted("training", state.step, total, reason)
    bar.close()
    state.save(checkpoint)
    return average.requires_grad_(False), state.history


def _advance(
    state: TrainingState, loss_of: Loss, train: Tensor, settings: TrainingSettings, rate: float, seed: int
) -> float:
    """One optimiser step at a rate, and the averaged weights after it; returns the loss before it.

    Raises:
        TrainingError: if the loss is not finite; nothing has changed then.
    """
    generator = torch.Generator().manual_seed(derive_seed("injective step", seed, state.step))
    numbers = torch.randint(len(train), (settings.batch_size,), generator=generator)
    state.optimiser.zero_grad()
    loss = loss_of(state.network, train[numbers.to(train.device)], generator)
    value = float(loss.detach())
    if not math.isfinite(value):
        raise TrainingError(
            f"training step {state.step}", "a finite loss", f"{value:g}", f"lower learning_rate (now {rate:g})"
        )
    loss.backward()
    for group in state.optimiser.param_groups:
        group["lr"] = rate
    nn.utils.clip_grad_norm_(state.weights, settings.gradient_clip)
    state.optimiser.step()
    state.average_weights(ema_decay(state.step, settings))
    state.step += 1
    return value
