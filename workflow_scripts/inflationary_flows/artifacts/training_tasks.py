"""Training tasks, read from the files and params of a job."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inflationary_flows.artifacts.bases import load_basis
from inflationary_flows.baselines.method import TrainingTask
from inflationary_flows.data.splits import load_splits

_SETTINGS = ("schedule", "network", "training", "solver", "compressed_prior", "budget")


def load_training_task(
    splits: str | os.PathLike[str], eigenbasis: str | os.PathLike[str], params: Mapping[str, Any]
) -> TrainingTask:
    """Reads a training task.

    Arguments:
        splits, eigenbasis: Files of the data set.
        params: The settings of a `TrainingTask` by name, among others.

    Raises:
        ArtifactError: if a file is missing, truncated, altered or of another kind.
    """
    data = load_splits(splits)
    return TrainingTask(
        data.train,
        data.validation,
        load_basis(Path(eigenbasis)),
        image=data.image.shape if data.image else None,
        **{name: params[name] for name in _SETTINGS},
    )
