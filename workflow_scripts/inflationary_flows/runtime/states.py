"""Checkpoints of long jobs: files that the workflow does not declare, in a folder per run.

The folder is named by the digest of the run.  It holds the last state, the one before, and the lock of the job that
writes them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from inflationary_flows.checkpoint import Checkpoint, run_digest
from inflationary_flows.errors import ArtifactError
from inflationary_flows.files.files import sha256_of
from inflationary_flows.files.tensors import load_tensors, save_tensors
from inflationary_flows.runtime import host
from inflationary_flows.runtime.interruption import Interruption
from inflationary_flows.runtime.locks import Lock

_KIND = "training state"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StateFile:
    """The last two states, each replaced atomically: a damaged one costs little.

    Attributes:
        path: File of the last state.
        lock: Excludes other writers; None for a reader.
    """

    path: Path
    lock: Lock | None = None

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self.path)

    @property
    def previous(self) -> Path:
        """File of the state before the last."""
        return self.path.with_name(f"{self.path.stem}.previous{self.path.suffix}")

    def read(self) -> tuple[Mapping[str, np.ndarray], dict[str, Any]] | None:
        """Tensors and metadata of the newest state that is whole; None if there is none.

        A damaged one is put aside, with a warning.
        """
        for path in (self.path, self.previous):
            try:
                if path.exists():
                    return load_tensors(path, _KIND)
            except ArtifactError as problem:
                if not path.exists():
                    # Its writer is about to replace it: the previous one is whole.
                    continue
                aside = path.with_name(f"{path.name}.damaged")
                logger.warning("%s\nIt is put aside as %s; the job goes on from an earlier state.", problem, aside.name)
                os.replace(path, aside)
        return None

    def write(self, tensors: Mapping[str, Any], metadata: dict[str, Any]) -> None:
        """Replaces the last state, which becomes the one before.

        Raises:
            CheckpointError: if another job has taken this run over.
        """
        new = self.path.with_name(f"{self.path.stem}.new{self.path.suffix}")
        save_tensors(new, tensors, {"kind": _KIND, **metadata})
        if self.lock is not None:
            self.lock.check()
        if self.path.exists():
            os.replace(self.path, self.previous)
        os.replace(new, self.path)

    def part(self, name: str) -> StateFile:
        """A file of its own, in the same folder."""
        return replace(self, path=self.path.with_name(f"{name}{self.path.suffix}"))


@contextmanager
def keep_checkpoint(
    folder: str | os.PathLike[str], digest: str, seconds: float, *, writes: bool = True, discards: bool = False
) -> Iterator[Checkpoint]:
    """Keeps the checkpoint of a run while a block runs, as its only writer, and stops the run when its time is over.

    Arguments:
        folder: Parent of the runs' folders.
        digest: Name of the run.
        seconds: Time between two saves.
        writes: Whether this process is the one that writes; others of the same job only read.
        discards: Whether to delete the checkpoint when the block has ended well.

    Raises:
        CheckpointError: if another job writes this run, which is not an orphan of this machine.
        Interrupted: if it was asked to stop while it waited for an orphan.
    """
    own = Path(folder) / digest
    path = own / "state.safetensors"
    with Interruption(host.time_left()) as interruption:
        if not writes:
            yield Checkpoint(StateFile(path), digest, seconds=seconds, stop=interruption.reason)
            return
        with Lock(own, stop=interruption.reason) as lock:
            yield Checkpoint(
                StateFile(path, lock), digest, seconds=seconds, stop=lambda: lock.lost() or interruption.reason()
            )
            if discards:
                for file in own.glob("*.safetensors*"):
                    file.unlink(missing_ok=True)
    if discards:
        with suppress(OSError):
            own.rmdir()


@contextmanager
def keep_carried(
    files: Mapping[str, str | os.PathLike[str]], folder: str | os.PathLike[str], seconds: float, **decisive: Any
) -> Iterator[Checkpoint]:
    """Keeps the checkpoint of a job that carries images through a flow, until the block has written its result.

    Arguments:
        files: Files that decide what the job makes, by name: the flow, and where images come from.
        folder, seconds: As of `keep_checkpoint`.
        decisive: All other settings that decide it, as plain values.

    Raises:
        CheckpointError: if another job makes the same.
    """
    digest = run_digest(files={name: sha256_of(path) for name, path in files.items()}, **decisive)
    with keep_checkpoint(folder, digest, seconds, discards=True) as checkpoint:
        yield checkpoint
