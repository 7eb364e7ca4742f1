"""How many solver steps a likelihood needs: log densities and gradients against a fine reference."""

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


def measure_convergence(
    flow: Flow, observations: Observations, noise_std: float, *, solver: str, steps: Sequence[int], samples: int
) -> list[dict[str, Any]]:
    """Measures the errors of log N(x_i; f(y_i), sigma^2 I) and of its gradient at the true latents.

    Arguments:
        flow: The flow.
        observations: Synthetic observations.
        noise_std: Their noise sigma, data units.
        solver: Solver inside of the sampler.
        steps: Numbers of steps to try.
        samples: Observations used, the first ones.

    Returns:
        Rows of solver, steps, evaluations, generation_rmse (data units), log_likelihood_rmse and log_likelihood_max
        (nats an observation), gradient_rmse (relative to the gradient's root mean square), n.
    """
    y, x_obs = observations.y[:samples], observations.x[:samples]
    reference = _evaluate(Decoder(flow, solver=solver, steps=_FINER * max(steps)), y, x_obs, noise_std)
    rows = []
    for count in steps:
        decoder = Decoder(flow, solver=solver, steps=count)
        x, value, gradient = _evaluate(decoder, y, x_obs, noise_std)
        rows.append(
            {
                "solver": solver,
                "steps": count,
                "evaluations": decoder.evaluations,
                "generation_rmse": _rms(x - reference[0]),
                "log_likelihood_rmse": _rms(value - reference[1]),
                "log_likelihood_max": float((value - reference[1]).abs().max()),
                "gradient_rmse": _rms(gradient - reference[2]) / _rms(reference[2]),
                "n": len(y),
            }
        )
    return rows


def _evaluate(decoder: Decoder, y: Tensor, x_obs: Tensor, noise_std: float) -> tuple[Tensor, Tensor, Tensor]:
    latents = y.detach().requires_grad_(True)
    x = decoder(latents)
    value = gaussian_log_likelihood(x, x_obs, noise_std)
    (gradient,) = torch.autograd.grad(value.sum(), latents)
    return x.detach(), value.detach(), gradient


def _rms(values: Tensor) -> float:
    return float(values.square().mean().sqrt())
