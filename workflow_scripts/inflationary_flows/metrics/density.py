"""Log-densities of held-out points: under a flow, under the Gaussian of the data, and exact ones.

A flow is a model of data that carry the first noise, so that all are compared on such points and for such data: the
Gaussian is then F = 0 exactly, and directions without variance have a density.
"""

from __future__ import annotations

import logging
import math
from typing import Any

import numpy as np
import torch

from inflationary_flows.mathematics.denoisers import Denoiser, MixtureDenoiser
from inflationary_flows.mathematics.eigenbasis import Rows
from inflationary_flows.mathematics.flow import Flow

logger = logging.getLogger(__name__)

# Gradients of an exact trace at a time of the flow: 2,000 points of a plane, 62 digits.
_GRADIENTS = 4_000
# Nats: a flow that is the Gaussian differs from it by rounding alone.
_LEAST = 1e-3


def gaussian_log_density(flow: Flow, x: np.ndarray, *, noised: bool = True) -> np.ndarray:
    """Log density of the Gaussian of the training data, in the units of `Flow.log_prob`, shape (n, D) to (n,).

    Arguments:
        flow: The flow of these data.
        x: Points, shape (n, D), data units.
        noised: Whether the Gaussian has the first kernel's noise, as the flow has.
    """
    basis, schedule, transforms = flow.basis, flow.schedule, flow.basis.transforms
    std = schedule.total_std(schedule.t_min) if noised else schedule.eigenvalues.sqrt()
    points = transforms.cells(torch.from_numpy(x))
    volume = basis.scale.log().sum() + std.log().sum()
    found = flow.prior("gaussian").log_density(basis.to_eigen(points) / std) - volume + transforms.log_slope(points)
    return transforms.over_cells(found, found)[0].numpy()


def which_is_better(gain: float, error: float) -> int:
    """Whether a flow describes points better than a Gaussian: 1, worse: -1, or is not told from it: 0.

    Arguments:
        gain, error: Mean of the differences, and its standard error, nats.
    """
    if abs(gain) <= max(2 * error, _LEAST):
        return 0
    return 1 if gain > 0 else -1


def measure_density(
    flow: Flow, exact: Denoiser | None, held_out: Rows, samples: int, seed: int, steps: int | None = None
) -> list[dict[str, Any]]:
    """Log-likelihood of held-out points, beside that of the Gaussian of the data, and the divergence to the exact one.

    Arguments:
        flow: Trained flow.
        exact: Exact denoiser of its schedule, a mixture, or none.
        held_out: Points, shape (n, D), data units.
        samples: Largest number of points; fewer where there are many coordinates.
        seed: Seed of the first kernel's noise, and of probes above 64 coordinates.
        steps: Solver steps other than the flow's own.

    Returns:
        Rows of metric, value, reference, n.
    """
    n = min(samples, len(held_out), max(50, _GRADIENTS // flow.dimension))
    noised = flow.noised_data(torch.from_numpy(np.asarray(held_out[:n], dtype=np.float64)), seed)
    x = flow.basis.transforms.rounded(noised).numpy()
    log_density = np.asarray(flow.log_prob(x, seed=seed, steps=steps))
    gaussian = gaussian_log_density(flow, x)
    gain, error = mean_and_error(log_density - gaussian)
    message = (
        "held-out log-likelihood %.3f nats a point, of the Gaussian of the data %.3f (difference %+.3f, error %.3f)"
    )
    found = (log_density.mean(), gaussian.mean(), gain, error)
    if gain < -2 * error:
        logger.warning(f"{message}: the flow loses; lower training steps, or allow it to shrink", *found)
    else:
        logger.info(message, *found)
    rows = [("log_likelihood", found[0], found[1]), ("log_likelihood_error", error, 0.0)]
    if isinstance(exact, MixtureDenoiser):
        u = flow.basis.to_eigen(torch.from_numpy(x))
        true = exact.law(flow.schedule.t_min).log_density(u) - flow.basis.scale.log().sum()
        divergence, error = mean_and_error(true.numpy() - log_density)
        rows += [("kl_to_flow", divergence, 0.0), ("kl_to_flow_error", error, 0.0)]
    return [{"metric": name, "value": float(value), "reference": float(to), "n": n} for name, value, to in rows]


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """Mean of some values, shape (n,), and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))
