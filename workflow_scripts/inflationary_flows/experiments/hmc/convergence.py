"""How many solver steps a sampler needs: points and log likelihoods against a fine reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.joint import gaussian_log_likelihood
from inflationary_flows.inference.latent_mixture import Observations
from inflationary_flows.mathematics.flow import Flow

# The reference takes this many times the steps of the finest setting.
_FINER = 4


@torch.no_grad()
def measure_convergence(
    flow: Flow,
    observations: Observations,
    noise_std: float,
    *,
    solver: str,
    steps: Sequence[int],
    samples: int,
) -> list[dict[str, Any]]:
    """Measures the errors of what samplers evaluate, at the true latents.

    Arguments:
        flow: The flow.
        observations: Synthetic observations.
        noise_std: Their noise sigma, data units.
        solver: Solver.
        steps: Numbers of steps to try.
        samples: Observations used, the first ones.

    Returns:
        Rows of solver, steps, evaluations, generation_rmse (data units), log_likelihood_rmse and log_likelihood_max
        (of log N(x_i; f(y_i), sigma^2 I), nats an observation), n.
    """
    y, x_obs = observations.y[:samples], observations.x[:samples]
    reference = Decoder(flow, solver=solver, steps=_FINER * max(steps))(y)
    expected = gaussian_log_likelihood(reference, x_obs, noise_std)
    rows = []
    for count in steps:
        decoder = Decoder(flow, solver=solver, steps=count)
        x = decoder(y)
        error = gaussian_log_likelihood(x, x_obs, noise_std) - expected
        rows.append(
            {
                "solver": solver,
                "steps": count,
                "evaluations": decoder.evaluations,
                "generation_rmse": _rms(x - reference),
                "log_likelihood_rmse": _rms(error),
                "log_likelihood_max": float(error.abs().max()),
                "n": len(y),
            }
        )
    return rows


def _rms(values: Tensor) -> float:
    return float(values.square().mean().sqrt())
