"""The user's own tables of real numbers.

A table is checked when it is read: every entry a finite number, no constant column. Messages count
rows from 1 (for csv without the header line) and name columns.
"""

from __future__ import annotations

import csv
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inflationary_flows.errors import DataError, shorten

if TYPE_CHECKING:
    import pandas as pd

# A column whose spread is rounding noise of its size is constant.
_CONSTANT = 1e-12


@dataclass(frozen=True)
class Table:
    """Points as read.

    Attributes:
        points: Shape (n, D), float64, the source's units.
        labels: A number per point for colouring, shape (n,).
        columns: Names of the D coordinates.
        path: The file, if there is one.
    """

    points: np.ndarray
    labels: np.ndarray
    columns: tuple[str, ...]
    path: Path | None = None


def read_table(dataset: Mapping[str, Any]) -> Table:
    """Reads a table of the user's own.

    Arguments:
        dataset: `kind` (npz, csv or parquet) and `path`; `array` (npz); `columns`, `label_column`
            (csv, parquet).

    Raises:
        DataError: if the file is missing or unreadable, an entry is not a finite number, a column
            is constant, or there are no more rows than dimensions.
    """
    table = _read(dataset)
    require_varying(str(table.path), table.points, table.columns)
    n, dimension = table.points.shape
    if n <= dimension:
        raise DataError(
            str(table.path),
            f"more rows than columns (at least {dimension + 1})",
            f"{n} rows of {dimension} columns",
            "add rows, or choose fewer `columns`.",
        )
    return table


def read_points(path: str | os.PathLike[str], dimension: int) -> np.ndarray:
    """Reads points of the user's own, any number of them.

    Arguments:
        path: csv, npz or parquet, a point in each row; the suffix decides.
        dimension: Number of coordinates D that the points must have.

    Returns:
        Points, shape (n, D), float64.

    Raises:
        DataError: if the file is missing or unreadable, has other columns, or an entry is not a finite number.
    """
    kind = Path(path).suffix.lower().lstrip(".")
    if kind not in ("csv", "npz", "parquet"):
        raise DataError(str(path), "a name ending in .csv, .npz or .parquet", Path(path).name, "convert the file.")
    points = _read({"kind": kind, "path": path}).points
    if points.shape[1] != dimension:
        raise DataError(
            str(path),
            f"{dimension} columns, as the data set has",
            str(points.shape[1]),
            "give points in the units and with the coordinates of the data set.",
        )
    return points


def _read(dataset: Mapping[str, Any]) -> Table:
    """A table with rows, of finite numbers."""
    path = _existing(dataset)
    if dataset["kind"] == "npz":
        points, columns = _read_npz(path, dataset.get("array"))
        labels = np.zeros(len(points))
    else:
        frame = _read_frame(path, dataset["kind"])
        columns = _chosen_columns(path, [str(name) for name in frame.columns], dataset)
        points = np.column_stack([_numbers(path, frame[name], name) for name in columns])
        labels = _labels(frame, dataset.get("label_column"))
    _require_finite(path, points, columns)
    return Table(points, labels, columns, path)


def table_dimension(dataset: Mapping[str, Any]) -> int:
    """Returns the number of coordinates D of a table from its header; raises like `read_table`."""
    path = _existing(dataset)
    if dataset["kind"] == "npz":
        shape = _npz_shape(path, dataset.get("array"))
        _require_matrix(path, shape)
        return shape[1]
    names = _csv_header(path) if dataset["kind"] == "csv" else _parquet_header(path)
    return len(_chosen_columns(path, names, dataset))


def require_file(path: Path) -> None:
    """Raises `DataError` if there is no such file."""
    if not path.is_file():
        raise DataError(
            str(path),
            "an existing file",
            "a directory" if path.is_dir() else "none",
            "check `path` of the data set; it starts at the working directory.",
        )


def _existing(dataset: Mapping[str, Any]) -> Path:
    path = Path(dataset["path"])
    require_file(path)
    if path.stat().st_size == 0:
        raise DataError(str(path), "a table", "an empty file", "write the table again.")
    return path


def _unreadable(path: Path, kind: str, problem: Exception) -> DataError:
    reason = (str(problem) or type(problem).__name__).splitlines()[0]
    return DataError(
        str(path),
        f"a readable {kind} file",
        f"one that is not ({shorten(reason, 90)})",
        "check that the file is complete and that `kind` names its format.",
    )


def _npz_shape(path: Path, array: str | None) -> tuple[int, ...]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            name = _chosen_array(path, names, array)
            with archive.open(f"{name}.npy") as member:
                version = np.lib.format.read_magic(member)
                header = (
                    np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                )
                return tuple(header(member)[0])
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError) as problem:
        raise _unreadable(path, "npz", problem) from problem


def _chosen_array(path: Path, names: Sequence[str], array: str | None) -> str:
    if array is None and len(names) == 1:
        return names[0]
    if array is None:
        raise DataError(
            str(path),
            "one array, or `array` in the data set's settings",
            f"{len(names)} arrays: {', '.join(names) or 'none'}",
            "name the one to take, such as `array: points`.",
        )
    if array not in names:
        raise DataError(
            str(path),
            f'an array called "{array}"',
            f"the arrays {', '.join(names) or '(none)'}",
            "correct `array`.",
        )
    return array


