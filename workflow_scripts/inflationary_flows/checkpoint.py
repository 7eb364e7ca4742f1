"""Checkpoints of long computations: saved at intervals, and when a computation has to stop.

A killed computation resumes from its checkpoint with bitwise identical results. A checkpoint belongs to a run, which is
named by a digest of all that determines its result; a store keeps it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from inflationary_flows.errors import CheckpointError, Interrupted
from inflationary_flows.progress import Progress

logger = logging.getLogger(__name__)


class StateStore(Protocol):
    """Keeps one state: replaced atomically."""

    def read(self) -> tuple[Mapping[str, np.ndarray], dict[str, Any]] | None:
        """Arrays and metadata of the last state that is whole, or None."""

    def write(self, tensors: Mapping[str, Any], metadata: dict[str, Any]) -> None:
        """Replaces the state atomically; raises CheckpointError if another job writes this run."""

    def part(self, name: str) -> StateStore:
        """A store of its own for a part of the run."""

    @property
    def name(self) -> str:
        """Name of the state in messages."""


class Nowhere:
    """Keeps nothing."""

    name = "nowhere"

    def read(self) -> None:
        """There is no state."""

    def write(self, tensors: Mapping[str, Any], metadata: dict[str, Any]) -> None:
        """Does nothing."""

    def part(self, name: str) -> Nowhere:
        """The same null store."""
        return self


def run_digest(**parts: Any) -> str:
    """Names a run by everything that determines its result.

    Arguments:
        parts: Plain values (settings, seeds, sha256 of input files, digests of source).

    Returns:
        32 hexadecimal digits.
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def never() -> None:
    """No reason to stop."""


class Checkpoint:
    """The checkpoint of one run.

    Arguments:
        store: Store of the checkpoint.
        digest: Name of the run (see `run_digest`).
        seconds: Time between two saves; changes no result.
        stop: Returns why the computation has to stop now, or None; called after every step.
    """

    def __init__(
        self, store: StateStore, digest: str, *, seconds: float = 60.0, stop: Callable[[], str | None] = never
    ) -> None:
        self.store = store
        self.digest = digest
        self.seconds = seconds
        self.stop = stop
        self._saved = time.monotonic()

    @classmethod
    def unkept(cls) -> Checkpoint:
        """The checkpoint of a computation that is not interrupted."""
        return cls(Nowhere(), "", seconds=math.inf)

    def part(self, name: str) -> Checkpoint:
        """The checkpoint of a part of the run, stored next to those of the other parts."""
        return Checkpoint(self.store.part(name), self.digest, seconds=self.seconds, stop=self.stop)

    def resume(self) -> tuple[Mapping[str, np.ndarray], dict[str, Any]] | None:
        """Arrays and metadata to go on from, or None to begin.

        Raises:
            CheckpointError: if they belong to another run.
        """
        kept = self.store.read()
        if kept is not None and kept[1].get("digest") != self.digest:
            raise CheckpointError(
                self.store.name,
                f"progress of the run {self.digest}",
                f"that of {kept[1].get('digest')}",
                "delete this file to start afresh; data, settings or source have changed since it was written",
            )
        return kept

    def due(self) -> bool:
        """Whether it is time to save again."""
        return time.monotonic() - self._saved >= self.seconds

    def save(self, tensors: Mapping[str, Any], **metadata: Any) -> None:
        """Saves the present state."""
        self.store.write(tensors, {"digest": self.digest, **metadata})
        self._saved = time.monotonic()

    def interrupted(self, what: str, done: int, total: int, reason: str | None) -> Interrupted:
        """The error that ends a computation that can be resumed, raised after saving."""
        return Interrupted(
            what,
            f"to get to the end, {total}",
            f"{reason or 'another process of this job was asked to stop'} after {done}",
            f"progress is kept in {self.store.name}: run again, and it goes on from there",
        )


def in_batches(
    compute: Callable[[int, int], Mapping[str, np.ndarray]],
    total: int,
    batch_size: int,
    checkpoint: Checkpoint,
    what: str,
) -> dict[str, np.ndarray]:
    """Computes rows 0 ... total - 1 in batches, resuming from the rows that an interrupted job saved.

    Batches begin at the same rows in every attempt, so that the result does not depend on interruptions.

    Arguments:
        compute: Named arrays for the rows from the first number up to the second.
        total: Number of rows.
        batch_size: Rows computed at once.
        checkpoint: Checkpoint of the finished rows.
        what: Name of the rows in the log.

    Returns:
        The arrays of all rows.

    Raises:
        Interrupted: if it was asked to stop; what was done is kept.
        CheckpointError: if another job does the same.
    """
    done, parts = 0, []
    kept = checkpoint.resume()
    if kept is not None:
        parts.append(dict(kept[0]))
        done = int(kept[1]["done"])
        logger.info("resumed at step %d of %d (%s)", done, total, what)
    with Progress(total, what, unit="number", done=done) as bar:
        while done < total:
            until = min(done + batch_size, total)
            parts.append(dict(compute(done, until)))
            bar.update(until - done)
            done = until
            reason = checkpoint.stop() if done < total else None
            if reason or checkpoint.due():
                parts = [_joined(parts)]
                checkpoint.save(parts[0], done=done)
            if reason:
                raise checkpoint.interrupted(what, done, total, reason)
    return _joined(parts)


def _joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
