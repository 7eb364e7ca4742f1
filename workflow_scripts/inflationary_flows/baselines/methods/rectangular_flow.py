r"""Rectangular flow: manifold and density at once (Caterini, Loaiza-Ganem, Pleiss and Cunningham, 2021).

    min E[ -log p(z) + 1/2 log det J^T J + w |x - g(z)|^2 ],   z = g^-1(x),   J = dg/dz

The log determinant is exact for few latents; above that its gradient is estimated by conjugate gradients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from inflationary_flows.baselines.chart import InjectiveNetwork
from inflationary_flows.baselines.injective import InjectiveFlow, pack, unpack
from inflationary_flows.baselines.method import TrainingTask
from inflationary_flows.baselines.training import Loss, Phase, fit_injective
from inflationary_flows.baselines.volume import (
    LocalMap,
    log_volume,
    log_volume_surrogate,
    metric_tensor,
    off_diagonal,
    off_diagonal_estimate,
)
from inflationary_flows.checkpoint import Checkpoint

__all__ = ["Settings", "fit", "joint_loss", "pack", "unpack"]


@dataclass(frozen=True)
class Settings:
    """Hyper-parameters of a rectangular flow.

    Attributes:
        learning_rate: Peak rate.
        reconstruction_weight: Weight w of the squared distance to the manifold, standardised units.
    """

    learning_rate: float = 2e-3
    reconstruction_weight: float = 50.0


def joint_loss(budget: Mapping[str, Any], reconstruction_weight: float, sparsity_weight: float = 0.0) -> Loss:
    """The loss of a batch.

    Arguments:
        budget: `exact_dims`, `probes`, `cg_iterations`, `cg_tolerance`.
        reconstruction_weight: Weight of the squared distance to the manifold.
        sparsity_weight: Weight of the sum of |G_ij| over i != j.
    """

    def volume_and_sparsity(local: LocalMap, generator: torch.Generator) -> tuple[Tensor, Tensor | float]:
        if local.z.shape[1] <= budget["exact_dims"]:
            metric = metric_tensor(local.jacobian())
            return log_volume(metric), off_diagonal(metric) if sparsity_weight else 0.0
        volume = log_volume_surrogate(
            local,
            budget["probes"],
            generator,
            iterations=budget["cg_iterations"],
            tolerance=budget["cg_tolerance"],
        )
        sparsity = off_diagonal_estimate(local, budget["probes"], generator) if sparsity_weight else 0.0
        return volume, sparsity

    def loss(network: InjectiveNetwork, points: Tensor, generator: torch.Generator) -> Tensor:
        z = network.encode(points)
        local = LocalMap(network.decoder(), z, differentiable=True)
        volume, sparsity = volume_and_sparsity(local, generator)
        squared = (local.x - points).square().sum(1)
        terms = volume - network.latent_log_prob(z) + reconstruction_weight * squared + sparsity_weight * sparsity
        return terms.mean()

    return loss


def fit(
    task: TrainingTask, settings: Settings, *, steps: int, seed: int, checkpoint: Checkpoint, device: str = "cpu"
) -> tuple[InjectiveFlow, list[dict[str, Any]]]:
    """Trains a rectangular flow; see `fit_injective`."""
    phases = [Phase("joint", steps, joint_loss(task.budget, settings.reconstruction_weight))]
    return fit_injective(
        task, phases, learning_rate=settings.learning_rate, seed=seed, checkpoint=checkpoint, device=device
    )
