"""Tiny archives with the layouts of the public ones, and what is wrong with bad ones."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

CIFAR = "cifar-10-batches-py"
BATCHES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    """Random grey levels."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def png(values: np.ndarray) -> bytes:
    """Grey levels (H, W) or (H, W, 3) as the content of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


def write_tar(path: Path, members: Mapping[str, bytes]) -> Path:
    """A gzipped tar archive."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def write_zip(path: Path, members: Mapping[str, bytes]) -> Path:
    """A zip archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def batch(rows: int, seed: int) -> dict[bytes, object]:
    """One batch of CIFAR-10."""
    labels = np.random.default_rng(seed).integers(0, 10, rows).tolist()
    return {b"batch_label": b"tiny", b"labels": labels, b"data": noise(rows, 3072, seed=seed), b"filenames": [b"a"]}


def cifar_members(rows: int = 4) -> dict[str, bytes]:
    """Members of the archive, in the second pickle protocol as Python 2 wrote it."""
    members = {f"{CIFAR}/{name}": pickle.dumps(batch(rows, seed), protocol=2) for seed, name in enumerate(BATCHES)}
    return {f"{CIFAR}/readme.html": b"<html>", **members}


def afhq_members(size: int = 20, top: str = "") -> dict[str, bytes]:
    """Members of AFHQv2's archive: three pictures to train on and two to test, of each class."""
    return {
        f"{top}{part}/{group}/{number:02d}.png": png(noise(size, size, 3, seed=hash_of(part, group, number)))
        for part, count in (("train", 3), ("test", 2))
        for group in ("cat", "dog", "wild")
        for number in range(count)
    }


def hash_of(*parts: object) -> int:
    """A seed that does not change from run to run."""
    return int.from_bytes("/".join(map(str, parts)).encode(), "big") % (1 << 31)


def idx(values: np.ndarray, kind: int = 0x08) -> bytes:
    """Bytes with the header of an idx file."""
    shape = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, kind, values.ndim]) + shape + values.tobytes()


def write_idx(folder: Path, side: int = 6, train: int = 30, test: int = 10, suffix: str = ".gz") -> Path:
    """A folder of idx files by their official names."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (prefix, count) in enumerate((("train", train), ("t10k", test))):
        files = {
            f"{prefix}-images-idx3-ubyte": idx(noise(count, side, side, seed=seed)),
            f"{prefix}-labels-idx1-ubyte": idx(noise(count, seed=seed) % 10),
        }
        for name, content in files.items():
            (folder / f"{name}{suffix}").write_bytes(gzip.compress(content) if suffix else content)
    return folder
