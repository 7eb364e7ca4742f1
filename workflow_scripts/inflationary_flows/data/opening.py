"""Opens files of the user's own: there, of the kind that was said, and unpacked within limits."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from inflationary_flows.errors import DataError, shorten
from inflationary_flows.extras import needs

# Compression beyond this is a bomb: photographs do not compress, plain tables ten- to fiftyfold.
HIGHEST_RATIO = 200
_RATIO_COUNTS_FROM = 1 << 28
_CHUNK = 1 << 22
# First bytes of compressed text.
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
# First bytes of other files that tables come in.
_FOREIGN = {
    b"PAR1": ("a parquet file", ("parquet",)),
    b"PARE": ("an encrypted parquet file", ("parquet",)),
    b"\x93NUMPY": ("an npy file", ("npy",)),
    b"PK\x03\x04": ("a zip archive, as xlsx and npz files are", ("npz", "xlsx")),
    b"\xd0\xcf\x11\xe0": ("an old or encrypted workbook", ()),
}


def require_file(path: Path) -> None:
    """Raises `DataError` if there is no such file."""
    if not path.is_file():
        raise DataError(
            str(path),
            "an existing file",
            "a directory" if path.is_dir() else "none",
            "check `path` of the data set.",
        )


def open_path(dataset: Mapping[str, Any]) -> Path:
    """The file of a table; `DataError` if it is missing, empty, or plainly of another kind than `kind` says."""
    path, kind = Path(dataset["path"]), dataset["kind"]
    require_file(path)
    if path.stat().st_size == 0:
        raise DataError(str(path), "a table", "an empty file", "write the table again.")
    with explained(path, kind), open(path, "rb") as file:
        first = file.read(8)
    for magic, (what, kinds) in _FOREIGN.items():
        if first.startswith(magic) and kind not in kinds:
            raise unreadable(path, kind, f"it is {what}")
    if kind != "csv" and (packing := packing_of(first)):
        raise unreadable(path, kind, f"it is compressed by {packing}")
    return path


def unreadable(path: Path, kind: str, reason: str) -> DataError:
    """The error of a file that is damaged or of another kind."""
    return DataError(
        str(path),
        f"a readable {kind} file",
        f"one that is not ({shorten(reason, 90)})",
        "check that the file is complete and that `kind` names its format.",
    )


@contextmanager
def explained(path: Path, kind: str) -> Iterator[None]:
    """Turns whatever a parser raises about a damaged or hostile file into one message."""
    try:
        yield
    # A package that is not installed is no damage.
    except (DataError, ImportError):
        raise
    # Parsers name no list of what they raise: zlib.error, LZMAError, KeyError, MemoryError, struct.error and more.
    except Exception as problem:
        reason = (str(problem) or type(problem).__name__).splitlines()[0]
        raise unreadable(path, kind, reason) from problem


def require_plausible(path: Path, size: int, packed: int) -> None:
    """Raises `DataError` if so many bytes cannot well come from so many packed ones."""
    if size > max(_RATIO_COUNTS_FROM, HIGHEST_RATIO * packed):
        raise DataError(
            str(path),
            "a table of plausible size",
            f"{size} bytes or more from {packed}",
            "the table would fill memory: write it again, less compressed.",
        )


def packing_of(first: bytes) -> str | None:
    """How content is compressed, by its first bytes; None for content that is not."""
    return next((name for magic, name in _PACKED.items() if first.startswith(magic)), None)


@contextmanager
def unpacked(path: Path) -> Iterator[tuple[IO[bytes], str | None]]:
    """Opens a file for reading, with the name of its compression if it has one."""
    with open(path, "rb") as file:
        packing = packing_of(file.read(8))
    if packing == "zstd":
        with needs("files compressed by zstd", "tables"):
            import pyarrow

        with pyarrow.CompressedInputStream(pyarrow.OSFile(str(path)), "zstd") as stream:
            yield stream, packing
    else:
        openers: dict[str | None, Any] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open, None: open}
        with openers[packing](path, "rb") as stream:
            yield stream, packing


def read_unpacked(path: Path) -> bytes:
    """The whole content of a file; `DataError` if it is implausibly large."""
    with unpacked(path) as (stream, packing):
        if packing is None:
            return stream.read()
        content, packed = bytearray(), path.stat().st_size
        while chunk := stream.read(_CHUNK):
            content += chunk
            require_plausible(path, len(content), packed)
        return bytes(content)


def read_head(path: Path, size: int, lines: int, most: int) -> tuple[bytes, bool, str | None]:
    """The beginning of a file.

    Arguments:
        path: The file, compressed or not.
        size: Bytes to read, or all if there are fewer.
        lines: Line ends to read on for, where lines are long.
        most: Bytes to end at, whatever the lines.

    Returns:
        The bytes, whether they are the whole file, and the name of its compression.
    """
    with unpacked(path) as (stream, packing):
        content = bytearray()
        while len(content) < most and (len(content) < size or max(content.count(b"\n"), content.count(b"\r")) < lines):
            if not (chunk := stream.read(size)):
                return bytes(content), True, packing
            content += chunk
        return bytes(content), not stream.read(1), packing
