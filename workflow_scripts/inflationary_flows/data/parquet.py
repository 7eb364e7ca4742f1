"""Reads tables from parquet files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inflationary_flows.data.columns import (
    MISSING,
    NUMBER,
    Columns,
    leading_index,
    not_a_number,
    not_real,
    require_index,
    shown,
    texts_of,
)
from inflationary_flows.data.opening import explained, require_plausible
from inflationary_flows.errors import shorten

_FIRST_ROWS = 100
_EXTENSION = b"ARROW:extension:name"


class ParquetFile:
    """A parquet table, known from its schema.

    Attributes:
        path: The file.
        names: Names of all columns.
        index: Positions of those that are an index, by the word of pandas or as in text tables.
        record: What was understood, by name.
    """

    def __init__(self, path: Path) -> None:
        """Reads the schema; `DataError` if the file is damaged or declares more than it can hold."""
        import pyarrow.parquet

        self.path = path
        with explained(path, "parquet"), pyarrow.parquet.ParquetFile(path) as file:
            schema, size = file.schema_arrow, file.metadata
            self._schema, self.names = schema, list(schema.names)
            require_plausible(path, 8 * size.num_rows * size.num_columns, path.stat().st_size)
            described = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
            declared = {name for name in described.get("index_columns", []) if isinstance(name, str)}
            self.index = [position for position, name in enumerate(self.names) if name in declared]
            if not self.index:
                self.index = leading_index(self.names, lambda position: self._entries([position], _FIRST_ROWS)[0])
        self._declared = bool(declared)
        codec = size.row_group(0).column(0).compression if size.num_row_groups and size.num_columns else "none"
        self.record: dict[str, Any] = {"compression": codec.lower()}

    def read(self, columns: Columns) -> tuple[np.ndarray, dict[int, list[Any]]]:
        """As of `tables.TableFile`; DataError if the file is damaged, or a column holds no real numbers."""
        with explained(self.path, "parquet"):
            found = self._columns([*columns.chosen, *columns.named], None)
            points = np.column_stack([self._numbers(found[position], position) for position in columns.chosen])
            named = {position: found[position].to_pylist() for position in columns.named}
            for position in () if self._declared else columns.index:
                require_index(self.path, texts_of(named[position]))
        return points, named

    def _columns(self, positions: Sequence[int], rows: int | None) -> dict[int, Any]:
        """Columns by position, all rows or the first."""
        import pyarrow
        import pyarrow.parquet

        names = [self.names[position] for position in positions]
        with pyarrow.parquet.ParquetFile(self.path) as file:
            if rows is None:
                table = file.read(columns=names)
            else:
                batches = [batch for batch, _ in zip(file.iter_batches(rows, columns=names), range(1), strict=False)]
                table = pyarrow.Table.from_batches(batches, file.schema_arrow.empty_table().select(names).schema)
        return {position: table.column(self.names[position]) for position in positions}

    def _entries(self, positions: Sequence[int], rows: int | None) -> list[list[str]]:
        """Entries of columns as texts."""
        found = self._columns(positions, rows)
        return [texts_of(found[position].to_pylist()) for position in positions]

    def _numbers(self, column: Any, position: int) -> np.ndarray:
        import pyarrow
        from pyarrow import types

        if types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        kind = column.type
        if types.is_string(kind) or types.is_large_string(kind):
            return self._from_texts(column.to_pylist(), self.names[position])
        real = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_null(kind)
        # Periods and the like are kept as integers, of which a note in the schema says what they mean.
        foreign = _EXTENSION in (self._schema.field(position).metadata or {})
        if foreign or not real:
            meaning = " with a meaning of their own" if foreign else ""
            where = f"{self.path}, column {shown(self.names[position])}"
            raise not_real(where, f"values of type {shorten(str(kind))[1:-1]}{meaning}")
        if types.is_decimal(kind):
            # By way of text, the nearest number is found.
            column = column.cast(pyarrow.string()).cast(pyarrow.float64())
        return column.to_numpy().astype(np.float64)

    def _from_texts(self, entries: Sequence[str | None], name: str) -> np.ndarray:
        numbers = np.full(len(entries), np.nan)
        for row, entry in enumerate(entries):
            if entry is not None and entry not in MISSING:
                if not NUMBER["."].fullmatch(entry):
                    raise not_a_number(self.path, row + 1, name, entry)
                numbers[row] = float(entry)
        return numbers
