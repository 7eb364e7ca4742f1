"""Tensors as files: safetensors, which hold no code, with a checksum.

One metadata entry of JSON carries a sha256 over names, types, shapes, values and metadata.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from inflationary_flows.errors import ArtifactError, shorten
from inflationary_flows.files.files import REMAKE, atomic_write, missing

# One entry only: safetensors writes several in an order that changes from run to run.
_ENTRY = "inflationary_flows"
_UNREADABLE = (
    SafetensorError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
    RecursionError,
)
# Names of number types in safetensors; others are not written by numpy.
_DTYPES = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "U16": "<u2",
    "I16": "<i2",
    "U32": "<u4",
    "I32": "<i4",
    "U64": "<u8",
    "I64": "<i8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
    "C64": "<c8",
}
# Bytes that are hashed at once.
_CHUNK = 1 << 24


def sha256_of_array(array: np.ndarray) -> str:
    """Returns the sha256 of an array's type, shape and values, in hexadecimal."""
    digest = hashlib.sha256()
    _feed(digest, "", array)
    return digest.hexdigest()


def save_tensors(
    path: str | os.PathLike[str],
    tensors: Mapping[str, Any],
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Writes tensors and JSON metadata as one safetensors file; equal input gives equal bytes.

    Arguments:
        path: Output file, replaced atomically.
        tensors: numpy arrays or torch tensors by name.
        metadata: Anything JSON can hold. A `kind` in it lets `load_tensors` distinguish this sort of file
            from others.
    """
    arrays = {name: _as_array(tensors[name]) for name in sorted(tensors)}
    described = _canonical(dict(metadata or {}))
    entry = _canonical({"sha256": _digest(arrays, described), "metadata": described})
    content = safetensors.numpy.save(arrays, {_ENTRY: entry})
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def load_tensors(
    path: str | os.PathLike[str], kind: str | None = None, *, finite: bool = False
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Reads a file of `save_tensors` and checks that it is what was written.

    Arguments:
        path: The file.
        kind: If given, the `kind` that the metadata must name.
        finite: Whether all of its numbers have to be finite.

    Returns:
        The numpy arrays by name (the caller's own, writable), and the metadata.

    Raises:
        ArtifactError: if the file is missing, truncated, altered, from elsewhere, or of another
            kind, or a number is not finite.
    """
    path = Path(path)
    if not path.is_file():
        raise missing(path)
    try:
        content = path.read_bytes()
    except OSError as problem:
        got = f"one that cannot be read ({problem.strerror})"
        raise ArtifactError(str(path), "a file to read", got, "check its permissions") from problem
    try:
        header = _header(content)
        arrays = {name: np.array(array) for name, array in safetensors.numpy.load(content).items()}
    except _UNREADABLE as problem:
        raise _truncated(path, len(content), problem) from problem
    return arrays, _checked_metadata(path, header, arrays, kind, finite)


def map_tensors(
    path: str | os.PathLike[str], kind: str | None = None, *, finite: bool = False
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Reads a file of `save_tensors` as `load_tensors` does, but leaves the arrays on the disk.

    The checksum is computed in passing, a few megabytes at a time. An array's pages are read when they are used,
    and several processes on one machine share them.

    Arguments:
        path: The file.
        kind, finite: As of `load_tensors`.

    Returns:
        The numpy arrays by name, not writable, and the metadata.

    Raises:
        ArtifactError: as `load_tensors`.
    """
    path = Path(path)
    if not path.is_file():
        raise missing(path)
    try:
        # The standard reader checks offsets and sizes; it keeps the file mapped only while it is open.
        with safetensors.safe_open(path, framework="numpy"):
            pass
        with open(path, "rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        header = _header(content)
        arrays = _views(content, header)
    except _UNREADABLE as problem:
        raise _truncated(path, path.stat().st_size, problem) from problem
    return arrays, _checked_metadata(path, header, arrays, kind, finite)


def _views(content: mmap.mmap, header: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays that a header describes, as views of the file's bytes."""
    begin = 8 + int.from_bytes(content[:8], "little")
    arrays = {}
    for name, entry in header.items():
        if name != "__metadata__":
            dtype, shape = np.dtype(_DTYPES[entry["dtype"]]), tuple(entry["shape"])
            first = begin + int(entry["data_offsets"][0])
            arrays[name] = np.frombuffer(content, dtype, count=math.prod(shape), offset=first).reshape(shape)
    return arrays


def _truncated(path: Path, size: int, problem: Exception) -> ArtifactError:
    return ArtifactError(
        str(path),
        "a whole safetensors file",
        f"{size} bytes that cannot be read as one ({shorten(str(problem))})",
        "it may be another file, such as a table: name the right one. If it is truncated, make it again",
    )


def _checked_metadata(
    path: Path, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray], kind: str | None, finite: bool
) -> dict[str, Any]:
    """Metadata of a file whose arrays and description are what was written."""
    try:
        entry = json.loads(header["__metadata__"][_ENTRY])
        recorded, described = str(entry["sha256"]), entry["metadata"]
        metadata: dict[str, Any] = json.loads(described)
        if not isinstance(metadata, dict):
            raise TypeError("the metadata are no mapping")
    except (KeyError, TypeError, ValueError, RecursionError) as problem:
        raise ArtifactError(
            str(path),
            "a safetensors file written by inflationary_flows",
            "one without its checksum",
            "give a file that this workflow made.",
        ) from problem
    found = _digest(arrays, described)
    if found != recorded:
        raise ArtifactError(
            str(path),
            f"contents whose sha256 begins with {recorded[:12]}",
            f"{found[:12]}",
            f"the file was altered after it was written; {REMAKE}",
        )
    if kind is not None and metadata.get("kind") != kind:
        raise ArtifactError(
            str(path),
            f"a file of kind {kind!r}",
            f"kind {metadata.get('kind')!r}",
            "give the path of the right file; see the tree of results in README.md.",
        )
    wrong = [name for name in arrays if finite and not np.isfinite(arrays[name]).all()]
    if wrong:
        raise ArtifactError(str(path), "finite numbers", f"NaN or infinity in {wrong[0]}", REMAKE)
    return metadata


def _as_array(tensor: Any) -> np.ndarray:
    # torch is recognised by its methods, so that this module never has to import it.
    array = tensor.detach().cpu().numpy() if hasattr(tensor, "detach") else np.asarray(tensor)
    if array.dtype.byteorder == ">" or (array.dtype.byteorder == "=" and sys.byteorder == "big"):
        array = array.astype(array.dtype.newbyteorder("<"))
    return np.array(array, order="C")


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _feed(digest: Any, name: str, array: np.ndarray) -> None:
    digest.update(_canonical([name, array.dtype.str, list(array.shape)]).encode())
    content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    for first in range(0, len(content), _CHUNK):
        digest.update(content[first : first + _CHUNK])


def _digest(arrays: Mapping[str, np.ndarray], described: str) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        _feed(digest, name, arrays[name])
    digest.update(described.encode())
    return digest.hexdigest()


def _header(content: bytes | mmap.mmap) -> dict[str, Any]:
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    if not isinstance(header, dict):
        raise ValueError("the header is not a mapping")
    return header
