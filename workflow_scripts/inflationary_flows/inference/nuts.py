"""One chain of the No-U-Turn sampler (Hoffman and Gelman, 2014), run by Pyro on a log density of ours.

Pyro builds the trees and adapts step size and mass matrix; this module passes it a density over one vector, seeds it,
and records the sampler statistics of every draw.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.errors import InferenceError
from inflationary_flows.inference.chains import Chain
from inflationary_flows.inference.pyro_adapter import RecordingNUTS

LogDensity = Callable[[Tensor], Tensor]
_SECONDS_BETWEEN_LINES = 30.0
_log = logging.getLogger("inflationary_flows")


def run_nuts(
    log_density: LogDensity,
    start: Tensor,
    *,
    warmup: int,
    draws: int,
    seed: int,
    target_acceptance: float = 0.8,
    max_tree_depth: int = 10,
    step_size: float = 0.1,
    adapt_mass: bool = True,
) -> Chain:
    """Runs one chain.

    Arguments:
        log_density: Unnormalised log density of a vector, shape (dim,), to a scalar, differentiable.
        start: First position, shape (dim,), float64.
        warmup: Iterations in which step size and diagonal mass matrix adapt; not kept.
        draws: Iterations kept.
        seed: Seed of momenta and trajectories.
        target_acceptance: Mean acceptance probability that the step size aims at.
        max_tree_depth: Most doublings of a trajectory.
        step_size: First step size.
        adapt_mass: Whether the mass matrix adapts; the identity otherwise.

    Raises:
        InferenceError: if the log density or its gradient is not finite at the start, or warmup or draws is below 1.
    """
    for name, value in (("warmup", warmup), ("draws", draws)):
        if value < 1:
            raise InferenceError(name, "an integer >= 1", str(value), "give the chain some iterations")
    position = start.detach().double().clone()
    _require_finite(log_density, position)
    with torch.random.fork_rng(devices=[]):
        # pyro.set_rng_seed also seeds the streams of `random` and numpy, which Pyro's kernels do not use.
        torch.manual_seed(seed % 2**63)
        kernel = RecordingNUTS(
            log_density,
            position,
            warmup,
            step_size=step_size,
            adapt_mass_matrix=adapt_mass,
            target_accept_prob=target_acceptance,
            max_tree_depth=max_tree_depth,
        )
        rows, records = [], []
        mean_before, said = 0.0, time.monotonic()
        for index in range(warmup + draws):
            calls = kernel.calls
            position = kernel.step()
            if time.monotonic() - said > _SECONDS_BETWEEN_LINES:
                said = time.monotonic()
                _log.info("iteration %d of %d, %d leapfrogs", index + 1, warmup + draws, kernel.calls)
            if index < warmup:
                continue
            done = index - warmup + 1
            # Pyro keeps the running mean alone; it is reset after warm-up.
            mean = kernel.mean_acceptance
            acceptance = mean * done - mean_before * (done - 1)
            mean_before = mean
            rows.append(position.detach().numpy().copy())
            doublings = math.ceil(math.log2(kernel.calls - calls + 1))
            records.append((kernel.energy_start, doublings, acceptance))
        diverging = np.zeros(draws, dtype=bool)
        diverging[[at for at in kernel.divergences if at < draws]] = True
    energies, depths, rates = zip(*records, strict=True)
    return Chain(
        draws=np.stack(rows),
        diverging=diverging,
        energy=np.array(energies),
        tree_depth=np.array(depths, dtype=np.int64),
        acceptance=np.array(rates),
        step_size=float(kernel.step_size),
        leapfrogs=kernel.calls,
    )


def _require_finite(log_density: LogDensity, start: Tensor) -> None:
    position = start.clone().requires_grad_(True)
    value = log_density(position)
    (gradient,) = torch.autograd.grad(value, position)
    if not (bool(torch.isfinite(value)) and bool(torch.isfinite(gradient).all())):
        raise InferenceError(
            "start of the chain",
            "a finite log density and gradient",
            f"log density {float(value.detach()):g}",
            "start closer to the observations, or check that data and flow belong together",
        )