def _read_npz(path: Path, array: str | None) -> tuple[np.ndarray, tuple[str, ...]]:
    name = _chosen_array_of_file(path, array)
    try:
        with np.load(path, allow_pickle=False) as archive:
            values = archive[name]
    except ValueError as problem:
        if "allow_pickle" in str(problem):
            raise DataError(
                f'{path}, array "{name}"',
                "an array of numbers",
                "Python objects",
                "convert it: np.savez(path, points=array.astype(float)).",
            ) from problem
        raise _unreadable(path, "npz", problem) from problem
    except (zipfile.BadZipFile, OSError, EOFError) as problem:
        raise _unreadable(path, "npz", problem) from problem
    _require_matrix(path, values.shape)
    if values.dtype.kind not in "fiu":
        raise DataError(
            f'{path}, array "{name}"',
            "real numbers",
            f"values of type {values.dtype}",
            "convert it: np.savez(path, points=array.astype(float)).",
        )
    return values.astype(np.float64), tuple(f"x{index}" for index in range(values.shape[1]))


def _chosen_array_of_file(path: Path, array: str | None) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            return _chosen_array(path, [name.removesuffix(".npy") for name in archive.namelist()], array)
    except (zipfile.BadZipFile, OSError) as problem:
        raise _unreadable(path, "npz", problem) from problem


def _require_matrix(path: Path, shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or shape[1] == 0:
        raise DataError(
            str(path),
            "an array of shape (rows, columns)",
            f"shape {shape}",
            "reshape it: one point a row; images as rows of pixels.",
        )


def _csv_header(path: Path) -> list[str]:
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            names = next(csv.reader(file), [])
    except (UnicodeDecodeError, csv.Error) as problem:
        raise _unreadable(path, "csv", problem) from problem
    if not names:
        raise DataError(str(path), "a header line", "an empty line", "name the columns in the first line.")
    if all(_is_number(name) for name in names):
        raise DataError(
            str(path),
            "a header line that names the columns",
            f"numbers in the first line ({shorten(','.join(names), 40)})",
            "put a line such as x0,x1,x2 above the numbers.",
        )
    return names


def _parquet_header(path: Path) -> list[str]:
    import pyarrow
    import pyarrow.parquet

    try:
        return list(pyarrow.parquet.read_schema(path).names)
    except (pyarrow.ArrowException, OSError) as problem:
        raise _unreadable(path, "parquet", problem) from problem


def _read_frame(path: Path, kind: str) -> pd.DataFrame:
    import pandas as pd
    import pyarrow

    if kind == "csv":
        _csv_header(path)
    try:
        if kind == "csv":
            return pd.read_csv(path, encoding="utf-8-sig", index_col=False)
        return pd.read_parquet(path)
    except (ValueError, OSError, pyarrow.ArrowException) as problem:
        raise _unreadable(path, kind, problem) from problem


def _chosen_columns(path: Path, names: Sequence[str], dataset: Mapping[str, Any]) -> tuple[str, ...]:
    label = dataset.get("label_column")
    chosen = dataset.get("columns") or [name for name in names if name != label]
    for key, wanted in (("columns", chosen), ("label_column", [label] if label else [])):
        for name in wanted:
            if name not in names:
                raise DataError(
                    str(path),
                    f'a column called "{name}" ({key})',
                    f"the columns {', '.join(names)}"[:200],
                    "correct the name; capitals and blanks count.",
                )
    if label in chosen:
        raise DataError(
            str(path),
            "a label column apart from the columns",
            f'"{label}" as both',
            "take it out of `columns`, or drop `label_column`.",
        )
    if not chosen:
        raise DataError(str(path), "at least one column of numbers", "none", "add columns to the table.")
    return tuple(chosen)


def _numbers(path: Path, column: pd.Series, name: str) -> np.ndarray:
    import pandas as pd

    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_complex_dtype(column):
        raise DataError(
            f'{path}, column "{name}"',
            "real numbers",
            f"values of type {column.dtype}",
            "convert the column, or leave it out by `columns`.",
        )
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    numbers = pd.to_numeric(column, errors="coerce")
    wrong = np.flatnonzero((numbers.isna() & column.notna()).to_numpy())
    if len(wrong):
        raise DataError(
            f'{path}, row {wrong[0] + 1}, column "{name}"',
            "a number",
            shorten(column.iloc[int(wrong[0])]),
            "correct it (decimals are written with a point), or leave the column out by `columns`.",
        )
    return numbers.to_numpy(dtype=np.float64, na_value=np.nan)


def _labels(frame: pd.DataFrame, label: str | None) -> np.ndarray:
    import pandas as pd

    if label is None:
        return np.zeros(len(frame))
    column = frame[label]
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return pd.factorize(column, sort=True)[0].astype(np.float64)


def _require_finite(path: Path, points: np.ndarray, columns: Sequence[str]) -> None:
    if len(points) == 0:
        raise DataError(str(path), "rows of numbers", "none", "add rows to the table.")
    rows, wrong = np.nonzero(~np.isfinite(points))
    if len(rows):
        value = points[rows[0], wrong[0]]
        raise DataError(
            f'{path}, row {rows[0] + 1}, column "{columns[wrong[0]]}"',
            "a finite number",
            "NaN or an empty entry" if np.isnan(value) else str(value),
            f"fill or drop such rows ({len(np.unique(rows))} of {len(points)}).",
        )


def require_varying(where: str, points: np.ndarray, columns: Sequence[str]) -> None:
    """Raises `DataError` if a column of points, shape (n, D), holds one value only."""
    spread = np.ptp(points, axis=0)
    constant = np.flatnonzero(spread <= _CONSTANT * np.abs(points).max(axis=0))
    if len(constant):
        first = constant[0]
        raise DataError(
            f'{where}, column "{columns[first]}"',
            "values that vary",
            f"the constant {points[0, first]:g}",
            "leave the column out by `columns`: a constant has nothing to model.",
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
