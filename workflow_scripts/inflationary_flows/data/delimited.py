"""Reads text tables: csv and its relatives, of every separator and decimal sign, compressed or not."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inflationary_flows.data.columns import (
    INFINITE,
    MISSING,
    NUMBER,
    Columns,
    not_a_number,
    require_empty,
    require_index,
)
from inflationary_flows.data.decimal_signs import require_decimals
from inflationary_flows.data.dialects import (
    damaged_quotes,
    is_blank,
    is_comment,
    records,
    single_blanks,
    understand,
    wrong_width,
)
from inflationary_flows.data.opening import explained, read_head, read_unpacked, unreadable
from inflationary_flows.errors import DataError

_HEAD = 1 << 18
_LINES = 3
_CHUNK = 1 << 24
_TAIL = 1 << 16
# Longer headers are no headers: 10^5 columns take a hundredth.
_LONGEST_HEAD = 1 << 27
_MARKS = {codecs.BOM_UTF8: "UTF-8 with BOM", codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}
_CODECS = {"UTF-8": "utf-8", "UTF-8 with BOM": "utf-8-sig", "UTF-16": "utf-16", "Windows-1252": "cp1252"}


class DelimitedFile:
    """A text table, understood from its first lines.

    Attributes:
        path: The file.
        names: Names of all columns.
        index: Positions of those that are an index.
        record: What was understood, by name.
    """

    def __init__(self, path: Path, separator: str | None = None, decimal: str | None = None) -> None:
        """Reads the first lines.

        Arguments:
            path: The file.
            separator, decimal: What separates entries (see `dialects.SEPARATORS`), and the decimal sign, if given.

        Raises:
            DataError: if the file is no text, or can be read in no way or in two.
        """
        self.path = path
        with explained(path, "csv"):
            content, whole, packing = read_head(path, _HEAD, _LINES, _LONGEST_HEAD)
        self._encoding, self._head = _decode_head(path, content, whole)
        self._dialect = understand(path, self._head, whole, separator, decimal)
        self._width = len(self._dialect.names)
        self.names, self.index = (
            list(self._dialect.names[: self._width - self._dialect.empty]),
            list(self._dialect.index),
        )
        self.record: dict[str, Any] = {
            "separator": self._dialect.separator or "none",
            "decimal": self._dialect.decimal,
            "encoding": self._encoding,
            "compression": packing or "none",
            "header": self._dialect.header,
            "comments": self._dialect.comments,
            "empty_rows": 0,
            "empty_columns": self._dialect.empty,
        }

    def read(self, columns: Columns) -> tuple[np.ndarray, dict[int, list[Any]]]:
        """As of `tables.TableFile`; DataError for the first row or entry that does not fit what the first lines say."""
        with explained(self.path, "csv"):
            body, quotes = self._body(read_unpacked(self.path))
            empty = range(len(self.names), self._width)
            wanted = [*columns.chosen, *columns.named, *empty]
            texts = set(wanted) - set(columns.chosen)
            try:
                read = self._read_fast(body, quotes, wanted, texts)
            # Another parser, slow and strict, finds the row, or reads what this one does not know, such as +1, and all
            # that there is where pyarrow is not installed.
            except (ValueError, ImportError):
                read = self._read_slowly(bytes(body).decode(), wanted, texts)
            if not self._dialect.sure and b"." in bytes(body):
                rows = records(bytes(body).decode(), self._dialect.delimiter, blank_lines=False)
                require_decimals(self.path, rows, columns.chosen)
        for position in empty:
            require_empty(self.path, position, read[position])
        for position in columns.index:
            require_index(self.path, read[position], self._dialect.quoted)
        named = {
            position: self._labels(read[position]) if position == columns.label else read[position]
            for position in columns.named
        }
        return np.column_stack([read[position] for position in columns.chosen]), named

    def _body(self, content: bytes) -> tuple[memoryview, bool]:
        """The rows as UTF-8, without header and comments, and whether there are quotes among them."""
        text, head, dialect = self._recode(content), self._head, self._dialect
        if dialect.single:
            text, head = single_blanks(text.decode()).encode(), single_blanks(head)
        if b"\0" in text:
            raise _no_text(self.path)
        # Tables are large: they are copied only where they have to be.
        start = len(head[: dialect.body].encode())
        quotes = b'"' in text
        # What stands between other signs than separators, line ends and quotes begins or ends nothing.
        others = rb'[^"\r\n' + re.escape(dialect.delimiter.encode()) + rb"]"
        if quotes and (found := re.compile(others + b'"' + others).search(text, start)):
            raise damaged_quotes(self.path, found[0].decode(errors="replace"))
        body = memoryview(text)[start:]
        if b"#" in text:
            body = memoryview(self._without_comments(bytes(body)))
        # In one column, a line without an entry lacks one.
        return (memoryview(bytes(body).rstrip(b"\r\n")) if self._width == 1 else self._without_end(body)), quotes

    def _recode(self, content: bytes) -> bytes:
        """A whole content as UTF-8, without a byte order mark."""
        if self._encoding.startswith("UTF-8"):
            content = content.removeprefix(codecs.BOM_UTF8)
            if content.isascii() or _is_utf8(content):
                return content
            if not self._head.isascii() or self._encoding != "UTF-8":
                raise unreadable(self.path, "csv", "it is UTF-8 at its beginning only")
            self._encoding = self.record["encoding"] = "Windows-1252"
        return _decoded(self.path, content, self._encoding).encode()

    def _without_comments(self, body: bytes) -> bytes:
        # Quotes may hold ends of lines: the parser says which lines are a row.
        taken: list[str] = []

        def remembered() -> Iterator[str]:
            for line in io.StringIO(body.decode(), newline=""):
                taken.append(line)
                yield line

        kept, comments = [], 0
        try:
            for row in csv.reader(remembered(), delimiter=self._dialect.delimiter, strict=True):
                if row and is_comment(row, self._width):
                    comments += 1
                else:
                    kept += taken
                taken.clear()
        except csv.Error as problem:
            raise damaged_quotes(self.path, str(problem)) from problem
        self.record["comments"] = self._dialect.comments + comments
        return "".join(kept).encode()

    def _without_end(self, body: memoryview) -> memoryview:
        """The rows without those at the end that are separators only, as Excel writes them."""
        nothing = b" \t\r\n" + self._dialect.delimiter.encode()
        start = max(len(body) - _TAIL, 0)
        if not (last := bytes(body[start:]).rstrip(nothing)):
            start, last = 0, bytes(body).rstrip(nothing)
        end = start + len(last)
        # Entries that are missing in the last row stay.
        ends = re.compile(rb"[\r\n]+|$").search(body, end)
        assert ends
        self.record["empty_rows"] = sum(map(bool, bytes(body[ends.end() :]).splitlines()))
        return body[: ends.end()]

    def _read_fast(self, body: memoryview, quotes: bool, wanted: Sequence[int], texts: set[int]) -> dict[int, Any]:
        import pyarrow
        import pyarrow.csv

        dialect, width = self._dialect, self._width
        longest = max(map(len, io.StringIO(self._head, newline="")), default=0)
        found = pyarrow.csv.read_csv(
            pyarrow.BufferReader(pyarrow.py_buffer(body)),
            pyarrow.csv.ReadOptions(
                column_names=[str(position) for position in range(width)],
                use_threads=False,
                block_size=max(1 << 20, 4 * longest),
            ),
            pyarrow.csv.ParseOptions(
                delimiter=dialect.delimiter, newlines_in_values=quotes, ignore_empty_lines=width > 1
            ),
            pyarrow.csv.ConvertOptions(
                column_types={
                    str(position): pyarrow.string() if position in texts else pyarrow.float64() for position in wanted
                },
                include_columns=[str(position) for position in wanted],
                decimal_point=dialect.decimal,
                null_values=sorted(MISSING),
            ),
        )
        columns = {position: found.column(str(position)) for position in wanted}
        return {
            position: column.to_pylist() if position in texts else column.to_numpy()
            for position, column in columns.items()
        }

    def _read_slowly(self, body: str, wanted: Sequence[int], texts: set[int]) -> dict[int, Any]:
        found: dict[int, list[Any]] = {position: [] for position in wanted}
        numbers, decimal = NUMBER[self._dialect.decimal], self._dialect.decimal
        every = records(body, self._dialect.delimiter, blank_lines=self._width == 1)
        rows = (row for row in every if not is_blank(row, self._width))
        try:
            for number, row in enumerate(rows, 1):
                if len(row) != self._width:
                    raise wrong_width(self.path, number, self._width, row, self._dialect.separator)
                for position, column in found.items():
                    entry = row[position]
                    if position in texts:
                        column.append(entry)
                    elif numbers.fullmatch(entry) or INFINITE.fullmatch(entry):
                        column.append(float(entry.replace(decimal, ".")))
                    elif entry in MISSING:
                        column.append(np.nan)
                    else:
                        raise not_a_number(self.path, number, self.names[position], entry)
        except csv.Error as problem:
            raise damaged_quotes(self.path, str(problem)) from problem
        return {
            position: column if position in texts else np.array(column, dtype=np.float64)
            for position, column in found.items()
        }

    def _labels(self, entries: Sequence[str]) -> list[Any]:
        """Labels as numbers if all are, else as texts; None for those that are missing."""
        numbers, decimal = NUMBER[self._dialect.decimal], self._dialect.decimal
        present = [None if entry in MISSING else entry for entry in entries]
        if all(entry is None or numbers.fullmatch(entry) for entry in present):
            return [entry if entry is None else float(entry.replace(decimal, ".")) for entry in present]
        return present


def _decode_head(path: Path, content: bytes, whole: bool) -> tuple[str, str]:
    """The encoding of a text, by its first bytes, and these as text."""
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "UTF-8")
    try:
        # The last letter may be cut.
        text = codecs.getincrementaldecoder(_CODECS[encoding])().decode(content, final=whole)
    except UnicodeDecodeError:
        encoding = "Windows-1252"
        text = _decoded(path, content, encoding)
    if "\0" in text:
        raise _no_text(path)
    return encoding, text


def _decoded(path: Path, content: bytes, encoding: str) -> str:
    try:
        return content.decode(_CODECS[encoding])
    except UnicodeDecodeError as problem:
        raise _no_text(path) from problem


def _is_utf8(content: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(content), _CHUNK):
            decoder.decode(content[start : start + _CHUNK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _no_text(path: Path) -> DataError:
    return unreadable(path, "csv", "it is binary, or text in another encoding than UTF-8 or Windows-1252")
