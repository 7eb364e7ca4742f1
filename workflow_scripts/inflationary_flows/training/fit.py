r"""Fits a denoiser to a data set, for one schedule or for several.

Minimises E_t E |F(y, t) - F*|^2 over clock positions t, with Adam, linear warm-up and cosine decay, and keeps an
exponential moving average of the weights.  Batch, times and noise of a step depend on seed and step alone, so that a
resumed run ends with a bitwise identical network.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from inflationary_flows.checkpoint import Checkpoint, Nowhere
from inflationary_flows.errors import TrainingError
from inflationary_flows.mathematics.denoisers import Denoiser, NetworkDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis, Rows, cut_angle
from inflationary_flows.mathematics.kernels import Told, noise_seen
from inflationary_flows.mathematics.schedules import Schedule
from inflationary_flows.networks.build import build_network
from inflationary_flows.progress import Progress
from inflationary_flows.seeding import derive_seed
from inflationary_flows.training.compute import Compute, Processes
from inflationary_flows.training.examples import Examples, make_examples, whitened_data
from inflationary_flows.training.kernels import Kernels, in_turns
from inflationary_flows.training.optimiser import FlatAdamW, flat_weights
from inflationary_flows.training.settings import TrainingSettings
from inflationary_flows.training.shrinkage import BestWeights, is_looked_at, overlearns
from inflationary_flows.training.state import TrainingState
from inflationary_flows.training.targets import (
    antithetic_twins,
    data_weights,
    flow_weights,
    noisy_pair,
    posterior_mean_target,
    stratified_clock,
)
from inflationary_flows.training.validation import Monitor

logger = logging.getLogger(__name__)

# The target has variance 1, so that an untrained network has a loss of about 1; far above it training has diverged.
DIVERGED = 1e3
# Radians. At a smaller angle an example is known to eight digits along that direction.
_KNOWN = 1e-4
# Radians. Two eigenvalues that differ by two standard errors of their difference turn by this much between samples.
TIED = 0.25


def learning_rate_factor(step: int, settings: TrainingSettings) -> float:
    """Linear warm-up, then a cosine decay to zero, as a share of the peak rate."""
    if step < settings.warmup_steps:
        return (step + 1) / settings.warmup_steps
    checkpoint = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    return (1 + math.cos(math.pi * checkpoint)) / 2


def ema_decay(step: int, settings: TrainingSettings) -> float:
    """Decay of the averaged weights at a step; short at first, so that the initial weights are soon forgotten."""
    half_life = min(settings.ema_half_life, 0.1 * (step + 1) * settings.batch_size)
    return 0.5 ** (settings.batch_size / half_life)


@dataclass(frozen=True, eq=False)
class Batch:
    """The examples of one step, the same in every process: parts of it are rows.

    Attributes:
        y: Noisy whitened points, shape (n, D).
        target: Regression targets, shape (n, D).
        angle: Angles tau of all directions, shape (n, D).
        clock: Positions on the clock, shape (n,), float64, on the CPU.
        turn: Number of the schedule of each example, shape (n,), on the CPU.
        schedules: Schedules, which examples take in turns.
        labels: Conditions of the network, shape (n, L), or none.
    """

    y: Tensor
    target: Tensor
    angle: Tensor
    clock: Tensor
    turn: Tensor
    schedules: Sequence[Schedule]
    labels: Tensor | None


def draw_batch(examples: Examples, kernels: Kernels, settings: TrainingSettings, seed: int, step: int) -> Batch:
    """The batch that belongs to this seed and step.

    Arguments:
        examples: Training data.
        kernels: Schedules; twins share one.
        settings: Size and targets.
        seed, step: Source of all its randomness.
    """
    generator = torch.Generator().manual_seed(derive_seed("training step", seed, step))
    size = settings.batch_size
    twins = antithetic_twins(size) if settings.antithetic else torch.arange(size)
    clean = int(twins.max()) + 1
    wanted = max(clean, settings.reference_size) if settings.targets == "posterior_mean" else clean
    numbers = torch.randint(len(examples), (wanted,), generator=generator)
    references, labels = examples.draw(numbers, generator)
    clock = stratified_clock(size, generator)
    drawn = kernels.draw(seed, step)
    turn = twins % len(drawn)
    angle = in_turns(drawn, turn, clock, Schedule.angle).to(references)
    noise = torch.randn(clean, references.shape[1], generator=generator)[twins]
    if settings.antithetic:
        noise[1::2] *= -1
    twins = twins.to(references.device)
    y, target = noisy_pair(references[twins], angle, noise.to(references))
    if settings.targets == "posterior_mean":
        # Where next to no noise is, the posterior is the one point, and its numbers are too large for float32.
        known = angle.amin(1, keepdim=True) < _KNOWN
        target = torch.where(known, target, posterior_mean_target(y, angle.clamp(min=_KNOWN), references))
    return Batch(y, target, angle, clock, turn, drawn, None if labels is None else labels[twins])


def _part_loss(denoiser: NetworkDenoiser, batch: Batch, rows: slice, settings: TrainingSettings) -> Tensor:
    """Mean squared error over the rows of a part."""
    labels = None if batch.labels is None else batch.labels[rows]

    def of(function: Callable[[Schedule, Tensor], Tensor]) -> Tensor:
        return in_turns(batch.schedules, batch.turn[rows], batch.clock[rows], function)

    told = denoiser.told
    noise = batch.angle[rows] if told == "angles" else of(lambda schedule, time: noise_seen(schedule, told, time))
    factor = of(Schedule.wiener) if denoiser.space == "wiener" else None
    squared = (denoiser.evaluate(batch.y[rows], noise, factor, labels) - batch.target[rows]).square()
    if settings.weighting != "uniform":
        squared = squared * of(flow_weights if settings.weighting == "flow" else data_weights).to(squared)
    return squared.mean()


def advance(
    state: TrainingState,
    compute: Compute,
    denoiser: NetworkDenoiser,
    batch: Batch,
    settings: TrainingSettings,
    seed: int,
) -> float:
    """One optimiser step and the averaged weights after it; returns the loss before it.

    Raises:
        TrainingError: if the loss is not finite or diverges; nothing has changed then.
    """
    state.optimiser.zero_grad()
    total = torch.zeros((), device=denoiser.device)
    devices = [denoiser.device] if denoiser.device.type == "cuda" else []
    for part, (number, rows) in enumerate(compute.parts(settings.batch_size, settings.accumulate)):
        last = part + 1 == settings.accumulate
        with torch.random.fork_rng(devices, enabled=state.has_dropout), compute.accumulating(last):
            if state.has_dropout:
                torch.manual_seed(derive_seed("dropout", seed, state.step, number))
            loss = _part_loss(denoiser, batch, rows, settings) / settings.accumulate
            compute.scaler.scale(loss).backward()
        total += loss.detach()
    value = compute.average(total)
    if not value < DIVERGED:
        raise TrainingError(
            f"training step {state.step}",
            f"a loss below {DIVERGED:g}",
            f"{value:g}",
            f"lower training.learning_rate (now {settings.learning_rate:g})",
        )
    for group in state.optimiser.param_groups:
        group["lr"] = settings.learning_rate * learning_rate_factor(state.step, settings)
    # The scaler takes anything with parameter groups and a step.
    optimiser = cast(torch.optim.Optimizer, state.optimiser)
    compute.scaler.unscale_(optimiser)
    nn.utils.clip_grad_norm_(state.weights, settings.gradient_clip)
    compute.scaler.step(optimiser)
    compute.scaler.update()
    state.average_weights(ema_decay(state.step, settings))
    state.step += 1
    return value


def fit(
    train: Rows,
    validation: Rows,
    basis: Eigenbasis,
    kernels: Kernels,
    network_settings: dict[str, Any],
    settings: TrainingSettings,
    *,
    seed: int,
    checkpoint: Checkpoint,
    exact: Sequence[Denoiser] = (),
    device: str = "cpu",
    processes: Processes | None = None,
    end: Callable[[], bool] = lambda: False,
    callbacks: Sequence[Callable[[Mapping[str, Any]], object]] = (),
    progress: bool = True,
) -> tuple[NetworkDenoiser, list[dict[str, Any]]]:
    """Trains a network, or resumes an interrupted run of the same digest.

    Arguments:
        train, validation: Data, shape (n, D), data units.
        basis: Eigenbasis of the training data.
        kernels: The schedule, or several that the network is told.
        network_settings: `kind`, `space` and sizes, as in the configuration.
        settings: Hyper-parameters of the optimisation.
        seed: Seed of initial weights, batches, times and noise.
        checkpoint: Where the state is kept, and when to stop early.
        exact: Exact denoisers of `kernels.schedules` to measure the excess error against, where they are known.
        device: Device of the network.
        processes: Processes that share the batches; all get the same network, the first one saves the state.
        end: Asked after every step whether to end early, with what was learned; the kept state goes on from there.
        callbacks: Called with each row of the training curve.
        progress: Whether a bar may be shown.

    Returns:
        The denoiser of the first schedule, with averaged weights, shrunk where `settings.shrink` says so, and the rows
        of the training curve.

    Raises:
        TrainingError: if the loss is not finite or diverges; the last good state is kept.
        Interrupted: if it was asked to stop; the state is kept.
        CheckpointError: if the kept state is of another run, or another job writes it.
    """
    for schedule in kernels.schedules:
        _require_trainable(schedule, settings)
        # Of a range nobody has chosen where to cut.
        if kernels.chosen:
            warn_of_ties(schedule, basis, len(train))
    network = build_network(network_settings, basis.dimension, derive_seed("weights", seed)).to(device)
    average = copy.deepcopy(network)
    optimiser = FlatAdamW(network, settings.learning_rate, weight_decay=settings.weight_decay)
    compute = Compute(
        network,
        precision=settings.precision,
        tf32=settings.tf32,
        compiled=settings.compile,
        processes=processes,
    )
    state = TrainingState(network, average, optimiser, compute.scaler, [optimiser.weights], [flat_weights(average)])
    if settings.shrink and overlearns(settings.steps, settings.batch_size, len(train)):
        state.best = BestWeights()
    # The first process repairs the state, the others read it afterwards, and none writes before all have read.
    with compute.processes.first_before_others():
        resumed = state.resume(checkpoint)
    if resumed:
        logger.info("resumed at step %d of %d", state.step, settings.steps)
    best = state.best

    ended = False

    def finished() -> bool:
        return state.step >= settings.steps or ended or (best is not None and best.over(state.step, settings.steps))

    def tell(row: dict[str, Any]) -> None:
        state.history.append(row)
        for callback in callbacks:
            callback(dict(row))

    # Whitening is that of the data, the same for all schedules.
    first = kernels.schedules[0]
    examples = make_examples(train, basis, first, settings, network_settings.get("image"), device)
    told: Told = network_settings.get("told", "clock")
    denoiser = NetworkDenoiser(first, compute.module, basis, network_settings["space"], told)
    averaged = denoiser.of(state.average.eval())
    held_out = whitened_data(validation[: settings.validation_points], basis, first)
    monitor = Monitor(held_out, kernels.schedules, exact, seed, settings.validation_points)
    writes = compute.processes.first
    bar = Progress(settings.steps, "training", done=state.step, silent=not (progress and writes))
    network.train()
    batches = Batches(lambda step: draw_batch(examples, kernels, settings, seed, step), device)
    with bar, batches:
        while not finished():
            batch = batches.take(state.step, settings.steps)
            try:
                value = advance(state, compute, denoiser, batch, settings, seed)
            except TrainingError as problem:
                if not isinstance(checkpoint.store, Nowhere):
                    problem.hint += f"; the last good state is kept in {checkpoint.store.name}"
                raise
            bar.update()
            if end() and not finished():
                # What follows is of this flow alone: a run that goes on does not see it.
                ended = True
                if writes:
                    state.save(checkpoint)
                logger.warning("training ended early, after step %d of %d", state.step, settings.steps)
            looked = best is not None and (is_looked_at(state.step) or ended or state.step == settings.steps)
            if best is not None and looked:
                best.look(state.step, state.averages, monitor.parabola(averaged))
            if state.step % settings.validate_every == 0 or looked or finished():
                row = {
                    "event": "validation",
                    "step": state.step,
                    "images_seen": state.step * settings.batch_size,
                    "loss": value,
                    **monitor.measure(averaged),
                }
                tell(row)
                logger.info(
                    "step %d of %d  loss %.4f  validation %.4f%s",
                    state.step,
                    settings.steps,
                    value,
                    row["validation_loss"],
                    f"  excess {row['excess_denoising_error']:.5f}" if exact else "",
                )
            reason = None if finished() else checkpoint.stop()
            stopping = compute.any(reason is not None)
            if writes and (stopping or checkpoint.due()):
                state.save(checkpoint)
            if stopping:
                raise checkpoint.interrupted("training", state.step, settings.steps, reason)
    if writes and not ended:
        state.save(checkpoint)
    if best is not None:
        _keep_best(state, best)
        tell({"event": "kept", **best.described()})
    return averaged, state.history


def _require_trainable(schedule: Schedule, settings: TrainingSettings) -> None:
    """Raises TrainingError if targets of the settings do not exist under a schedule."""
    if schedule.leaves_noiseless and settings.targets == "posterior_mean":
        raise TrainingError(
            "training.targets",
            "sample, for a schedule that leaves directions without noise",
            "posterior_mean",
            "set targets: sample, or an inflation_gap below 1",
        )


def warn_of_ties(schedule: Schedule, basis: Eigenbasis, rows: int) -> None:
    """Warns if a schedule parts directions whose variances so many rows hardly tell apart."""
    kept = schedule.kept_dims
    angle = cut_angle(basis.eigenvalues, kept, rows)
    if angle > TIED:
        logger.warning(
            "kept_dims %d cuts between variances %.4g and %.4g, which %d rows hardly tell apart: which directions are "
            "kept depends on the sample, and they turn by about %.0f degrees in another one. Hint: keep more or fewer.",
            kept,
            *basis.eigenvalues[kept - 1 : kept + 1].tolist(),
            rows,
            math.degrees(angle),
        )


def _keep_best(state: TrainingState, best: BestWeights) -> None:
    """Makes the averaged network the best one, shrunk."""
    state.restore_best()
    cast(Any, state.average).scale_output(best.factor)
    logger.info(
        "ended after step %d; kept the weights of step %d, which held-out rows like best, with %.0f %% of their "
        "deviation from the Gaussian of the data",
        state.step,
        best.step,
        100 * best.factor,
    )
    if best.factor == 0.0:
        logger.warning("held-out points support nothing beyond the Gaussian of the data: the flow is that Gaussian")


class Batches:
    """Draws batches by step; on a GPU the next one is prefetched.

    Arguments:
        draw: The batch of a step.
        device: Device of the network.
    """

    def __init__(self, draw: Callable[[int], Batch], device: str) -> None:
        self.draw = draw
        self.ahead = ThreadPoolExecutor(1) if device.startswith("cuda") else None
        self.next: Future[Batch] | None = None

    def __enter__(self) -> Batches:
        """Nothing is drawn yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the thread."""
        if self.ahead is not None:
            self.ahead.shutdown(cancel_futures=True)

    def take(self, step: int, steps: int) -> Batch:
        """The batch of a step; starts drawing the next one, if any."""
        if self.ahead is None:
            return self.draw(step)
        batch = self.next.result() if self.next is not None else self.draw(step)
        self.next = self.ahead.submit(self.draw, step + 1) if step + 1 < steps else None
        return batch
