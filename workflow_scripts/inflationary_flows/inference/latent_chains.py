r"""Posteriors of points of many coordinates: chains in whitened latents y, the flow as prior.

    log density(y) = log L(f(y)) + log p(y),      r = f(y)

Of least squares each posterior is whitened by the curvature that Gauss and Newton's method has, averaged over where its
chains are,

    factor factor^T = (mean E^T E + I)^-1,      E = de/dr df/dy,

because a flow that bends is steeper at some draws than at others.  Chains start at draws of the prior that fit the
observation best, which damped steps of Levenberg and Marquardt lead to it.  Other log-likelihoods have no residuals:
their chains learn scales from their draws alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.inference.batched_hmc import GroupedDraws, run_hmc
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.gauss_newton import minimise
from inflationary_flows.inference.observation import Observation
from inflationary_flows.inference.resampling import tempered
from inflationary_flows.mathematics.points import standard_normal
from inflationary_flows.seeding import derive_seed

# Draws of the prior among which chains find their starts, and how many of them the likelihood is to leave.
_POOL, _LEAST = 1024, 20.0
# Damped steps towards the observation.
_STEPS = 8


def sample_chains(
    decoder: Decoder,
    observation: Observation,
    *,
    chains: int,
    warmup: int,
    draws: int,
    seed: int,
    thinning: int = 1,
    target_acceptance: float = 0.8,
    numbers: Sequence[int] | None = None,
) -> tuple[GroupedDraws, Tensor]:
    """Samples the posteriors of all points.

    Arguments:
        decoder: The flow.
        observation: What is observed of each point.
        chains, warmup, draws, thinning, target_acceptance: As of `run_hmc`.
        seed: Seed of starts and chains.
        numbers: Numbers of the rows, which their random numbers depend on, by default 0, 1, ...

    Returns:
        Draws of whitened latents, and transformed columns at them, shape (rows, chains, draws, D).
    """
    labels = list(range(observation.rows)) if numbers is None else list(numbers)

    def log_density(y: Tensor, places: Tensor) -> Tensor:
        r = decoder.transformed(y.flatten(0, 1)).view_as(y)
        own = observation.of(places).log_likelihood(r)
        return own + decoder.prior.log_density(y.flatten(0, 1)).view(own.shape)

    y = _starts(decoder, observation, chains, [derive_seed("starts", seed, label) for label in labels], seed)
    least_squares = LeastSquares(decoder, observation)
    if observation.has_residuals:
        y = least_squares.approach(y)
        # Spread wider than the posterior, so that R-hat can tell chains that stay where they started.
        factor = least_squares.factor(y)
        normal = torch.stack(
            [standard_normal(chains, y.shape[2], derive_seed("spread", seed, label)) for label in labels]
        )
        y = y + normal @ factor.mT
    run = run_hmc(
        log_density,
        y,
        warmup=warmup,
        draws=draws,
        thinning=thinning,
        whitening=least_squares.factor if observation.has_residuals else None,
        target_acceptance=target_acceptance,
        seed=seed,
        numbers=labels,
    )
    with torch.no_grad():
        r = decoder.transformed(run.draws.flatten(0, 2))
    return run, r.view_as(run.draws)


@torch.no_grad()
def _starts(decoder: Decoder, observation: Observation, chains: int, seeds: Sequence[int], seed: int) -> Tensor:
    """Whitened latents of draws of the prior that fit the observations, shape (rows, chains, D)."""
    pool, r = decoder.draw_prior(_POOL, derive_seed("pool", seed))
    found = []
    for row, own in enumerate(seeds):
        level = observation.of(torch.tensor([row])).log_likelihood(r[None])
        weights = tempered(level, _LEAST)[0].softmax(0).numpy()
        found.append(pool[np.random.default_rng(own).choice(len(pool), chains, p=weights / weights.sum())])
    return torch.stack(found)


class LeastSquares:
    """Curvature of residuals by latents."""

    def __init__(self, decoder: Decoder, observation: Observation) -> None:
        self.decoder, self.observation = decoder, observation

    def _information(self, y: Tensor, places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of each point: |e|^2 / 2 + |y|^2 / 2, its gradient, and E^T E + I."""
        r, jacobian = self.decoder.transformed_with_jacobian(y.flatten(0, 1))
        errors, slopes = self.observation.of(places).derivatives(r.view_as(y))
        slopes = slopes @ jacobian.unflatten(0, y.shape[:2])
        value = (errors.square().sum(-1) + y.square().sum(-1)) / 2
        gradient = torch.einsum("rcmd,rcm->rcd", slopes, errors) + y
        return value, gradient, slopes.mT @ slopes + torch.eye(y.shape[2], dtype=torch.float64)

    def factor(self, y: Tensor) -> Tensor:
        """Lower triangular roots of the inverse of the curvature averaged over chains, shape (rows, D, D)."""
        factors = []
        for places in self._batches(y):
            factors.append(torch.linalg.cholesky(torch.linalg.inv(self.curvature(y[places], places))))
        return torch.cat(factors)

    def curvature(self, y: Tensor, places: Tensor | None = None) -> Tensor:
        """E^T E + I averaged over chains, shape (rows, D, D)."""
        return self._information(y, torch.arange(len(y)) if places is None else places)[2].mean(1)

    def approach(self, y: Tensor) -> Tensor:
        """Damped steps towards the mode, each chain from its own start."""
        parts = [
            minimise(partial(self._information, places=places), y[places], _STEPS)[0] for places in self._batches(y)
        ]
        return torch.cat(parts)

    def _batches(self, y: Tensor) -> Sequence[Tensor]:
        """Rows at a time, of bounded memory."""
        size = max(1, self.decoder.flow.batch_size // (y.shape[1] * (1 + y.shape[2] // 16)))
        return torch.arange(len(y)).split(size)
