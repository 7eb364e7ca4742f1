"""Hyper-parameters of one training run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from inflationary_flows.training.compute import Precision


@dataclass(frozen=True)
class TrainingSettings:
    """Hyper-parameters of training.

    Attributes:
        steps: Optimiser steps.
        batch_size: Examples a step.
        learning_rate: Peak rate of Adam, reached after the warm-up, decayed along a cosine to zero.
        warmup_steps: Steps of linear warm-up.
        ema_half_life: Half-life of the averaged weights, in examples.
        targets: `sample` regresses the one clean example, `posterior_mean` the self-normalised posterior mean over a
            reference batch ("stable target field", Xu, Tong and Jaakkola, 2023), of lower variance.
        reference_size: Examples in the reference batch, those of the batch included.
        antithetic: Whether examples come in twins, neighbours in time, of one clean example and opposite noise.
        gradient_clip: Largest norm of the gradient.
        weight_decay: Decoupled weight decay of AdamW; 0 is plain Adam.
        validate_every: Steps between validations.
        validation_points: Noisy held-out examples a validation.
        weighting: Weight of a direction's squared error at a time: `uniform`; `flow`, in proportion to how far the flow
            moves along the direction then; or `data`, that times the data's standard deviation along it.
        shrink: Whether a network that sees each row over a hundred times is held against held-out points: the weights
            that did best on them are kept, and their F times the factor from 0 (the Gaussian of the data) to 1 that
            these points support. Training ends when nothing better comes.
        flip: Whether every second example, drawn at random, is mirrored left to right (images).
        augment: Probability of each geometric augmentation, on which the network is conditioned (images); 0 for none.
        accumulate: Parts in which each process takes its share of a batch, one after the other, to save memory.
        precision: `32-true`, or `bf16-mixed` or `16-mixed` for automatic mixed precision.
        tf32: Whether matrix products and convolutions of the network may round to TF32 on a GPU.
        compile: Whether the network is compiled by torch.compile.
    """

    steps: int = 4000
    batch_size: int = 512
    learning_rate: float = 5e-3
    warmup_steps: int = 100
    ema_half_life: float = 100_000.0
    targets: Literal["sample", "posterior_mean"] = "posterior_mean"
    reference_size: int = 1024
    antithetic: bool = False
    gradient_clip: float = 1.0
    weight_decay: float = 0.0
    validate_every: int = 500
    validation_points: int = 4096
    weighting: Literal["uniform", "flow", "data"] = "uniform"
    shrink: bool = True
    flip: bool = False
    augment: float = 0.0
    accumulate: int = 1
    precision: Precision = "32-true"
    tf32: bool = False
    compile: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for digests and metadata."""
        return asdict(self)
