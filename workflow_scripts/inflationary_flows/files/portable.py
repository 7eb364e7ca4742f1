"""What may leave the machine: values whose paths and addresses name no folder outside, no user and no credential.

Sidecars, the configuration beside the results and all that is made from these go through `portable`.
"""

from __future__ import annotations

import os
import re
import urllib.parse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^\s\"'<>]+")
# Texts and names of columns, whatever they look like.
_NEVER_PATHS = ("label", "label_column", "columns", "array")
# The name of a path that has none of its own, such as `../..`.
_NAMELESS = "outside"


def portable(value: Any, repository: Path, working: Path | None = None) -> Any:
    """A value as JSON has it, with portable paths and addresses.

    Arguments:
        value: Anything that settings are made of; what JSON does not know becomes text.
        repository: Folder of the workflow.
        working: The folder that relative paths begin in; by default the working directory.

    Returns:
        The same with every path below the working directory or the workflow's, or else as its last name alone; of
        addresses neither user, password, query nor fragment is left.
    """
    if isinstance(value, Mapping):
        return {
            str(key): entry if key in _NEVER_PATHS else portable(entry, repository, working)
            for key, entry in value.items()
        }
    if isinstance(value, str | os.PathLike):
        text, folders = os.fspath(value), (working or Path.cwd(), repository.resolve())
        # What is left of an odd one may be an address or a path again.
        while (shorter := _portable_text(text, folders)) != text:
            text = shorter
        return text
    if isinstance(value, bool | int | float | None):
        return value
    if isinstance(value, Iterable):
        return [portable(entry, repository, working) for entry in value]
    return str(value)


def _portable_text(text: str, folders: tuple[Path, Path]) -> str:
    if text.startswith("file:"):
        text = urllib.parse.unquote(_split(text).path)
    text = _ADDRESS.sub(lambda found: _bare_address(found[0]), text)
    if not (text.startswith(("/", "~")) or ".." in text.split("/")):
        return text
    # No path holds a zero, at which the functions below stop.
    expanded = os.path.expanduser(text.replace("\0", ""))
    given = os.path.join(folders[0], expanded)
    for path in () if expanded.startswith("~") else (os.path.normpath(given), os.path.realpath(given)):
        for folder in folders:
            if Path(path).is_relative_to(folder):
                return Path(path).relative_to(folder).as_posix()
    name = text.rstrip("/").rpartition("/")[2]
    return _NAMELESS if name in ("", ".", "..") or name.startswith("~") else name


def _bare_address(address: str) -> str:
    parts = _split(address)
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _split(address: str) -> urllib.parse.SplitResult:
    try:
        return urllib.parse.urlsplit(address)
    except ValueError:
        # No address: what stands last names it.
        return urllib.parse.SplitResult("", "", re.split(r"[?#]", address)[0].rpartition("/")[2], "", "")
