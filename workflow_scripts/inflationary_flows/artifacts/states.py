"""The file that keeps the state of a training run, outside of what the workflow declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from inflationary_flows.artifacts.files import load_tensors, save_tensors

_KIND = "training state"


@dataclass(frozen=True)
class StateFile:
    """One safetensors file, replaced atomically: a run killed at any moment finds the old state or the new one.

    Attributes:
        path: The file, in a folder named by the digest of its run.
    """

    path: Path

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self.path)

    def read(self) -> tuple[Mapping[str, np.ndarray], dict[str, Any]] | None:
        """Tensors and metadata, or None if there is no file; ArtifactError if it is truncated or altered."""
        return load_tensors(self.path, _KIND) if self.path.exists() else None

    def write(self, tensors: Mapping[str, Tensor], metadata: dict[str, Any]) -> None:
        """Replaces the file atomically."""
        save_tensors(self.path, tensors, {"kind": _KIND, **metadata})
