"""Devices of a job's networks."""

from __future__ import annotations

from typing import Any

import torch


def gpus_of(resources: Any) -> int:
    """GPUs that a job asked for.

    Arguments:
        resources: With the attribute `gpu`, a number, or `gres`, such as gpu:2 or gpu:a100:2.
    """
    generic = str(getattr(resources, "gres", "") or "")
    return int(generic.rpartition(":")[2]) if generic.startswith("gpu:") else int(getattr(resources, "gpu", 0))


def device_for(resources: Any) -> str:
    """The device of a job with these resources: `cuda` if it asked for GPUs and the machine has one, else `cpu`."""
    return "cuda" if gpus_of(resources) and torch.cuda.is_available() else "cpu"
