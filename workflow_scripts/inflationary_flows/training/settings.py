"""Hyper-parameters of one training run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class TrainingSettings:
    """What determines a trained network besides data, schedule, architecture and seed.

    Attributes:
        steps: Optimiser steps.
        batch_size: Examples a step.
        learning_rate: Peak rate of Adam, reached after the warm-up, decayed along a cosine to nought.
        warmup_steps: Steps of linear warm-up.
        ema_half_life: Half-life of the averaged weights, in examples.
        targets: `sample` regresses the one clean example, `posterior_mean` the self-normalised posterior mean over a
            reference batch ("stable target field", Xu, Tong and Jaakkola, 2023), of lower variance.
        reference_size: Examples in the reference batch, those of the batch included.
        gradient_clip: Largest norm of the gradient.
        weight_decay: Decoupled weight decay of AdamW; 0 is plain Adam.
        validate_every: Steps between validations.
    """

    steps: int = 4000
    batch_size: int = 512
    learning_rate: float = 5e-3
    warmup_steps: int = 100
    ema_half_life: float = 100_000.0
    targets: Literal["sample", "posterior_mean"] = "posterior_mean"
    reference_size: int = 1024
    gradient_clip: float = 1.0
    weight_decay: float = 0.0
    validate_every: int = 500

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for digests and metadata."""
        return asdict(self)
