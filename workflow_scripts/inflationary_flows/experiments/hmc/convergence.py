"""How many solver steps a sampler needs: log densities and gradients against a fine reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    flow: Flow,
    observations: Observations,
    noise_std: float,
    *,
    steps: Mapping[str, Sequence[int]],
    samples: int,
) -> list[dict[str, Any]]:
    """Measures the errors of what samplers evaluate, at the true latents and clean points.

    Arguments:
        flow: The flow.
        observations: Synthetic observations.
        noise_std: Their noise sigma, data units.
        steps: Numbers of steps to try, by solver.
        samples: Observations used, the first ones.

    Returns:
        Rows of solver, steps, evaluations, generation_rmse (data units), log_likelihood_rmse and log_likelihood_max
        (of log N(x_i; f(y_i), sigma^2 I), nats an observation), gradient_rmse (of its gradient, relative to the root
        mean square), log_prior_rmse (of the density of clean points under the flow, nats), n.
    """
    y, clean, x_obs = observations.y[:samples], observations.clean[:samples], observations.x[:samples]
    rows = []
    for solver, counts in steps.items():
        reference = _evaluate(Decoder(flow, solver=solver, steps=_FINER * max(counts)), y, clean, x_obs, noise_std)
        for count in counts:
            decoder = Decoder(flow, solver=solver, steps=count)
            found = _evaluate(decoder, y, clean, x_obs, noise_std)
            x, value, gradient, prior = (one - other for one, other in zip(found, reference, strict=True))
            rows.append(
                {
                    "solver": solver,
                    "steps": count,
                    "evaluations": decoder.evaluations,
                    "generation_rmse": _rms(x),
                    "log_likelihood_rmse": _rms(value),
                    "log_likelihood_max": float(value.abs().max()),
                    "gradient_rmse": _rms(gradient) / _rms(reference[2]),
                    "log_prior_rmse": _rms(prior),
                    "n": len(y),
                }
            )
    return rows


def _evaluate(
    decoder: Decoder, y: Tensor, clean: Tensor, x_obs: Tensor, noise_std: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Generated points, log likelihoods, their gradients, and log densities of clean points up to a constant."""
    latents = y.detach().requires_grad_(True)
    x = decoder(latents)
    value = gaussian_log_likelihood(x, x_obs, noise_std)
    (gradient,) = torch.autograd.grad(value.sum(), latents)
    with torch.no_grad():
        encoded, jacobian = decoder.encode_with_jacobian(clean)
        prior = torch.linalg.slogdet(jacobian).logabsdet - encoded.square().sum(1) / 2
    return x.detach(), value.detach(), gradient, prior


def _rms(values: Tensor) -> float:
    return float(values.square().mean().sqrt())
