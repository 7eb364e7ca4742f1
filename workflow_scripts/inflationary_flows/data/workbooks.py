"""Reads tables from sheets of Excel's workbooks, xlsx."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from inflationary_flows.data.archives import Limits, ZipFiles
from inflationary_flows.data.columns import (
    Columns,
    leading_index,
    not_a_number,
    require_header,
    require_index,
    shown,
    texts_of,
)
from inflationary_flows.data.dialects import wrong_width
from inflationary_flows.data.opening import explained, unreadable
from inflationary_flows.errors import DataError

_FIRST_ROWS = 100
# A full sheet takes about two gigabytes.
_LIMITS = Limits(member=1 << 32, total=1 << 33)


class Workbook:
    """A sheet of a workbook, known from its first rows. Formulas count as the values that Excel keeps of them.

    Attributes:
        path: The file.
        names: Names of all columns, as in the first row that is not empty.
        index: Positions of those that are an index.
        record: What was understood, by name.
    """

    def __init__(self, path: Path, sheet: str | None = None) -> None:
        """Reads the first rows.

        Arguments:
            path: The file.
            sheet: Name of the sheet, of several that are not empty.

        Raises:
            DataError: if the file is damaged or implausibly packed, or there is no such sheet.
        """
        self.path = path
        with explained(path, "xlsx"), open(path, "rb") as file:
            if file.read(2) != b"PK":
                raise unreadable(path, "xlsx", "it is no workbook")
        ZipFiles(path, _LIMITS).close()
        with self._opened() as book:
            filled = [one.title for one in book.worksheets if any(_rows(one))]
            self._sheet = _chosen_sheet(path, filled, [one.title for one in book.worksheets], sheet)
            first = list(itertools.islice(_rows(book[self._sheet]), _FIRST_ROWS + 1))
        names, *rows = [list(row) for row in first]
        while names and names[-1] is None:
            names.pop()
        self.names = ["" if name is None else str(name) for name in names]

        def entries(position: int) -> list[str]:
            return texts_of(row[position] for row in rows if len(row) > position)

        texts = all(isinstance(name, str) for name in names)
        marked = texts and not any(isinstance(cell, str) for row in rows for cell in row)
        header = f"the first row{require_header(path, self.names, entries, marked)}"
        self.index = leading_index(self.names, entries)
        self.record: dict[str, Any] = {"sheet": self._sheet, "header": header}

    def read(self, columns: Columns) -> tuple[np.ndarray, dict[int, list[Any]]]:
        """As of `tables.TableFile`; DataError for the first cell that holds no number, or lies beside the columns."""
        points: list[list[float]] = []
        named: dict[int, list[Any]] = {position: [] for position in columns.named}
        width = len(self.names)
        with self._opened() as book:
            for number, row in enumerate(itertools.islice(_rows(book[self._sheet]), 1, None), 1):
                if any(cell is not None for cell in row[width:]):
                    raise wrong_width(self.path, number, width, [str(cell) for cell in row], None)
                cells = [*row, *[None] * (width - len(row))]
                points.append([self._number(number, position, cells[position]) for position in columns.chosen])
                for position, entries in named.items():
                    entries.append(cells[position])
        for position in columns.index:
            require_index(self.path, texts_of(named[position]))
        return np.array(points, dtype=np.float64).reshape(len(points), len(columns.chosen)), named

    def _number(self, row: int, position: int, cell: Any) -> float:
        if cell is None:
            return np.nan
        if isinstance(cell, int | float) and not isinstance(cell, bool):
            return float(cell)
        raise not_a_number(self.path, row, self.names[position], str(cell))

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        import openpyxl

        with explained(self.path, "xlsx"), open(self.path, "rb") as file:
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
            for sheet in book.worksheets:
                # What a file says of its size may be wrong.
                sheet.reset_dimensions()
            yield book


def _rows(sheet: Any) -> Iterator[Sequence[Any]]:
    """Rows with a cell that is not empty."""
    return (row for row in sheet.iter_rows(values_only=True) if any(cell is not None for cell in row))


def _chosen_sheet(path: Path, filled: Sequence[str], names: Sequence[str], sheet: str | None) -> str:
    if sheet is not None and sheet not in names:
        some = ", ".join(shown(name)[1:-1] for name in names[:20])
        raise DataError(str(path), f"a sheet called {shown(sheet)}", f"the sheets {some}", "correct `sheet`.")
    if sheet in filled:
        return str(sheet)
    if sheet is not None or not filled:
        raise DataError(str(path), "a table", "an empty sheet", "name the sheet of the table by `sheet`.")
    if len(filled) > 1:
        some = ", ".join(shown(name)[1:-1] for name in filled[:20])
        hint = f"name the one to take, such as `sheet: {filled[0]}`."
        raise DataError(
            str(path), "one sheet, or `sheet` in the data set's settings", f"{len(filled)} sheets: {some}", hint
        )
    return filled[0]
