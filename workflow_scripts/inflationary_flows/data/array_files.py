"""Reads tables from NumPy's files, npz and npy."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from inflationary_flows.data.columns import Columns
from inflationary_flows.data.opening import explained, require_plausible
from inflationary_flows.errors import DataError, shorten


class ArrayFile:
    """An array of shape (n, D), known from its header.

    Attributes:
        path: The file.
        names: Names of the columns: x0, x1 and so on.
        index: Empty: all columns are numbers of the user's.
        record: What was understood, by name.
    """

    def __init__(self, path: Path, kind: str, array: str | None = None) -> None:
        """Reads the header.

        Arguments:
            path: The file.
            kind: Its format, npz or npy.
            array: Name of the array, of several of an npz.

        Raises:
            DataError: if the file is damaged, or there is no such array of real numbers with rows and columns.
        """
        self.path, self._kind, self._array = path, kind, array
        with explained(path, kind), self._opened() as (file, size, packed):
            shape, dtype, start = self._header(file)
        self._require_numbers(dtype)
        _require_matrix(path, shape)
        declared = math.prod(shape) * dtype.itemsize
        if start + declared != size:
            raise DataError(
                str(path), f"{declared} bytes of numbers, for shape {shape}", f"{size - start}", "write the file again."
            )
        require_plausible(path, size, packed)
        self.names, self.index = [f"x{position}" for position in range(shape[1])], list[int]()
        self.record: dict[str, Any] = {"array": self._array or "", "type": str(dtype)}

    def read(self, columns: Columns) -> tuple[np.ndarray, dict[int, list[Any]]]:
        """As of `tables.TableFile`; DataError if the file is damaged."""
        with explained(self.path, self._kind), self._opened() as (file, _, _):
            values: np.ndarray = npy.read_array(file, allow_pickle=False)
            # A checksum stands after the last byte.
            file.read(1)
        return values.astype(np.float64), {}

    @contextmanager
    def _opened(self) -> Iterator[tuple[IO[bytes], int, int]]:
        """The array's own file, its size, and its size as packed."""
        if self._kind == "npy":
            with open(self.path, "rb") as file:
                yield file, self.path.stat().st_size, self.path.stat().st_size
            return
        with zipfile.ZipFile(self.path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            self._array = _chosen_array(self.path, names, self._array)
            member = archive.getinfo(f"{self._array}.npy")
            with archive.open(member) as file:
                yield file, member.file_size, min(member.compress_size, self.path.stat().st_size)

    def _header(self, file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any], int]:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(file)
        return tuple(shape), dtype, file.tell()

    def _require_numbers(self, dtype: np.dtype[Any]) -> None:
        if dtype.kind in "fiu":
            return
        where = f'{self.path}, array "{self._array}"' if self._array else str(self.path)
        hint = "convert it: np.savez(path, points=array.astype(float))."
        if dtype.hasobject:
            raise DataError(where, "an array of numbers", "Python objects", hint)
        raise DataError(where, "real numbers", f"values of type {shorten(str(dtype))}", hint)


def _chosen_array(path: Path, names: Sequence[str], array: str | None) -> str:
    if array is None and len(names) == 1:
        return names[0]
    some = shorten(", ".join(names[:20]))[1:-1] or "none"
    if array is None:
        raise DataError(
            str(path),
            "one array, or `array` in the data set's settings",
            f"{len(names)} arrays: {some}",
            "name the one to take, such as `array: points`.",
        )
    if array not in names:
        raise DataError(str(path), f'an array called "{array}"', f"the arrays {some}", "correct `array`.")
    return array


def _require_matrix(path: Path, shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or shape[1] == 0:
        raise DataError(
            str(path),
            "an array of shape (rows, columns)",
            f"shape {shorten(shape)}",
            "reshape it: one point a row; images as rows of pixels.",
        )
