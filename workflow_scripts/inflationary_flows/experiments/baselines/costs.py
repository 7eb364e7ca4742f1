"""What methods cost, measured side by side: seconds of a training step, and of a generated sample.

A training asks after every step whether it is to stop.  The time from the first such moment to one some steps later is
that of these steps alone: preparing data and measuring the result stay out, and the training ends there.  It is set up
as one of that many steps, so that phases have their shares.

Methods take turns, round by round: a machine that is busy for a while slows all of them, and medians over rounds leave
it out.  On a CPU it is the time of the process that counts, which other jobs do not lengthen; on a GPU the time that
passes until it is done.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

from inflationary_flows.checkpoint import Checkpoint, Nowhere
from inflationary_flows.errors import Interrupted

COST_METRICS = ("parameters", "steps", "step_seconds", "training_seconds", "sample_seconds")


@dataclass(frozen=True)
class TimedMethod:
    """A method as its costs are measured.

    Attributes:
        fit: Trains a new model for a number of steps, asking its checkpoint after each of them but the last.
        sample: Generates a number of points by the trained model.
        parameters: Trained numbers of the model.
        steps: Steps of its training.
    """

    fit: Callable[[int, Checkpoint], object]
    sample: Callable[[int], object]
    parameters: int
    steps: int


def clock_of(device: str) -> Callable[[], float]:
    """Seconds by the clock of a device: of the process on a CPU, passed by after all work is done on a GPU."""
    if not device.startswith("cuda"):
        return time.process_time

    def synchronised() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return synchronised


def measure_method_costs(
    methods: Mapping[str, TimedMethod],
    *,
    timing_steps: int = 10,
    rounds: int = 3,
    samples: int = 1_000,
    clock: Callable[[], float] = time.process_time,
) -> list[dict[str, Any]]:
    """Measures the costs of several methods in turn.

    Arguments:
        methods: The methods by name.
        timing_steps: Steps timed in a round.
        rounds: Rounds that count; one goes before, in which libraries load.
        samples: Points whose generation is timed.
        clock: Seconds since some moment.

    Returns:
        For each method rows of method, metric, random (none), value and n: parameters and steps, exact, n being 1;
        step_seconds and training_seconds (those of all its steps), medians over n rounds; sample_seconds, of one point,
        when n of them are generated together.
    """
    step: dict[str, list[float]] = {name: [] for name in methods}
    drawn: dict[str, list[float]] = {name: [] for name in methods}
    for turn in range(rounds + 1):
        for name, method in methods.items():
            taken = step_seconds(method, timing_steps, clock)
            begin = clock()
            method.sample(samples)
            generated = (clock() - begin) / samples
            if turn:
                step[name].append(taken)
                drawn[name].append(generated)
    rows: list[dict[str, Any]] = []
    for name, method in methods.items():
        seconds = median(step[name])
        values = (method.parameters, method.steps, seconds, method.steps * seconds, median(drawn[name]))
        counts = (1, 1, rounds, rounds, samples)
        rows += [
            {"method": name, "metric": metric, "random": None, "value": value, "n": n}
            for metric, value, n in zip(COST_METRICS, values, counts, strict=True)
        ]
    return rows


def step_seconds(method: TimedMethod, steps: int, clock: Callable[[], float]) -> float:
    """Times a training step.

    Arguments:
        method: The method.
        steps: Steps timed, of a training of two more: the first and the last are not.
        clock: Seconds since some moment.

    Returns:
        Mean over these steps; of a method that never asks whether to stop, its whole training, over all of its steps.
    """
    asked = 0
    begin = end = math.nan

    def stop() -> str | None:
        nonlocal asked, begin, end
        asked += 1
        if asked == 1:
            begin = clock()
        if asked <= steps:
            return None
        end = clock()
        return "enough steps were timed"

    try:
        method.fit(steps + 2, Checkpoint(Nowhere(), "", seconds=math.inf, stop=stop))
    except Interrupted:
        return (end - begin) / steps
    start = clock()
    method.fit(method.steps, Checkpoint.unkept())
    return (clock() - start) / method.steps
