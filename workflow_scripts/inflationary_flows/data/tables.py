"""The user's own tables of real numbers, from text, parquet, workbooks and NumPy's files.

A table is understood from its first bytes, and then checked when it is read: every entry a finite number, no constant
column. With `missing: impute` entries may be missing: rows with holes are kept apart. Messages count rows from 1,
without the header, and name columns.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from inflationary_flows.data.columns import AUTO, Columns, choose, shown, summary_rows
from inflationary_flows.data.opening import open_path
from inflationary_flows.errors import DataError
from inflationary_flows.extras import needs
from inflationary_flows.mathematics.column_kinds import COLUMN_KINDS, as_named, find_kinds, named_kinds

# Tables that come with scikit-learn.
SAMPLE = "sklearn"
_FILE_KINDS = ("csv", "parquet", "xlsx", "npz", "npy")
NAMED_KINDS = ("csv", "parquet", "xlsx", SAMPLE)
TABLE_KINDS = (*_FILE_KINDS, SAMPLE)
# Kinds by the suffix of files that nothing else is said of.
_SUFFIXES = {kind: kind for kind in _FILE_KINDS} | {"tsv": "csv", "txt": "csv", "dat": "csv"}
_PACKED = ("gz", "bz2", "xz", "zst")
_ODDITIES = ("empty_rows", "empty_columns", "summary_rows", "rows_copied_across", "counting_columns")
# The value of the key `missing` by which rows with holes are kept.
IMPUTE = "impute"
# A column whose spread is rounding noise of its size is constant.
_CONSTANT = 1e-12


@dataclass(frozen=True)
class Table:
    """Points as read.

    Attributes:
        points: Rows without holes, shape (n, D), float64, the source's units.
        labels: A number per point for colouring, shape (n,).
        columns: Names of the D coordinates.
        path: The file.
        record: What was understood of the file, in plain types.
        rows: All rows in the order of the file, NaN in holes; None unless rows may have holes.
    """

    points: np.ndarray
    labels: np.ndarray
    columns: tuple[str, ...]
    path: Path
    record: dict[str, Any]
    rows: np.ndarray | None = None


class TableFile(Protocol):
    """A table that was understood from its first bytes."""

    path: Path
    names: list[str]
    index: list[int]
    record: dict[str, Any]

    def read(self, columns: Columns) -> tuple[np.ndarray, dict[int, list[Any]]]:
        """Reads all rows.

        Arguments:
            columns: Those to read.

        Returns:
            Points, shape (n, D), NaN where an entry is missing; and by position the entries of `columns.named`, as
            numbers, texts or None.

        Raises:
            DataError: if the file is damaged, or does not fit what its first bytes say.
        """


def read_table(dataset: Mapping[str, Any]) -> Table:
    """Reads a table of the user's own.

    Arguments:
        dataset: `kind` (of TABLE_KINDS) and `path`, or of kind sklearn `table`; `separator`, `decimal` (csv); `sheet`
            (xlsx); `array` (npz); `columns`, `label_column` (where columns have names); `positive`, `bounded`,
            `integer`, which the record then has, too; `missing`.

    Raises:
        DataError: if the file is missing, unreadable or can be read in two ways, an entry is not a finite number or not
            of its column's kind, a column is constant, or there are no more rows than dimensions.
    """
    table = _read(dataset)
    if table.rows is not None:
        _require_whole_rows(table)
    require_varying(str(table.path), table.points, table.columns)
    table.record.update(_kinds(table, dataset))
    n, dimension = table.points.shape
    if n <= dimension:
        raise DataError(
            str(table.path),
            f"more rows than columns (at least {dimension + 1})",
            f"{n} rows of {dimension} columns",
            "add rows, or choose fewer `columns`.",
        )
    return table


def table_dimension(dataset: Mapping[str, Any]) -> int:
    """Returns the number of coordinates D of a table from its first bytes; raises like `read_table`."""
    with needs(f"tables of kind {dataset['kind']}", "tables"):
        file = _open(dataset)
    chosen = choose(file.path, file.names, file.index, dataset).chosen
    with _in_file(file.path):
        named_kinds([file.names[position] for position in chosen], **_said(dataset))
    return len(chosen)


@contextmanager
def _in_file(path: Path) -> Iterator[None]:
    """Names a file in what is wrong with its columns."""
    try:
        yield
    except DataError as problem:
        problem.where = f"{path}, {problem.where}"
        raise


def _said(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """What the settings say of the kinds of columns."""
    return {key: dataset[key] for key in COLUMN_KINDS if key in dataset}


def _kinds(table: Table, dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Kinds of the columns by name, said or recognised; `DataError` if an entry is not of its column's kind."""
    recognised = AUTO if dataset.get("columns") == AUTO else None
    with _in_file(table.path):
        rows = table.points if table.rows is None else _filled(table.rows)
        kinds = find_kinds(rows, table.columns, recognised, first_row=1, **_said(dataset))
    return as_named(kinds, table.columns)


