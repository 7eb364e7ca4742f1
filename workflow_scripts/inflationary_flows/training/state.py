"""The resumable state of a training run."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from inflationary_flows.checkpoint import Checkpoint
from inflationary_flows.training.optimiser import FlatAdamW
from inflationary_flows.training.shrinkage import BestWeights


@dataclass
class TrainingState:
    """Network, averaged network, optimiser and history after some steps.

    Attributes:
        network: Trained weights.
        average: Exponential moving average of the weights.
        optimiser: Adam with its moments.
        scaler: Loss scale of half precision; keeps nothing in others.
        weights, averages: All weights of network and average: one vector each, or their tensors one by one.
        step: Steps done.
        history: Rows of the training curve so far.
        best: The averages that were best on held-out points; kept where few rows are seen often.
    """

    network: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer | FlatAdamW
    scaler: torch.amp.GradScaler
    weights: list[nn.Parameter]
    averages: list[nn.Parameter]
    step: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    best: BestWeights | None = None

    @cached_property
    def has_dropout(self) -> bool:
        """Whether a step draws units to leave out."""
        return any(isinstance(module, nn.Dropout) and module.p > 0 for module in self.network.modules())

    def average_weights(self, decay: float) -> None:
        """Moves the averages towards the weights: they keep this share of themselves."""
        get_ema_multi_avg_fn(decay)(self.averages, self.weights, None)

    @torch.no_grad()
    def restore_best(self) -> None:
        """Makes the averages those that were best."""
        if self.best is not None:
            for own, kept in zip(self.averages, self.best.weights, strict=False):
                own.copy_(kept)

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        for index, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{k}": v for k, v in moments.items()}
        if self.best is not None:
            tensors |= {f"best.{index}": v for index, v in enumerate(self.best.weights)}
        return tensors

    def save(self, checkpoint: Checkpoint) -> None:
        """Keeps the state."""
        # As text: metadata would sort the entries of a row, so that a resumed run would write another curve.
        history = json.dumps(self.history)
        best = {} if self.best is None else {"best": self.best.described()}
        checkpoint.save(self._tensors(), step=self.step, history=history, scaler=self.scaler.state_dict(), **best)

    def resume(self, checkpoint: Checkpoint) -> bool:
        """Continues from the kept state, if there is one.

        Returns:
            Whether there was one.

        Raises:
            CheckpointError: if it belongs to another run.
        """
        kept = checkpoint.resume()
        if kept is None:
            return False
        arrays, metadata = kept
        tensors = {k: torch.from_numpy(np.array(v)) for k, v in arrays.items()}
        for name, module in (("network.", self.network), ("average.", self.average)):
            own = {k.removeprefix(name): v for k, v in tensors.items() if k.startswith(name)}
            module.load_state_dict(own)
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimiser."):
                _, index, name = key.split(".", 2)
                moments.setdefault(int(index), {})[name] = value
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": moments, "param_groups": groups})
        if metadata["scaler"]:
            self.scaler.load_state_dict(metadata["scaler"])
        if "best" in metadata:
            weights = [tensors[f"best.{index}"] for index in range(sum(key.startswith("best.") for key in tensors))]
            self.best = BestWeights(**metadata["best"], weights=[v.to(self.averages[0].device) for v in weights])
        self.step = int(metadata["step"])
        self.history = json.loads(metadata["history"])
        return True
