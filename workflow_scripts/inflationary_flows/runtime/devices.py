"""Devices of a job's networks."""

from __future__ import annotations

import fcntl
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

import torch

from inflationary_flows.errors import ConfigError
from inflationary_flows.runtime import host

logger = logging.getLogger(__name__)

# Set to cpu, it has jobs leave the GPUs alone that they asked for.
DEVICE = "INFLATIONARY_FLOWS_DEVICE"
# GPUs of this process.
_TAKEN: list[str] = []


def gpus_of(resources: Any) -> int:
    """GPUs that a job asked for.

    Arguments:
        resources: With the attribute `gpu`, a number, or `gres`, such as gpu:2 or gpu:a100:2.
    """
    generic = str(getattr(resources, "gres", "") or "")
    return int(generic.rpartition(":")[2]) if generic.startswith("gpu:") else int(getattr(resources, "gpu", 0))


def device_for(resources: Any) -> str:
    """The device of a job with these resources: `cuda` if it asked for GPUs and the machine has one, else `cpu`.

    Call it before anything is computed on a GPU: on a machine without a scheduler it takes GPUs that no other job has.

    Raises:
        ConfigError: if a job on a cluster asked for GPUs and finds none; elsewhere it runs on the CPU, with a warning.
    """
    asked = gpus_of(resources)
    if not asked or os.environ.get(DEVICE) == "cpu":
        return "cpu"
    if host.scheduler_job() is None and "TORCHELASTIC_RUN_ID" not in os.environ and not _TAKEN:
        _take(asked)
    if torch.cuda.is_available():
        return "cuda"
    if host.scheduler_job() is not None:
        raise ConfigError(
            "gpu",
            f"{asked} on {host.describe()}",
            "none that torch can use",
            f"ask the cluster for GPUs that torch knows, set gpu: 0, or {DEVICE}=cpu to compute on the CPU",
        )
    logger.warning("This job asked for %d GPU(s), and torch finds none here: it runs on the CPU.", asked)
    return "cpu"


def _take(count: int) -> None:
    """Has this process see so many GPUs of this machine, those first that no other job of this user has taken."""
    known = host.gpu_names()
    for name in known:
        if len(_TAKEN) < count and _lock(name):
            _TAKEN.append(name)
    if len(_TAKEN) < min(count, len(known)):
        logger.warning("Other jobs use the GPUs of this machine: this one shares theirs.")
        _TAKEN.extend([name for name in known if name not in _TAKEN][: count - len(_TAKEN)])
    if known:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(_TAKEN)
        logger.info("GPU %s", os.environ["CUDA_VISIBLE_DEVICES"])


def _lock(name: str) -> bool:
    """Takes a GPU for this process, until it ends; False if another one has it."""
    path = Path(tempfile.gettempdir()) / f"inflationary-flows-{os.getuid()}-gpu-{name.replace('/', '_')}.lock"
    try:
        # A plain descriptor, which nothing closes before.
        fcntl.flock(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as problem:
        logger.warning("GPU %s cannot be kept from other jobs: %s", name, problem)
    return True