def _filled(rows: np.ndarray) -> np.ndarray:
    """Rows with other entries of their column in holes: what a column holds is seen where it is seen."""
    filled = rows.copy()
    for column in filled.T:
        holes = np.isnan(column)
        column[holes] = np.resize(column[~holes], holes.sum())
    return filled


def kind_of(path: str | os.PathLike[str]) -> str:
    """The kind of a table, by its suffix; DataError if there is none of this suffix."""
    suffixes = [suffix.lstrip(".").lower() for suffix in Path(path).suffixes]
    packed = bool(suffixes) and suffixes[-1] in _PACKED
    kind = _SUFFIXES.get(suffixes[-1 - packed]) if len(suffixes) > packed else None
    if kind is None:
        endings = ", ".join(f".{suffix}" for suffix in _SUFFIXES)
        expected = f"a name ending in {endings}, compressed or not"
        raise DataError(str(path), expected, shown(Path(path).name), "convert the file.")
    return kind


def read_points(
    path: str | os.PathLike[str], dimension: int, origin: Mapping[str, Any] | None = None, *, holes: bool = False
) -> np.ndarray:
    """Reads points of the user's own, any number of them.

    Arguments:
        path: A table, a point in each row; the suffix decides its kind.
        dimension: Number of coordinates D that the points must have.
        origin: Provenance of the data set's splits. If its columns have names, those of the points are found by them.
        holes: Whether entries may be missing.

    Returns:
        Points, shape (n, D), float64, NaN where an entry is missing.

    Raises:
        DataError: if the file is missing or unreadable, lacks columns, or an entry is not a finite number.
    """
    origin = origin or {}
    settings = origin.get("settings", {})
    kind = kind_of(path)
    asked = {"kind": kind, "path": path}
    if kind == "csv":
        asked |= {key: settings[key] for key in ("separator", "decimal") if key in settings}
    if kind in NAMED_KINDS and settings.get("kind") in NAMED_KINDS:
        asked["columns"] = origin["columns"]
    table = _read({**asked, "missing": IMPUTE} if holes else asked)
    points = table.points if table.rows is None else table.rows
    if points.shape[1] != dimension:
        raise DataError(
            str(path),
            f"{dimension} columns, as the data set has",
            str(points.shape[1]),
            "give points in the units and with the coordinates of the data set.",
        )
    return points


def understood(record: Mapping[str, Any]) -> str:
    """What was understood of a table, for a log: a line of ASCII, without the oddities that it has not."""
    told = {key: value for key, value in record.items() if value or key not in _ODDITIES}
    return ", ".join(f"{key.replace('_', ' ')} {json.dumps(value)}" for key, value in told.items())


def _open(dataset: Mapping[str, Any]) -> TableFile:
    """A table's file, understood by the reader of its kind. These are imported when they are needed."""
    if dataset["kind"] == SAMPLE:
        from inflationary_flows.data.sample_tables import SampleTable

        return SampleTable(dataset["table"])
    path, kind = open_path(dataset), dataset["kind"]
    if kind == "csv":
        from inflationary_flows.data.delimited import DelimitedFile

        return DelimitedFile(path, dataset.get("separator"), dataset.get("decimal"))
    if kind == "parquet":
        from inflationary_flows.data.parquet import ParquetFile

        return ParquetFile(path)
    if kind == "xlsx":
        from inflationary_flows.data.workbooks import Workbook

        return Workbook(path, dataset.get("sheet"))
    from inflationary_flows.data.array_files import ArrayFile

    return ArrayFile(path, kind, dataset.get("array"))


