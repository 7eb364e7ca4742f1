"""CIFAR-10 in its authors' archive for Python: five batches to train on and one to test.

Each batch is a pickle of a dictionary with `data`, uint8 of shape (n, 3072) in planes of red, green and blue, and
`labels`. A pickle can run any code, so that numpy never loads it: the few names in an array's pickle are replaced by
stand-ins that only record their arguments.
"""

from __future__ import annotations

import io
import math
import pickle
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from inflationary_flows.data.archives import Limits, tar_members
from inflationary_flows.data.image_source import ImageSource
from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.errors import DataError, shorten
from inflationary_flows.files.files import sha256_of

_FOLDER = "cifar-10-batches-py"
_PARTS = {
    "train": tuple(f"data_batch_{number}" for number in range(1, 6)),
    "test": ("test_batch",),
}
_OFFICIAL_COUNTS = {"train": 50_000, "test": 10_000}
_CLASSES = 10
_IMAGE = ImageFormat(3, 32, 32)
# A true batch has 31 MB, all of them 186 MB.
_LIMITS = Limits(member=64 << 20, total=512 << 20)


def read_cifar10(path: Path) -> ImageSource:
    """Reads `cifar-10-python.tar.gz`, or an archive of the same layout with fewer images.

    Arguments:
        path: The archive.

    Raises:
        DataError: if it is missing, truncated, unsafe, or lacks a batch.
    """
    wanted = {f"{_FOLDER}/{name}": name for names in _PARTS.values() for name in names}
    batches: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for member, content in tar_members(path, _LIMITS):
        name = wanted.get(str(PurePosixPath(member)))
        if name is not None:
            batches[name] = _read_batch(f"{path}, {name}", content)
    missing = [name for name in wanted.values() if name not in batches]
    if missing:
        raise DataError(
            str(path),
            f"{_FOLDER}/ with {', '.join(wanted.values())}",
            f"an archive without {', '.join(missing)}",
            "give the version for Python, cifar-10-python.tar.gz.",
        )
    parts = {
        part: (
            np.concatenate([batches[name][0] for name in names]),
            np.concatenate([batches[name][1] for name in names]),
        )
        for part, names in _PARTS.items()
    }
    counts = {part: len(labels) for part, (_, labels) in parts.items()}
    record = {"source_sha256": sha256_of(path), "counts": counts, "official": counts == _OFFICIAL_COUNTS}
    return ImageSource(parts, _IMAGE, str(path), record)


def _read_batch(where: str, content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Grey levels (n, 3072) and classes (n,) of one batch."""
    batch = _unpickle(where, content)
    entries = {_text(key): value for key, value in batch.items()} if isinstance(batch, dict) else {}
    data, labels = entries.get("data"), entries.get("labels")
    values = data.to_numpy() if isinstance(data, _Array) else None
    if values is None or values.ndim != 2 or values.shape[1] != _IMAGE.dimension or len(values) == 0:
        shape = shorten(type(data).__name__) if values is None else f"shape {values.shape}"
        raise DataError(
            where, f"uint8 data of shape (n, {_IMAGE.dimension})", shape, "not CIFAR-10: download it again."
        )
    if not (
        isinstance(labels, list)
        and len(labels) == len(values)
        and all(type(label) is int and 0 <= label < _CLASSES for label in labels)
    ):
        raise DataError(
            where,
            f"{len(values)} labels from 0 to {_CLASSES - 1}",
            f"{len(labels)} others" if isinstance(labels, list) else shorten(type(labels).__name__),
            "not CIFAR-10: download it again.",
        )
    return values, np.array(labels, dtype=np.float64)


def _text(key: Any) -> str:
    return key.decode("latin1") if isinstance(key, bytes) else str(key)


class _Dtype:
    """Stands in for numpy.dtype."""

    def __init__(self, name: Any, *_: Any) -> None:
        self.name = _text(name)

    def __setstate__(self, state: Any) -> None:
        """Byte order and the like: bytes have none."""


class _Array:
    """Stands in for numpy.ndarray: records shape and bytes."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def to_numpy(self) -> np.ndarray | None:
        """The array, if it is a plain one of bytes in rows, or None."""
        if not (isinstance(self.state, tuple) and len(self.state) == 5):
            return None
        _, shape, dtype, by_columns, content = self.state
        if isinstance(content, str):
            # Python 2 wrote bytes as text.
            content = content.encode("latin1")
        sound = (
            isinstance(dtype, _Dtype)
            and dtype.name in ("u1", "|u1")
            and by_columns in (False, 0)
            and isinstance(content, bytes)
            and isinstance(shape, tuple)
            and all(type(size) is int and size >= 0 for size in shape)
            and math.prod(shape) == len(content)
        )
        return np.frombuffer(content, np.uint8).reshape(shape) if sound else None


class _NotAnArray:
    """Stands in for the type numpy.ndarray, which an array's pickle names but must not call."""

    def __init__(self) -> None:
        raise pickle.UnpicklingError("a call of numpy.ndarray")


def _encode(text: Any, encoding: Any = None) -> bytes:
    if not (isinstance(text, str) and encoding == "latin1"):
        raise pickle.UnpicklingError("a call of _codecs.encode for something else than bytes")
    return text.encode("latin1")


_STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _NotAnArray,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
}


class _Unpickler(pickle.Unpickler):
    """Reads numbers, texts, lists, dictionaries and arrays, and refuses to name anything else."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _STAND_INS[module, name]
        except KeyError:
            raise _Foreign(f"{module}.{name}") from None


class _Foreign(Exception):
    """A pickle that names something else than an array."""


def _unpickle(where: str, content: bytes) -> Any:
    try:
        return _Unpickler(io.BytesIO(content), fix_imports=False, encoding="latin1").load()
    except _Foreign as problem:
        raise DataError(
            where, "a pickle of arrays and numbers", f"one that calls for {problem}", "do not use this archive."
        ) from problem
    # Damaged bytes can raise nearly anything from within the reader.
    except Exception as problem:
        raise DataError(
            where,
            "a pickle of arrays and numbers",
            f"bytes that are not ({shorten(str(problem) or type(problem).__name__)})",
            "the archive is damaged: download it again.",
        ) from problem
