"""The host of a job: machine, process, and the scheduler's allocation."""

from __future__ import annotations

import logging
import os
import re
import socket
import subprocess
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

_DURATION = re.compile(r"(?:(?P<days>\d+)-)?(?:(?P<hours>\d+):)?(?P<minutes>\d+):(?P<seconds>\d+)")
_QUERY_SECONDS = 30


def scheduler_job() -> str | None:
    """Number of the SLURM job that this process belongs to."""
    return os.environ.get("SLURM_JOB_ID")


def node() -> str:
    """Name of the node, as the scheduler calls it."""
    return os.environ.get("SLURMD_NODENAME") or socket.gethostname()


def gpus() -> str | None:
    """Numbers of the GPUs that this process may use, if they are set."""
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def gpu_names() -> list[str]:
    """Names of the GPUs that this process may use, by its environment or NVIDIA's driver; found without torch."""
    if (visible := gpus()) is not None:
        return [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")]
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=_QUERY_SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return answer.split()


def limit_of_gpus(asked: int) -> int:
    """How many GPUs jobs of this machine may hold at once; 0 for no limit, where there is none.

    Arguments:
        asked: Most GPUs of any job; a warning says if there are fewer.
    """
    known = len(gpu_names())
    if 0 < known < asked:
        logger.warning("Jobs ask for up to %d GPUs, this machine has %d: they get those.", asked, known)
    return known


def describe() -> str:
    """This job in words, for logs and messages."""
    job = scheduler_job()
    where = f"job {job} on node {node()}" if job else f"process {os.getpid()} on {node()}"
    return f"{where}, GPU {gpus()}" if gpus() else where


def identify() -> dict[str, Any]:
    """Identity of this process, unique over all machines that share the files."""
    return {
        "job": scheduler_job(),
        "node": node(),
        "process": os.getpid(),
        "started": _started(os.getpid()),
        **_kernel(),
    }


def is_here(identity: dict[str, Any]) -> bool:
    """Whether a process runs, or ran, on this machine, where it can be looked for.

    Arguments:
        identity: Result of `identify` in that process.
    """
    return all(identity.get(key) == value for key, value in _kernel().items())


def has_ended(identity: dict[str, Any]) -> bool:
    """Whether a process is known to have ended; False if that cannot be known from here.

    Arguments:
        identity: Result of `identify` in that process.
    """
    return is_here(identity) and _started(identity["process"]) != identity["started"]


def time_left() -> float | None:
    """Seconds until the scheduler ends this job; None without a limit, or where the scheduler cannot be asked."""
    job = scheduler_job()
    if job is None:
        return None
    query = ["squeue", "--noheader", "--jobs", job, "--format", "%L"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=_QUERY_SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_duration(answer.strip())


def parse_duration(text: str) -> float | None:
    """Seconds of a duration as SLURM writes it, such as 1-02:03:04 or 03:04; None for UNLIMITED and the like."""
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    days, hours, minutes, seconds = (int(found[name] or 0) for name in ("days", "hours", "minutes", "seconds"))
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _kernel() -> dict[str, str]:
    # Process numbers mean something within one boot of one machine, and there within one namespace.
    return {
        "boot": _read("/proc/sys/kernel/random/boot_id"),
        "namespace": os.readlink("/proc/self/ns/pid") if os.path.exists("/proc/self/ns/pid") else "",
    }


def _started(process: int) -> str:
    """When a process started, in ticks since boot: a process number may be reused, this pair not."""
    # The name in parentheses may hold spaces; a process whose parent has not noticed its end is a zombie.
    fields = _read(f"/proc/{process}/stat").rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 and fields[0] not in "ZX" else ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""
