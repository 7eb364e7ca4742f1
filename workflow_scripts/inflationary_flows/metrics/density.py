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
from torch import Tensor

from inflationary_flows.mathematics.denoisers import Denoiser, MixtureDenoiser
from inflationary_flows.mathematics.eigenbasis import Rows
from inflationary_flows.mathematics.flow import Flow

logger = logging.getLogger(__name__)

# Gradients of an exact trace at a time of the flow: 2,000 points of a plane, 62 digits.
_GRADIENTS = 4_000
# Distances to components that are held at once.
_DISTANCES = 2**22


def gaussian_log_density(flow: Flow, x: np.ndarray) -> np.ndarray:
    """Log density of the Gaussian of the data with the first kernel's noise, shape (n,), nats."""
    y = flow.whiten_data(torch.from_numpy(x))
    volume = flow.basis.scale.log().sum() + flow.schedule.total_std(flow.schedule.t_min).log().sum()
    return (-y.square().sum(1) / 2 - flow.dimension * math.log(2 * math.pi) / 2 - volume).numpy()


def mixture_log_density(exact: MixtureDenoiser, u: Tensor, t: float) -> Tensor:
    """Log density of a mixture with the kernel of time t at eigen coordinates u, shape (n, D) to (n,), nats."""
    dimension = u.shape[1]
    noise = torch.diag(exact.schedule.gamma(t))
    root = torch.linalg.cholesky(noise if exact.covariance is None else exact.covariance + noise)
    points, means = (torch.linalg.solve_triangular(root, v.T, upper=False).T for v in (u.double(), exact.means))
    equal = torch.full((len(means),), -math.log(len(means)), dtype=torch.float64)
    log_weights = equal if exact.log_weights is None else exact.log_weights
    rows = max(1, _DISTANCES // len(means))
    parts = [torch.logsumexp(log_weights - torch.cdist(p, means).square() / 2, 1) for p in points.split(rows)]
    return torch.cat(parts) - root.diagonal().log().sum() - dimension * math.log(2 * math.pi) / 2


def measure_density(
    flow: Flow, exact: Denoiser | None, held_out: Rows, samples: int, seed: int
) -> list[dict[str, Any]]:
    """Log-likelihood of held-out points, beside that of the Gaussian of the data, and the divergence to the exact one.

    Arguments:
        flow: Trained flow.
        exact: Exact denoiser of its schedule, a mixture, or none.
        held_out: Points, shape (n, D), data units.
        samples: Largest number of points; fewer where there are many coordinates.
        seed: Seed of the first kernel's noise, and of probes above 64 coordinates.

    Returns:
        Rows of metric, value, reference, n.
    """
    n = min(samples, len(held_out), max(50, _GRADIENTS // flow.dimension))
    x = np.asarray(flow.noised_data(np.asarray(held_out[:n], dtype=np.float64), seed))
    log_density = np.asarray(flow.log_prob(x, seed=seed))
    gaussian = gaussian_log_density(flow, x)
    gain, error = _mean_and_error(log_density - gaussian)
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
        true = mixture_log_density(exact, u, flow.schedule.t_min) - flow.basis.scale.log().sum()
        divergence, error = _mean_and_error(true.numpy() - log_density)
        rows += [("kl_to_flow", divergence, 0.0), ("kl_to_flow_error", error, 0.0)]
    return [{"metric": name, "value": float(value), "reference": float(to), "n": n} for name, value, to in rows]


def _mean_and_error(values: np.ndarray) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))
