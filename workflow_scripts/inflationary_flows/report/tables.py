"""Tables as a page shows them: the text of the cells, the kinds of columns, and as many rows as can be read."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from inflationary_flows.files.files import sha256_of

# A table with more rows than MANY is shown by its first FIRST.
MANY, FIRST = 2000, 500
_DIGITS = 4
SIZE_COLUMNS = ("table", "rows", "columns", "sha256")


@dataclass(frozen=True)
class Table:
    """A CSV file.

    Attributes:
        path: Below the results.
        columns: Names.
        rows: Text of every cell, row by row.
        sha256: Of the file.
    """

    path: str
    columns: list[str]
    rows: list[list[str]]
    sha256: str

    @classmethod
    def read(cls, results: Path, path: str) -> Table:
        """Reads a table below a folder of results."""
        with open(results / path, encoding="utf-8", newline="") as file:
            lines = [line for line in csv.reader(file) if line]
        return cls(path, lines[0] if lines else [], lines[1:], sha256_of(results / path))

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.path.rpartition("/")[2]

    @property
    def anchor(self) -> str:
        """Where the page has it."""
        return anchor_of(self.path)

    @property
    def shown(self) -> list[list[str]]:
        """The rows that a page has room for."""
        return self.rows if len(self.rows) <= MANY else self.rows[:FIRST]

    @cached_property
    def numeric(self) -> list[bool]:
        """Which columns hold numbers, by most of their cells."""
        filled = [[row[k] for row in self.rows if row[k]] for k in range(len(self.columns))]
        return [2 * sum(map(is_number, cells)) > len(cells) for cells in filled]

    def where(self, column: str, value: str) -> int:
        """Number of the first row, counted from 1 below the names of columns, that has a value in a column."""
        place = self.columns.index(column)
        return next(number for number, row in enumerate(self.rows, start=1) if row[place] == value)

    def cell(self, row: int, column: str) -> str:
        """Text of a cell; rows are counted from 1."""
        return self.rows[row - 1][self.columns.index(column)]


def anchor_of(path: str) -> str:
    """The place of an artifact in the page, from its path below the results."""
    return re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-")


def is_number(text: str) -> bool:
    """Whether a cell holds a number."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def shortened(text: str) -> str:
    """A cell as it is shown: numbers of many digits with four of them, whole numbers and words as they are."""
    if not is_number(text) or re.fullmatch(r"[+-]?\d+", text):
        return text
    mantissa, _, exponent = f"{float(text):.{_DIGITS}g}".partition("e")
    short = f"{mantissa}e{int(exponent)}" if exponent else mantissa
    return short if len(short) < len(text) else text


def size_rows(tables: Iterable[Table]) -> list[dict[str, str | int]]:
    """Rows of a table of tables: `table`, `rows`, `columns`, `sha256`."""
    sizes = ((table.path, len(table.rows), len(table.columns), table.sha256) for table in tables)
    return [dict(zip(SIZE_COLUMNS, size, strict=True)) for size in sizes]
