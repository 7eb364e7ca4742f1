"""Atomic writing of files, and their sha256.

Every file first gets a temporary name in its own directory, is flushed to the disk, and is then
renamed: a job that dies leaves either the whole file or none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from inflationary_flows.errors import ArtifactError, shorten
from inflationary_flows.files.folders import digest_of_folder

# What to do about a file that is not what it should be.
REMAKE = "delete the file and make it again, by the workflow or by Flow.fit."
# Bytes that every start of the workflow may hash.
_QUICKLY_READ = 1 << 26
# Called with every finished file before it gets its name: runtime/provenance.py.
_WITNESSES: list[Callable[[Path, Path], None]] = []


@contextlib.contextmanager
def witnessed(witness: Callable[[Path, Path], None]) -> Iterator[None]:
    """Shows every file that the block writes by `atomic_write`, just before it gets its name.

    Arguments:
        witness: Called with the finished file under its temporary name, and the name that it will have.
    """
    _WITNESSES.append(witness)
    try:
        yield
    finally:
        _WITNESSES.remove(witness)


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary sibling of `path` to write to, renamed to `path` when the block ends well.

    The temporary name keeps the suffix, because writers of figures and archives go by it. The
    parent directory is made if it is missing. If the block raises, the temporary file is removed
    and an earlier `path` stays as it was.

    Raises:
        ArtifactError: if the parent cannot be a directory, or the block wrote nothing.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as problem:
        raise ArtifactError(
            str(path),
            "a path whose parents are directories",
            f"a file at {shorten(str(problem.filename))}",
            "move the file that is in the way, or write elsewhere.",
        ) from problem
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(6)}.tmp{path.suffix}")
    try:
        yield temporary
        if not temporary.is_file():
            raise ArtifactError(
                str(path),
                "the temporary file to be written",
                "none",
                "write to the path that atomic_write yields.",
            )
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        for witness in _WITNESSES:
            witness(temporary, path)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _flush_directory(path.parent)


def _flush_directory(directory: Path) -> None:
    # A rename survives a power cut only once its directory is on the disk; not every file system
    # offers that.
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def path_of(path: Any, name: str = "path") -> Path:
    """The caller's path; ArtifactError if it is none, or none that this system can have."""
    if not isinstance(path, str | os.PathLike) or isinstance(os.fspath(path), bytes):
        hint = "name the file, or the folder that holds it"
        raise ArtifactError(name, "a path: text or a pathlib.Path", shorten(path), hint)
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        # What this means, depends on what the path is for.
        pass
    except (OSError, ValueError) as problem:
        got = f"{shorten(os.fspath(path))} ({getattr(problem, 'strerror', None) or problem})"
        raise ArtifactError(name, "a path that can be opened", got, "check its name and permissions") from problem
    return Path(path)


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Returns the sha256 of a file, or of the names and contents of the files in a folder, in hexadecimal.

    Raises:
        ArtifactError: if there is neither, or it cannot be read.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return digest_of_folder(path, _sha256)
        if not path.is_file():
            raise missing(path)
        return _sha256(path)
    except OSError as problem:
        what = f"one that cannot be read ({problem.strerror})"
        raise ArtifactError(str(path), "a file or folder to read", what, "check its permissions.") from problem


def fingerprint_of(path: str | os.PathLike[str] | None) -> str | None:
    """What a start of the workflow sees of a file or folder of the user's, whatever its time says.

    Arguments:
        path: The file or folder, if there is any.

    Returns:
        `sha256_of` it if that takes a moment, else a digest of names and sizes; None for what cannot be read.
    """
    sizes: list[int] = []

    def size(file: str | os.PathLike[str]) -> str:
        sizes.append(os.path.getsize(file))
        return str(sizes[-1])

    if path is None:
        return None
    try:
        by_size = digest_of_folder(path, size) if os.path.isdir(path) else size(path)
        return sha256_of(path) if sum(sizes) <= _QUICKLY_READ else by_size
    except (ArtifactError, OSError):
        # The job says what is wrong with it.
        return None


def _sha256(path: str | os.PathLike[str]) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes indented JSON, keys in their order; `ValueError` for NaN, infinity or odd types."""
    text = readable(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))
    with atomic_write(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8", newline="\n")


def readable(text: str) -> str:
    """Text with the names of files as UTF-8 has them, whatever the locale made of their bytes."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Reads JSON; `ArtifactError` if the file is missing or not JSON."""
    path = Path(path)
    if not path.is_file():
        raise missing(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise ArtifactError(str(path), "JSON", f"text that is not ({shorten(str(problem))})", REMAKE) from problem


def missing(path: Path) -> ArtifactError:
    """The error of a file that is not there."""
    return ArtifactError(
        str(path),
        "an existing file",
        "a directory" if path.is_dir() else "none",
        "check the path, or make the file first: by the workflow, or by Flow.fit and save.",
    )
