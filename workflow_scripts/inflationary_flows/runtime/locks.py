"""One writer per run: a lock on the folder of its checkpoint.

Jobs that share a file system but nothing else (other nodes, other drivers of the workflow, orphans of one that was
killed) coordinate by files alone.  A lock is a file `lock-000001.json` that is created exclusively and says who wrote
it; its owner rewrites it every few seconds.  A job that finds a lock that is no longer rewritten, or whose process has
ended, creates the next number: only one of several jobs succeeds. The lock with the highest number counts, so that a
delayed former owner notices it and stops. Files of other names, such as the copies that programs make which synchronise
folders, are no locks.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from inflationary_flows.checkpoint import never
from inflationary_flows.errors import CheckpointError, Interrupted
from inflationary_flows.runtime import host

logger = logging.getLogger(__name__)

# Seconds between two rewritings of a lock, and after which a lock that nobody rewrites is void.
BEAT_SECONDS, PATIENCE_SECONDS = 5.0, 20.0
_NAME = re.compile(r"lock-(\d{6,18})\.json")


class Lock:
    """Keeps other writers out of a folder while a block runs.

    Arguments:
        folder: Folder of a run, made if it is missing.
        beat: Seconds between two rewritings.
        patience: Seconds after which a lock that nobody rewrites is void; the same for all jobs.
        stop: Returns why to wait no longer for an owner, or None.
    """

    def __init__(
        self,
        folder: Path,
        beat: float = BEAT_SECONDS,
        patience: float = PATIENCE_SECONDS,
        stop: Callable[[], str | None] = never,
    ) -> None:
        self.folder = folder
        self.beat = beat
        self.patience = patience
        self.stop = stop
        # A token, because a process may lock the same folder twice.
        self._content = json.dumps({**host.identify(), "token": secrets.token_hex(8)}).encode()
        self._path: Path | None = None
        self._ended = threading.Event()
        self._lost: str | None = None
        self._awaited: bytes | None = None

    def __enter__(self) -> Lock:
        """Takes the folder.

        Without a scheduler, another job of this machine that has it is an orphan: its driver was killed, or another one
        could not have begun. It is waited for, since what it does is what this job would do.

        Raises:
            CheckpointError: if a job of another machine has it, or one on a cluster, and is alive.
            Interrupted: if it was asked to stop while it waited.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._path = self._take()
        self._ended.clear()
        self._thread = threading.Thread(target=self._keep_rewriting, name="lock", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Releases the folder."""
        self._ended.set()
        self._thread.join()
        if self._path is not None and _read(self._path) == self._content:
            self._path.unlink(missing_ok=True)

    def lost(self) -> str | None:
        """Who has taken over the folder, as a reason to stop; noticed within one beat."""
        return self._lost

    def check(self) -> None:
        """Checks on the file system that the folder is still this job's.

        Raises:
            CheckpointError: if another job has taken it.
        """
        self._lost = self._lost or self._find_loss()
        if self._lost is not None:
            raise CheckpointError(
                str(self.folder),
                "this job to be the only one that writes this run",
                self._lost,
                "let the other one go on; this job was held up for so long that it seemed to have ended",
            )

    def _take(self) -> Path:
        first_seen: dict[Path, tuple[float, float]] = {}
        for stray in (path for path in sorted(self.folder.glob("lock-*")) if not _is_lock(path)):
            logger.warning("%s is no lock of a job: it is left alone", stray)
        while True:
            newest = self._newest()
            if newest is not None:
                owner = _read(newest)
                if owner is None:
                    # Released between the two checks.
                    continue
                if not self._void(newest, owner, first_seen):
                    self._wait(owner)
                    continue
                logger.warning("%s has ended without a word; this job takes over", _describe(owner))
            # Whatever has the name of a lock, such as a folder, has its number.
            numbers = [int(found[1]) for entry in self.folder.iterdir() if (found := _NAME.fullmatch(entry.name))]
            path = self.folder / f"lock-{max(numbers, default=0) + 1:06d}.json"
            try:
                with open(path, "xb") as file:
                    file.write(self._content)
            except FileExistsError:
                continue
            except OSError:
                # A full disk: half a lock would make the next job wait for its owner.
                path.unlink(missing_ok=True)
                raise
            if newest is not None:
                newest.unlink(missing_ok=True)
            return path

    def _wait(self, owner: bytes) -> None:
        reason = self.stop()
        if reason:
            raise Interrupted(
                str(self.folder), "to go on", f"{reason} while waiting for {_describe(owner)}", "run again later"
            )
        time.sleep(min(1.0, self.beat / 4))

    def _void(self, path: Path, owner: bytes, first_seen: dict[Path, tuple[float, float]]) -> bool:
        """Whether a lock's owner is gone; False if it is to be waited for, an error if it is not."""
        if host.has_ended(_parse(owner)):
            return True
        written = _written(path)
        if written is None:
            return False
        now = time.monotonic()
        before, since = first_seen.setdefault(path, (written, now))
        # By the clock of the file system or, where times lie in the future, by that of this job.
        if self._now() - written > self.patience or (written == before and now - since > self.patience):
            return True
        if written == before:
            return False
        if self._is_orphan(_parse(owner)):
            if owner != self._awaited:
                logger.warning("%s, whose driver is gone, is at work on this: this job waits for it", _describe(owner))
            self._awaited = owner
            first_seen[path] = (written, now)
            return False
        raise CheckpointError(
            str(self.folder),
            "no other job to write this run",
            f"{_describe(owner)}, which does",
            f"wait for it, or end it{_by_scancel(owner)}, then run again; a job that is gone is noticed after "
            f"{self.patience:g} s",
        )

    def _is_orphan(self, owner: dict[str, Any]) -> bool:
        """Whether an owner that is alive has to be a job of this machine whose driver was killed."""
        return host.scheduler_job() is None and host.is_here(owner) and owner["process"] != os.getpid()

    def _newest(self) -> Path | None:
        return max(filter(_is_lock, self.folder.glob("lock-*")), key=_number, default=None)

    def _now(self) -> float:
        """The time by the clock of the file system: clocks of nodes differ."""
        probe = self.folder / f".now-{secrets.token_hex(6)}"
        probe.touch()
        try:
            return probe.stat().st_mtime
        finally:
            probe.unlink(missing_ok=True)

    def _keep_rewriting(self) -> None:
        while not self._ended.wait(self.beat):
            try:
                self._lost = self._find_loss()
                if self._lost is not None:
                    return
                # The same bytes in place: readers never see half of them, and the file system notes the time.
                assert self._path is not None
                with open(self._path, "r+b") as file:
                    file.write(self._content)
            except OSError as problem:
                logger.warning("the lock on %s could not be renewed: %s", self.folder, problem)

    def _find_loss(self) -> str | None:
        newest = self._newest()
        content = (newest and _read(newest)) or b""
        return None if content == self._content else f"{_describe(content)}, which has taken over"


def _number(path: Path) -> int:
    return int(path.stem.removeprefix("lock-"))


def _is_lock(path: Path) -> bool:
    return _NAME.fullmatch(path.name) is not None and path.is_file()


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError:
        # A file that may not be read has an owner that is not known.
        return b""


def _written(path: Path) -> float | None:
    try:
        # Opening makes network file systems ask the server again.
        with open(path, "rb"):
            return path.stat().st_mtime
    except FileNotFoundError:
        return None
    except PermissionError:
        return path.stat().st_mtime


def _parse(content: bytes) -> dict[str, Any]:
    """Who wrote a lock; unknown while it is still being written, or if it is damaged."""
    try:
        owner = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    whole = isinstance(owner, dict) and type(owner.get("process")) is int and isinstance(owner.get("started"), str)
    return owner if whole else {}


def _describe(content: bytes) -> str:
    owner = _parse(content)
    if not owner:
        return "another job"
    process = f"process {owner.get('process')} on node {owner.get('node')}"
    return f"job {owner['job']} ({process})" if owner.get("job") else process


def _by_scancel(content: bytes) -> str:
    job = _parse(content).get("job")
    return f" (scancel {job})" if job else ""
