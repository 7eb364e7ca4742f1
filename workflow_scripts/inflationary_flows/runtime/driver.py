"""What a driver of the workflow does before Snakemake begins.

It goes to the folder of the run, takes over from a driver that was killed, and finds room.

Snakemake locks a folder by files that say nothing about who wrote them, and that stay when it is killed. A driver
therefore also holds a shared lock of the operating system, which ends with it: who gets that lock for itself alone
knows that no other driver is alive.
"""

from __future__ import annotations

import errno
import fcntl
import gc
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from inflationary_flows.errors import ArtifactError
from inflationary_flows.runtime import disk, host

logger = logging.getLogger(__name__)
# Bytes that Snakemake's notes need at least, and the files of its solver.
_ROOM = 1 << 20


def move_to(workflow: Any, folder: Path) -> None:
    """Has a workflow run in a folder as if `--directory` named it.

    Raises:
        ArtifactError: if there can be no such folder.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        workflow.workdir(folder)
    except OSError as problem:
        expected, hint = "a folder for the results of this configuration", "name another one: --directory elsewhere"
        raise ArtifactError(str(folder), expected, problem.strerror or "none", hint) from problem
    # What Snakemake tells its jobs.
    workflow.overwrite_workdir, workflow._workdir_init = folder, str(folder)


def prepare(folder: Path = Path(".snakemake"), *, on_cluster: bool = False) -> None:
    """Takes away the lock of a driver that is gone, and finds a place for temporary files if theirs is missing or full.

    Arguments:
        folder: Snakemake's own, in the folder of the run.
        on_cluster: Whether this driver submits jobs, which may outlive it.

    Raises:
        ArtifactError: if nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A plain descriptor, which nothing closes before this process ends.
        notes = os.open(folder / "drivers", os.O_RDWR | os.O_CREAT, 0o644)
        if shutil.disk_usage(folder).free < _ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    except OSError as problem:
        # Snakemake's log lies there too: what it says of lines that are not written would bury the message.
        logging.raiseExceptions = False
        raise disk.as_message(problem) or problem from None
    try:
        _take_over(notes, folder / "locks", host.node(), on_cluster)
    except OSError as problem:
        # A file system without such locks: Snakemake's own have to do.
        logger.debug("%s: %s", folder, problem)
    _find_room(folder / "tmp")
    # What is loaded stays, and so do jobs: looking for garbage among them takes a tenth of a start.
    gc.freeze()
    gc.set_threshold(100_000)


def _take_over(notes: int, folder: Path, node: str, on_cluster: bool) -> None:
    """Takes away Snakemake's locks if their drivers are gone.

    Those of other machines are left, since not every file system shares locks, and those of drivers whose jobs may be
    in a queue; so are those of which there is no note.
    """
    try:
        fcntl.flock(notes, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(notes, fcntl.LOCK_SH)
        return
    locks = list(folder.glob("*.lock"))
    nodes = set(os.read(notes, _ROOM).decode().split())
    if locks and nodes == {node}:
        logger.warning("The driver that locked this folder is gone: its lock is taken away, and the run goes on.")
        for lock in locks:
            lock.unlink()
        locks = []
    os.ftruncate(notes, 0)
    own = f"{node}:jobs" if on_cluster else node
    os.pwrite(notes, "\n".join(sorted({own, *((nodes or {"unknown"}) if locks else ())})).encode(), 0)
    fcntl.flock(notes, fcntl.LOCK_SH)


def _find_room(folder: Path) -> None:
    """Has temporary files written elsewhere, if their place is missing or full."""
    found = os.path.abspath(tempfile.gettempdir())
    usual = os.path.abspath(os.environ.get("TMPDIR", found))
    if shutil.disk_usage(found).free < _ROOM:
        folder.mkdir(exist_ok=True)
        found = str(folder.absolute())
    if found != usual:
        logger.warning("%s has no room for temporary files: they go to %s", usual, found)
        os.environ["TMPDIR"] = tempfile.tempdir = found
