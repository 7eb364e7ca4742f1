"""Reads untrusted archives.

Nothing is ever extracted to the disk: members are read into memory one by one, within limits on what is declared and on
what is found. A name that points outside of the archive, a link, an encrypted member or an implausible compression ends
the reading, also in members that are not wanted.
"""

from __future__ import annotations

import gzip
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from inflationary_flows.data.opening import HIGHEST_RATIO, require_file
from inflationary_flows.errors import DataError, shorten

# Small members, such as empty ones, may compress as they like.
_RATIO_COUNTS_FROM = 1 << 20
_CHUNK = 1 << 20

_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)


@dataclass(frozen=True)
class Limits:
    """Size limits of an archive.

    Attributes:
        member: Bytes of one member.
        total: Bytes of all members together.
    """

    member: int
    total: int


def tar_members(path: Path, limits: Limits) -> Iterator[tuple[str, bytes]]:
    """Yields names and contents of the files in a gzipped tar archive, in their order.

    Arguments:
        path: The archive.
        limits: Sizes beyond which reading ends.

    Raises:
        DataError: if the archive is missing, truncated, unsafe, or another kind of file.
    """
    require_file(path)
    with _explained(path, "tar.gz"), gzip.open(path) as unpacked:
        counted = _Counted(unpacked, limits.total, path)
        with tarfile.open(fileobj=counted, mode="r|") as archive:  # type: ignore[call-overload]
            for member in archive:
                _require_plain_name(path, member.name)
                if member.isdir():
                    continue
                if not member.isfile():
                    raise _unsafe(path, f'"{member.name}", a link or device')
                _require_size(path, member.name, member.size, limits.member)
                content = archive.extractfile(member)
                yield member.name, b"" if content is None else content.read()
        # What follows the last member carries the checksum of all: a cut there must be detected.
        while counted.read(_CHUNK):
            pass


class ZipFiles:
    """The files in a zip archive, read one at a time.

    Attributes:
        path: The archive.
        names: Names of its files, sorted, without folders.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        """Reads the list of files.

        Arguments:
            path: The archive.
            limits: Sizes beyond which reading ends.

        Raises:
            DataError: if the archive is missing, truncated, unsafe, or another kind of file.
        """
        require_file(path)
        self.path = path
        with _explained(path, "zip"):
            self._archive = zipfile.ZipFile(path)
        try:
            self._members = _checked_members(path, self._archive, limits)
        except DataError:
            self.close()
            raise
        self.names = sorted(self._members)

    def read(self, name: str) -> bytes:
        """Content of a file; `DataError` if it is damaged."""
        member = self._members[name]
        with _explained(self.path, "zip"), self._archive.open(member) as file:
            content = file.read(member.file_size + 1)
        _require_size(self.path, name, len(content), member.file_size)
        return content

    def close(self) -> None:
        """Closes the archive."""
        self._archive.close()


def _checked_members(path: Path, archive: zipfile.ZipFile, limits: Limits) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    total = 0
    for member in archive.infolist():
        _require_plain_name(path, member.filename)
        # Some programs of Windows separate folders by backslashes, which the format forbids.
        name = member.filename.replace("\\", "/")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise _unsafe(path, f'"{name}", a link')
        if name.endswith("/"):
            continue
        if member.flag_bits & 0x1:
            raise _unsafe(path, f'"{name}", which is encrypted')
        if name in members:
            raise _unsafe(path, f'"{name}" twice')
        _require_size(path, name, member.file_size, limits.member)
        if member.file_size > max(_RATIO_COUNTS_FROM, HIGHEST_RATIO * member.compress_size):
            raise _bomb(path, f'"{name}", {member.file_size} bytes packed into {member.compress_size}')
        total += member.file_size
        members[name] = member
    if total > limits.total:
        raise _bomb(path, f"{total} bytes unpacked")
    # Members may share their packed bytes; all together they still cannot exceed the archive's own.
    if total > max(_RATIO_COUNTS_FROM, HIGHEST_RATIO * path.stat().st_size):
        raise _bomb(path, f"{total} bytes packed into {path.stat().st_size}")
    return members


class _Counted:
    """A stream of unpacked bytes that raises beyond a limit, independent of what headers declare."""

    def __init__(self, stream: gzip.GzipFile, limit: int, path: Path) -> None:
        self._stream, self._left, self._path = stream, limit, path

    def read(self, size: int) -> bytes:
        content = self._stream.read(min(size, self._left + 1))
        self._left -= len(content)
        if self._left < 0:
            raise _bomb(self._path, "more")
        return content


def _require_plain_name(path: Path, name: str) -> None:
    """Refuses names that would lead out of the folder that an archive is unpacked into."""
    parts = PurePosixPath(name).parts
    windows = PureWindowsPath(name)
    if name.startswith("/") or ".." in parts or ".." in windows.parts or windows.drive or windows.root or "\0" in name:
        raise _unsafe(path, f"{shorten(name)}, which leads out of it")


def _require_size(path: Path, name: str, size: int, limit: int) -> None:
    if size > limit:
        raise _bomb(path, f'"{name}" of {size} bytes, where {limit} are the most')


def _unsafe(path: Path, got: str) -> DataError:
    return DataError(str(path), "plain files with relative names only", got, "the archive is not safe: do not use it.")


def _bomb(path: Path, got: str) -> DataError:
    return DataError(
        str(path),
        "an archive whose contents have plausible sizes",
        got,
        "the archive would fill memory or disk: do not use it.",
    )


@contextmanager
def _explained(path: Path, kind: str) -> Iterator[None]:
    """Turns the errors of archive readers into one message."""
    try:
        yield
    except _BROKEN as problem:
        reason = (str(problem) or type(problem).__name__).splitlines()[0]
        raise DataError(
            str(path),
            f"a whole {kind} archive",
            f"one that cannot be read ({shorten(reason, 90)})",
            "the file is truncated, damaged or of another kind: download it again.",
        ) from problem
