r"""Fits the denoiser of one schedule to a data set.

Minimises E_t E |F(y, t) - F*|^2 over clock positions t, with Adam, linear warm-up and cosine decay, and keeps an
exponential moving average of the weights.  Batch, times and noise of a step derive from seed and step alone, hence a
run that is killed and resumed ends with the same network to the last bit.
"""

from __future__ import annotations

import copy
import logging
import math
import sys
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from inflationary_flows.errors import TrainingError
from inflationary_flows.mathematics.denoisers import Denoiser, NetworkDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.schedules import Schedule
from inflationary_flows.networks import build_network
from inflationary_flows.seeding import derive_seed
from inflationary_flows.training.settings import TrainingSettings
from inflationary_flows.training.state import StateStore, TrainingState
from inflationary_flows.training.targets import (
    noisy_pair,
    posterior_mean_target,
    stratified_clock,
    time_angles,
)
from inflationary_flows.training.validation import Monitor

logger = logging.getLogger(__name__)

# The target has variance 1, so that an untrained network has a loss of about 1; this far above it is lost.
DIVERGED = 1e3


def whitened_data(x: np.ndarray, basis: Eigenbasis, schedule: Schedule) -> Tensor:
    """Data in the eigenbasis over sqrt(xi), shape (n, D), float32: unit variance in every direction."""
    u = basis.to_eigen(torch.as_tensor(x, dtype=torch.float64))
    return (u / schedule.eigenvalues.sqrt()).float()


def learning_rate_factor(step: int, settings: TrainingSettings) -> float:
    """Linear warm-up, then a cosine to nought, as a share of the peak rate."""
    if step < settings.warmup_steps:
        return (step + 1) / settings.warmup_steps
    progress = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    return (1 + math.cos(math.pi * progress)) / 2


def ema_decay(step: int, settings: TrainingSettings) -> float:
    """Decay of the averaged weights at a step; short at first, so that the initial weights are soon forgotten."""
    half_life = min(settings.ema_half_life, 0.1 * (step + 1) * settings.batch_size)
    return 0.5 ** (settings.batch_size / half_life)


def _batch_loss(denoiser: NetworkDenoiser, w: Tensor, settings: TrainingSettings, seed: int, step: int) -> Tensor:
    """Loss of the batch that belongs to this seed and step."""
    device = w.device
    generator = torch.Generator().manual_seed(derive_seed("training step", seed, step))
    size = settings.batch_size
    wanted = max(size, settings.reference_size) if settings.targets == "posterior_mean" else size
    references = w[torch.randint(len(w), (wanted,), generator=generator).to(device)]
    clock = stratified_clock(size, generator)
    angle = time_angles(denoiser.schedule, clock).to(references)
    y, target = noisy_pair(references[:size].cpu(), angle.cpu(), generator)
    y, target = y.to(device), target.to(device)
    if settings.targets == "posterior_mean":
        target = posterior_mean_target(y, angle, references)
    predicted = denoiser.raw(y, denoiser.schedule.time_at(clock))
    return (predicted - target).square().mean()


def _advance(state: TrainingState, loss: Tensor, settings: TrainingSettings) -> None:
    """One optimiser step, and the averaged weights after it."""
    for group in state.optimiser.param_groups:
        group["lr"] = settings.learning_rate * learning_rate_factor(state.step, settings)
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(state.network.parameters(), settings.gradient_clip)
    state.optimiser.step()
    decay = ema_decay(state.step, settings)
    with torch.no_grad():
        averages: list[Tensor] = list(state.average.parameters())
        weights: list[Tensor] = list(state.network.parameters())
        torch._foreach_lerp_(averages, weights, 1 - decay)
    state.step += 1


def fit(
    train: np.ndarray,
    validation: np.ndarray,
    basis: Eigenbasis,
    schedule: Schedule,
    network_settings: dict[str, Any],
    settings: TrainingSettings,
    *,
    seed: int,
    store: StateStore,
    digest: str,
    exact: Denoiser | None = None,
    checkpoint_seconds: float = 30.0,
    device: str = "cpu",
) -> tuple[NetworkDenoiser, list[dict[str, Any]]]:
    """Trains a network, or goes on where an interrupted run of the same digest stopped.

    Arguments:
        train, validation: Data, shape (n, D), data units.
        basis: Eigenbasis of the training data.
        schedule: Kernel and times.
        network_settings: `kind`, `space` and sizes, as in the configuration.
        settings: Hyper-parameters of the optimisation.
        seed: Seed of initial weights, batches, times and noise.
        store: Where progress is kept.
        digest: Name of the run (see `training_digest`); a state of another run is refused.
        exact: Exact denoiser to measure the excess error against, where it is known.
        checkpoint_seconds: Time between saves of the state; does not change the result.
        device: Where the network runs.

    Returns:
        The denoiser with averaged weights, and the rows of the training curve.

    Raises:
        TrainingError: if the loss is not finite or diverges; the last good state is kept.
        ArtifactError: if the saved state is damaged.
    """
    noiseless = schedule.kernel == "proportional" and float(schedule.exponents.min()) == 0.0
    if noiseless and settings.targets == "posterior_mean":
        raise TrainingError(
            "training.targets",
            "sample, for a schedule that leaves directions without noise",
            "posterior_mean",
            "set targets: sample, or an inflation_gap below 1",
        )
    network = build_network(network_settings, basis.dimension, derive_seed("weights", seed)).to(device)
    optimiser = torch.optim.AdamW(
        network.parameters(), settings.learning_rate, (0.9, 0.999), weight_decay=settings.weight_decay
    )
    state = TrainingState(network, copy.deepcopy(network), optimiser)
    if state.resume(store, digest):
        logger.info("resumed at step %d of %d", state.step, settings.steps)
    w = whitened_data(train, basis, schedule).to(device)
    space = network_settings["space"]
    denoiser = NetworkDenoiser(schedule, network, basis, space)
    averaged = NetworkDenoiser(schedule, state.average, basis, space)
    monitor = Monitor(whitened_data(validation, basis, schedule), exact, seed)
    saved = time.monotonic()
    bar = tqdm(total=settings.steps, initial=state.step, disable=not sys.stderr.isatty(), unit="step", leave=False)
    with bar:
        while state.step < settings.steps:
            network.train()
            loss = _batch_loss(denoiser, w, settings, seed, state.step)
            value = float(loss.detach())
            if not value < DIVERGED:
                raise TrainingError(
                    f"training step {state.step}",
                    f"a loss below {DIVERGED:g}",
                    f"{value:g}",
                    f"lower training.learning_rate (now {settings.learning_rate:g}); "
                    f"the last good state is kept in {store.name}",
                )
            _advance(state, loss, settings)
            bar.update()
            if state.step % settings.validate_every == 0 or state.step == settings.steps:
                state.average.eval()
                row = {
                    "event": "validation",
                    "step": state.step,
                    "images_seen": state.step * settings.batch_size,
                    "loss": value,
                    **monitor.measure(averaged),
                }
                state.history.append(row)
                logger.info(
                    "step %d of %d  loss %.4f  validation %.4f%s",
                    state.step,
                    settings.steps,
                    value,
                    row["validation_loss"],
                    f"  excess {row['excess_denoising_error']:.5f}" if exact is not None else "",
                )
            if time.monotonic() - saved >= checkpoint_seconds:
                state.save(store, digest)
                saved = time.monotonic()
    state.save(store, digest)
    state.average.eval()
    return averaged, state.history
