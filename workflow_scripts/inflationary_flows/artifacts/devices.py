"""Where the networks of a job run."""

from __future__ import annotations

import torch


def device_for(gpus: int) -> str:
    """The device of a job that asked for so many GPUs: `cuda` if the machine has one, else `cpu`."""
    return "cuda" if gpus and torch.cuda.is_available() else "cpu"
