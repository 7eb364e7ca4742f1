r"""M-Flow: first the manifold, then the density on it (Brehmer and Cranmer, 2020).

    reconstruction phase   min E |x - g(g^-1(x))|^2              over the chart g
    likelihood phase       max E log p(z),  z = g^-1(x)          over the density of latents; the chart is fixed

Training needs no volume of the chart: it is the same for all densities of latents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from inflationary_flows.baselines.chart import InjectiveNetwork
from inflationary_flows.baselines.injective import InjectiveFlow, pack, unpack
from inflationary_flows.baselines.method import TrainingTask
from inflationary_flows.baselines.training import Phase, fit_injective, reconstruction
from inflationary_flows.checkpoint import Checkpoint

__all__ = ["Settings", "fit", "pack", "unpack"]


@dataclass(frozen=True)
class Settings:
    """Hyper-parameters of an M-Flow.

    Attributes:
        learning_rate: Peak rate of both phases.
        reconstruction_share: Share of the steps for the first phase.
    """

    learning_rate: float = 2e-3
    reconstruction_share: float = 0.6


def reconstruction_loss(network: InjectiveNetwork, points: Tensor, _: torch.Generator) -> Tensor:
    """Mean squared distance of points to the manifold."""
    return reconstruction(network, points)[1].mean()


def likelihood_loss(network: InjectiveNetwork, points: Tensor, _: torch.Generator) -> Tensor:
    """Mean negative log density of latents of a fixed chart."""
    with torch.no_grad():
        z = network.encode(points)
    return -network.latent_log_prob(z).mean()


def fit(
    task: TrainingTask, settings: Settings, *, steps: int, seed: int, checkpoint: Checkpoint, device: str = "cpu"
) -> tuple[InjectiveFlow, list[dict[str, Any]]]:
    """Trains an M-Flow; see `fit_injective`."""
    first = min(max(1, round(settings.reconstruction_share * steps)), steps - 1)
    phases = [
        Phase("reconstruction", first, reconstruction_loss),
        Phase("likelihood", steps - first, likelihood_loss),
    ]
    return fit_injective(
        task, phases, learning_rate=settings.learning_rate, seed=seed, checkpoint=checkpoint, device=device
    )
