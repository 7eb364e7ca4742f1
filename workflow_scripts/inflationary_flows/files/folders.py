"""Folders as a whole: their files, through links, and what is in them as one digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

# What file managers leave behind, in small letters: which case it has differs between systems.
_CLUTTER = ("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "@eadir", "$recycle.bin")


def is_passed_over(name: str) -> bool:
    """Whether a file or folder of this name is hidden or clutter, and no part of what a folder holds."""
    return name.startswith(".") or name.lower() in _CLUTTER


def files_below(folder: str | os.PathLike[str]) -> Iterator[tuple[str, Path]]:
    """All files below a folder but hidden ones, links to folders followed, except those that lead back above them.

    Arguments:
        folder: The folder; where it or one below cannot be read, its files are left out.

    Returns:
        Pairs of the name relative to the folder, with slashes, and the path, sorted by name.
    """
    found: list[tuple[str, Path]] = []
    waiting: list[tuple[str, str, frozenset[str]]] = [("", os.fspath(folder), frozenset())]
    while waiting:
        name, place, above = waiting.pop()
        real = os.path.realpath(place)
        if real in above:
            continue
        for inner in _listed(place):
            path = os.path.join(place, inner)
            if inner.startswith("."):
                continue
            if os.path.isdir(path):
                waiting.append((f"{name}{inner}/", path, above | {real}))
            else:
                found.append((f"{name}{inner}", Path(path)))
    return iter(sorted(found))


def _listed(place: str) -> list[str]:
    try:
        return os.listdir(place)
    except OSError:
        return []


def digest_of_folder(folder: str | os.PathLike[str], describe: Callable[[str], str]) -> str:
    """One sha256 of the names of all files in a folder and of what is said of each, in hexadecimal.

    Hidden files and clutter do not count. A link to a folder counts as such: what it leads to is described where it
    lies.

    Arguments:
        folder: The folder.
        describe: Says something of a regular file, given by its path: its sha256, or its size.

    Raises:
        OSError: if a folder or a file cannot be read.
    """
    top, lines = os.path.realpath(folder), []
    for place, folders, files in os.walk(folder, onerror=_fail):
        folders[:] = [name for name in folders if not is_passed_over(name)]
        for name in [*folders, *(file for file in files if not is_passed_over(file))]:
            path = os.path.join(place, name)
            if name in folders and os.path.islink(path):
                said = f"link to {os.path.relpath(os.path.realpath(path), top)}"
            elif os.path.isfile(path):
                said = describe(path)
            else:
                continue
            lines.append((os.path.relpath(path, folder).replace(os.sep, "/"), said))
    digest = hashlib.sha256()
    for name, said in sorted(lines):
        digest.update(f"{said}  {name}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _fail(problem: OSError) -> None:
    raise problem
