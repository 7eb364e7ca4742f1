"""The resumable state of a training run, and what a store of it must offer.

The state belongs to a run that is named by a digest of all that determines its result; where and how it is kept is
the store's business.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from inflationary_flows.errors import TrainingError


class StateStore(Protocol):
    """Keeps one state: replaced as a whole or not at all."""

    def read(self) -> tuple[Mapping[str, np.ndarray], dict[str, Any]] | None:
        """Tensors and metadata of the last state, or None; raises ArtifactError if it is damaged."""

    def write(self, tensors: Mapping[str, Tensor], metadata: dict[str, Any]) -> None:
        """Replaces the state atomically."""

    @property
    def name(self) -> str:
        """Where the state is, for messages."""


def training_digest(**parts: Any) -> str:
    """Names a training run by everything that determines its result.

    Arguments:
        parts: Plain values (settings, seeds, sha256 of input files, digests of source).

    Returns:
        32 hexadecimal digits.
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass
class TrainingState:
    """Network, averaged network, optimiser and history after some steps.

    Attributes:
        network: Trained weights.
        average: Exponential moving average of the weights.
        optimiser: Adam with its moments.
        scaler: Loss scale of half precision; keeps nothing in others.
        step: Steps done.
        history: Rows of the training curve so far.
    """

    network: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    step: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        for index, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{k}": v for k, v in moments.items()}
        return tensors

    def save(self, store: StateStore, digest: str) -> None:
        """Hands the state to a store, under the name of its run."""
        metadata = {"digest": digest, "step": self.step, "history": self.history, "scaler": self.scaler.state_dict()}
        store.write(self._tensors(), metadata)

    def resume(self, store: StateStore, digest: str) -> bool:
        """Continues from the stored state, if there is one.

        Arguments:
            store: Where the state is kept.
            digest: Name of the run, which the state must bear.

        Returns:
            Whether there was one.

        Raises:
            ArtifactError: if the state is damaged.
            TrainingError: if it belongs to another run.
        """
        kept = store.read()
        if kept is None:
            return False
        arrays, metadata = kept
        if metadata.get("digest") != digest:
            raise TrainingError(
                store.name,
                f"the state of the training run {digest}",
                f"that of {metadata.get('digest')}",
                "delete this file to start afresh; data, settings or source have changed since it was written",
            )
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
        self.step = int(metadata["step"])
        self.history = list(metadata["history"])
        return True
