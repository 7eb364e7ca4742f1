r"""Canonical manifold flow: a rectangular flow with a sparse metric tensor (Flouris and Konukoglu, 2023).

    min E[ -log p(z) + 1/2 log det G + w |x - g(z)|^2 + s sum_{i != j} |G_ij| ],   G = J^T J

The last term favours a chart with orthogonal coordinate lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from inflationary_flows.baselines.injective import InjectiveFlow, pack, unpack
from inflationary_flows.baselines.method import TrainingTask
from inflationary_flows.baselines.methods.rectangular_flow import joint_loss
from inflationary_flows.baselines.training import Phase, fit_injective
from inflationary_flows.checkpoint import Checkpoint

__all__ = ["Settings", "fit", "pack", "unpack"]


@dataclass(frozen=True)
class Settings:
    """Hyper-parameters of a canonical manifold flow.

    Attributes:
        learning_rate: Peak rate.
        reconstruction_weight: Weight w of the squared distance to the manifold, standardised units.
        sparsity_weight: Weight s of the off-diagonal entries of the metric tensor.
    """

    learning_rate: float = 2e-3
    reconstruction_weight: float = 50.0
    sparsity_weight: float = 1.0


def fit(
    task: TrainingTask, settings: Settings, *, steps: int, seed: int, checkpoint: Checkpoint, device: str = "cpu"
) -> tuple[InjectiveFlow, list[dict[str, Any]]]:
    """Trains a canonical manifold flow; see `fit_injective`."""
    loss = joint_loss(task.budget, settings.reconstruction_weight, settings.sparsity_weight)
    return fit_injective(
        task,
        [Phase("joint", steps, loss)],
        learning_rate=settings.learning_rate,
        seed=seed,
        checkpoint=checkpoint,
        device=device,
    )