def _read(dataset: Mapping[str, Any]) -> Table:
    """A table with rows, of finite numbers, and holes if there may be some."""
    with needs(f"tables of kind {dataset['kind']}", "tables"):
        file = _open(dataset)
        columns = choose(file.path, file.names, file.index, dataset)
        points, named = file.read(columns)
    names = tuple(file.names[position] for position in columns.chosen)
    may_have_holes = dataset.get("missing") == IMPUTE
    _require_finite(file.path, points, names, may_have_holes)
    sums = {"summary_rows": summary_rows(named.values())} if dataset["kind"] in NAMED_KINDS else {}
    record = {
        **file.record,
        **sums,
        "index_left_out": [file.names[position] for position in columns.index],
        "rows": len(points),
        "columns": len(names),
    }
    labels = _numbered([] if columns.label is None else named[columns.label], len(points))
    if not may_have_holes:
        return Table(points, labels, names, file.path, record)
    holes = np.isnan(points)
    whole = ~holes.any(axis=1)
    counted = dict(zip(names, holes.sum(axis=0).tolist(), strict=True))
    record["rows_with_holes"] = int((~whole).sum())
    record["holes"] = {name: count for name, count in counted.items() if count}
    return Table(points[whole], labels[whole], names, file.path, record, points)


def _numbered(labels: Sequence[Any], n: int) -> np.ndarray:
    """Labels as numbers: as they are if all are numbers, else their places in the order of texts, -1 if missing."""
    if not labels:
        return np.zeros(n)
    if all(label is None or isinstance(label, int | float) for label in labels):
        return np.array([np.nan if label is None else label for label in labels], dtype=np.float64)
    texts = [None if label is None else str(label) for label in labels]
    places = {text: place for place, text in enumerate(sorted({text for text in texts if text is not None}))}
    return np.array([-1 if text is None else places[text] for text in texts], dtype=np.float64)


def _require_finite(path: Path, points: np.ndarray, columns: Sequence[str], may_have_holes: bool) -> None:
    if len(points) == 0:
        raise DataError(str(path), "rows of numbers", "none", "add rows to the table.")
    holes = np.isnan(points)
    empty = np.flatnonzero(holes.all(axis=1))
    if may_have_holes and len(empty):
        got = f"none ({len(empty)} of {len(points)} such rows)"
        raise DataError(
            f"{path}, row {empty[0] + 1}", "a number", got, "drop rows without any: nothing is known of them."
        )
    rows, wrong = np.nonzero(np.isinf(points) if may_have_holes else ~np.isfinite(points))
    if len(rows):
        value = points[rows[0], wrong[0]]
        hint = f"fill or drop such rows ({len(np.unique(rows))} of {len(points)})"
        if np.isnan(value):
            hint += ", or train on the others: --skip-holes of a shell, or `missing: impute` of a configuration."
        raise DataError(
            f"{path}, row {rows[0] + 1}, column {shown(columns[wrong[0]])}",
            "a finite number",
            "NaN or an empty entry" if np.isnan(value) else str(value),
            hint,
        )


def _require_whole_rows(table: Table) -> None:
    """Raises `DataError` if too few rows without holes are left to fit anything to."""
    assert table.rows is not None
    n, dimension = table.points.shape
    if n <= dimension:
        holes = np.isnan(table.rows).sum(axis=0)
        worst = int(holes.argmax())
        most = f"{shown(table.columns[worst])} has {holes[worst]} holes"
        raise DataError(
            str(table.path),
            f"more rows without holes than columns (at least {dimension + 1}), which are trained on",
            f"{n} of {len(table.rows)}",
            f"add rows, or list the other columns in `columns`: {most}.",
        )


def require_varying(where: str, points: np.ndarray, columns: Sequence[str]) -> None:
    """Raises `DataError` if a column of points, shape (n, D), holds one value only, or has no variance in float64."""
    spread = np.ptp(points, axis=0)
    constant = np.flatnonzero(spread <= _CONSTANT * np.abs(points).max(axis=0))
    if len(constant):
        first = constant[0]
        raise DataError(
            f"{where}, column {shown(columns[first])}",
            "values that vary",
            f"the constant {points[0, first]:g}",
            "list the other columns in `columns`: a constant has nothing to model.",
        )
    with np.errstate(over="ignore", under="ignore"):
        variances = points.var(axis=0)
    extreme = np.flatnonzero(~((variances > np.finfo(np.float64).tiny) & (variances < math.inf)))
    if len(extreme):
        column = points[:, extreme[0]]
        raise DataError(
            f"{where}, column {shown(columns[extreme[0]])}",
            "numbers whose variance is one of float64, as of numbers between 1e-150 and 1e150",
            f"numbers up to {np.abs(column).max():g}",
            "change the units of the column, or correct such entries.",
        )
