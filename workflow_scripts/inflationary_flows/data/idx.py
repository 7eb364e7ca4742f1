"""MNIST's idx files, gzipped or not: a header of big-endian numbers, then bytes."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from inflationary_flows.data.idx_names import OFFICIAL_NAMES, TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS
from inflationary_flows.data.image_source import ImageSource
from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.errors import DataError, shorten
from inflationary_flows.files.files import sha256_of

_UNSIGNED_BYTES = 0x08
# 2 GB: forty times MNIST's training images.
_MOST_BYTES = 1 << 31
_GZIP = b"\x1f\x8b"


def read_idx(paths: Sequence[Path], resolution: int) -> ImageSource:
    """Reads images, and labels and a test part where there are any.

    Arguments:
        paths: A folder with files of the official names, such files, or one file of images.
        resolution: Rows and columns that the images must have.

    Raises:
        DataError: if a file is missing, truncated, of another kind, or has other sizes.
    """
    files = _official(paths)
    where = str(paths[0] if len(paths) == 1 else paths[0].parent)
    parts = {}
    for part, images, labels in (("train", TRAIN_IMAGES, TRAIN_LABELS), ("test", TEST_IMAGES, TEST_LABELS)):
        if part == "train" or images in files:
            parts[part] = _read_part(files, images, labels, resolution, where)
    record = {
        "source_sha256": {path.name: sha256_of(path) for path in sorted(files.values())},
        "counts": {part: len(labels) for part, (_, labels) in parts.items()},
    }
    return ImageSource(parts, ImageFormat(1, resolution, resolution), where, record)


def _official(paths: Sequence[Path]) -> dict[str, Path]:
    """Files by official name: those given, those of a folder, or one file of images with any name."""
    if len(paths) == 1 and not paths[0].is_dir():
        return {TRAIN_IMAGES: paths[0]}
    if len(paths) == 1:
        candidates = [paths[0] / f"{name}{suffix}" for name in OFFICIAL_NAMES for suffix in ("", ".gz")]
        return {path.name.removesuffix(".gz"): path for path in candidates if path.is_file()}
    return {path.name.removesuffix(".gz"): path for path in paths}


def _read_part(
    files: dict[str, Path], images: str, labels: str, resolution: int, where: str
) -> tuple[np.ndarray, np.ndarray]:
    if images not in files:
        raise DataError(
            where,
            f"a file {images} or {images}.gz",
            "none",
            f"the names that count are {', '.join(OFFICIAL_NAMES)}; a single file of images can be given by its path.",
        )
    values = _read_array(files[images], 3)
    if values.shape[1:] != (resolution, resolution):
        rows, columns = values.shape[1:]
        hint = f"set `resolution: {rows}`." if rows == columns else "only square images can be used."
        raise DataError(str(files[images]), f"images of {resolution} x {resolution}", f"{rows} x {columns}", hint)
    flat = values.reshape(len(values), -1)
    if labels not in files:
        return flat, np.zeros(len(flat))
    classes = _read_array(files[labels], 1)
    if len(classes) != len(flat):
        raise DataError(
            str(files[labels]),
            f"{len(flat)} labels, one for each image of {files[images].name}",
            str(len(classes)),
            "the two files do not belong together.",
        )
    return flat, classes.astype(np.float64)


def _read_array(path: Path, dimensions: int) -> np.ndarray:
    """The array of bytes in a file, of so many dimensions."""
    try:
        with open(path, "rb") as file:
            packed = file.read(len(_GZIP)) == _GZIP
        with gzip.open(path) if packed else open(path, "rb") as file:
            return _parse(path, file, dimensions)
    except (OSError, EOFError, zlib.error) as problem:
        raise DataError(
            str(path),
            "a whole idx file, gzipped or not",
            f"one that cannot be read ({shorten(str(problem), 90)})",
            "the file is missing, truncated or damaged: download it again.",
        ) from problem


def _parse(path: Path, file: IO[bytes] | gzip.GzipFile, dimensions: int) -> np.ndarray:
    kind = bytes([0, 0, _UNSIGNED_BYTES, dimensions])
    found = file.read(len(kind))
    if found != kind:
        raise DataError(
            str(path),
            f"an idx file of {'images' if dimensions == 3 else 'labels'}, which begins with 0x{kind.hex()}",
            f"0x{found.hex()}",
            "check that the file is what its name says.",
        )
    header = file.read(4 * dimensions)
    shape = tuple(int(size) for size in np.frombuffer(header.ljust(4 * dimensions, b"\xff"), ">u4"))
    size = math.prod(shape)
    # One byte more than declared, so that both a cut and an overflow are detected, and no bomb is unpacked.
    content = file.read(size + 1) if size <= _MOST_BYTES else b""
    if len(content) != size or size == 0:
        raise DataError(
            str(path),
            f"{' x '.join(map(str, shape))} bytes after the header, at least 1 and at most {_MOST_BYTES}",
            f"{'more' if len(content) > size else 'fewer'}",
            "the file is truncated or damaged: download it again.",
        )
    return np.frombuffer(content, np.uint8).reshape(shape)
