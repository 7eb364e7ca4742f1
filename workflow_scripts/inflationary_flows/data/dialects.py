"""What a text of numbers means: its separator, its decimal sign, its header, and an index that the header leaves out.

Every separator is tried on the first lines. A reading is right if all rows have as many entries as the header; of
several such readings, one in which all columns are numbers. What can be read in two ways is refused.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from inflationary_flows.data.columns import (
    is_index,
    is_number,
    leading_index,
    may_be_row,
    require_header,
)
from inflationary_flows.data.decimal_signs import decimal_sign, fits, may_be_grouped
from inflationary_flows.errors import DataError, shorten

SEPARATORS = {",": ",", ";": ";", "tab": "\t", "|": "|", "blank": " "}
_WHOLE = re.compile(r"[+-]?[0-9]+")
_DIGITS = re.compile(r"[0-9]+([eE][+-]?[0-9]+)?")
# Excel's hint to itself.
_DECLARED = re.compile(r'\s*"?sep=([^\r\n])"?\s*', re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    """How to read a text of numbers.

    Attributes:
        separator: One of SEPARATORS; None for a text of one column.
        decimal: The decimal sign, a point or a comma.
        sure: Whether points cannot be separators of thousands.
        names: Names of all columns; empty for an index that the header leaves out.
        empty: How many of the last columns have neither a name nor entries.
        index: Positions of columns that are an index.
        quoted: Whether the index is marked as text.
        header: Where the names stand.
        body: Characters before the first row, where blanks are single if `single` says so.
        single: Whether several blanks separate as one does.
        comments: Lines of comments before it.
    """

    separator: str | None
    decimal: str
    sure: bool
    names: tuple[str, ...]
    empty: int
    index: tuple[int, ...]
    quoted: bool
    header: str
    body: int
    single: bool
    comments: int

    @property
    def delimiter(self) -> str:
        """The character between entries; for one column, one that stands nowhere."""
        return SEPARATORS[self.separator] if self.separator else "\x1f"


@dataclass(frozen=True, eq=False)
class _Reading:
    """A separator, and what it makes of the text."""

    separator: str
    names: list[str]
    rows: list[list[str]]
    header: str
    body: int
    text: str
    single: bool = False
    damage: str = ""
    marked: bool = False

    @cached_property
    def quoted(self) -> bool:
        """Whether the first entries of rows are in quotes and the second ones are not."""
        mark = re.compile(rf'"[^"]*"{re.escape(SEPARATORS[self.separator])}[^"]')
        nothing = f" \t\r\n{SEPARATORS[self.separator]}"
        lines = [line for line in io.StringIO(self.text[self.body :], newline="") if line.strip(nothing)]
        return bool(lines) and all(map(mark.match, lines))

    @cached_property
    def width(self) -> int:
        """The number of entries that most rows have."""
        counts = Counter(map(len, self.rows))
        return counts.most_common(1)[0][0] if counts else len(self.names)

    @property
    def even(self) -> bool:
        """Whether all rows have as many entries."""
        return not self.damage and all(len(row) == self.width for row in self.rows)

    def column(self, position: int) -> list[str]:
        """The entries of a column."""
        return [row[position] for row in self.rows]


def single_blanks(text: str) -> str:
    """A text with single blanks between entries and none around lines."""
    return re.sub(r" *(\r\n|\n|\r) *", r"\1", re.sub(r" {2,}", " ", text)).strip(" ")


def records(text: str, delimiter: str, blank_lines: bool) -> Iterator[list[str]]:
    """Rows of a text; `csv.Error` for quotes that do not fit.

    Arguments:
        text: The text.
        delimiter: The character between entries.
        blank_lines: Whether a blank line is a row with an entry that is missing.
    """
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
        if row or blank_lines:
            yield row or [""]


def is_comment(row: Sequence[str], width: int) -> bool:
    """Whether a row is a line of comment: it begins with # and does not look like a row."""
    return row[0].startswith("#") and len(row) != width


def is_blank(row: Sequence[str], width: int) -> bool:
    """Whether a row is a line of blanks in a table of several columns."""
    return width > 1 and len(row) == 1 and not row[0].strip()


def understand(path: Path, text: str, whole: bool, separator: str | None, decimal: str | None) -> Dialect:
    """Finds out how to read a text of numbers.

    Arguments:
        path: The file, for messages.
        text: Its beginning.
        whole: Whether that is everything.
        separator: One of SEPARATORS if the user says so.
        decimal: The decimal sign if the user says so.

    Raises:
        DataError: if there is no header, rows have more or fewer entries, or there are two readings.
    """
    start, comments, said = _preamble(text)
    comment = comments[-1] if comments else None
    separator = separator or said
    asked = [separator] if separator else list(SEPARATORS)
    if not whole:
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1]
    readings = [_read(text, start, comment, name, whole) for name in asked]
    if not any(reading.names for reading in readings):
        raise DataError(str(path), "a header line", "an empty line", "name the columns in the first line.")
    reading, short = _best(path, readings, separator, decimal)
    commas = next((one for one in readings if one.separator == ","), None)
    if decimal == "," and not separator and commas and len(commas.names) > len(reading.names) == 1:
        got = f"{len(commas.names)}: {shorten(reading.names[0], 40)}"
        hint = 'drop `decimal: ","` if commas separate; a name with a comma stands in quotes.'
        raise DataError(str(path), "one name for one column of decimal commas", got, hint)
    if short:
        reading = replace(reading, names=["", *reading.names])
    width = len(reading.names)
    empty = 0
    while empty < width - 1 and not any(map(str.strip, [reading.names[-1 - empty], *reading.column(-1 - empty)])):
        empty += 1
    names = reading.names[: width - empty]
    header = reading.header + require_header(
        path, names, reading.column, reading.marked, may_count=reading.separator != "blank"
    )
    index = [0] if short else leading_index(names, reading.column, reading.quoted)
    sign, sure = decimal_sign(path, reading.separator, [*map(reading.column, range(width))], decimal)
    return Dialect(
        reading.separator if width > 1 or separator else None,
        sign,
        sure,
        tuple(reading.names),
        empty,
        tuple(index),
        reading.quoted,
        f"{header}, one name short" if short else header,
        reading.body,
        reading.single,
        len(comments),
    )


def _preamble(text: str) -> tuple[int, list[str], str | None]:
    """Where the first line begins that is no comment and not blank, the comments, and Excel's word on the separator."""
    start, comments, said = 0, [], None
    for line in io.StringIO(text, newline=""):
        plain = line.strip()
        declared = _DECLARED.fullmatch(line) if not start else None
        if declared:
            said = next((name for name, mark in SEPARATORS.items() if mark == declared[1]), None)
        elif plain.startswith("#"):
            comments.append(plain.lstrip("# \t"))
        elif plain:
            break
        start += len(line)
    return start, comments, said


def _read(text: str, start: int, comment: str | None, separator: str, whole: bool) -> _Reading:
    """What a separator makes of a text whose header begins at `start`, or is the last comment above it."""
    delimiter = SEPARATORS[separator]
    # Quotes may hold blanks that count.
    single = separator == "blank" and '"' not in text
    if single:
        text = single_blanks(text)
        start = _preamble(text)[0]
    lines = io.StringIO(text[start:], newline="")
    used = 0

    def counted() -> Iterator[str]:
        nonlocal used
        for line in lines:
            used += len(line)
            yield line

    reader = csv.reader(counted(), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    damage, body = "", start
    try:
        for row in reader:
            if not rows:
                body = start + used
            if row:
                rows.append(row)
    except csv.Error as problem:
        # A text that is cut may end within quotes.
        if whole or used < len(text) - start:
            damage = str(problem)
    if not rows:
        return _Reading(separator, [], [], "", start, text, single, damage)
    names, *others = rows
    width = Counter(map(len, others)).most_common(1)[0][0] if others else len(names)
    others = [row for row in others if not is_comment(row, width) and not is_blank(row, width)]
    while others and len(others[-1]) > 1 and not any(map(str.strip, others[-1])):
        others.pop()
    line = text[:start].count("\n") + 1
    if comment is not None and may_be_row(names):
        above = comment.split() if separator == "blank" else [name.strip() for name in comment.split(delimiter)]
        if len(above) == len(names) and not all(map(is_number, above)):
            header = "the comment above the numbers"
            return _Reading(separator, above, [names, *others], header, start, text, single, damage)
    marked = text[start:body].count('"') == 2 * len(names) and '"' not in text[body:]
    return _Reading(separator, names, others, f"line {line}", body, text, single, damage, marked)


def _best(path: Path, readings: list[_Reading], separator: str | None, decimal: str | None) -> tuple[_Reading, bool]:
    """The one right reading, and whether its header is one name short."""
    if decimal == "," and not separator:
        # One that separates is a decimal sign only within quotes.
        readings = [
            one for one in readings if one.separator != "," or any("," in entry for row in one.rows for entry in row)
        ]
    even = [reading for reading in readings if reading.even]
    exact = [reading for reading in even if reading.width == len(reading.names) > 1]
    if any(len(reading.names) > 1 for reading in readings if reading.separator != "blank"):
        exact = [reading for reading in exact if reading.separator != "blank" or separator]
    if exact:
        return _only(path, _most_numeric(exact, decimal), decimal), False
    single = [reading for reading in even if reading.width == len(reading.names) == 1]
    one_name = all(len(reading.names) == 1 for reading in readings if reading.separator != "blank")
    numbers = next((reading for reading in single if fits(reading.column(0), decimal)), None) if one_name else None
    comma = numbers is not None and not decimal and not separator and not fits(numbers.column(0), ".")
    short = [reading for reading in even if _is_short(reading)]
    if not separator:
        split = [reading for reading in short if reading.separator == "," and _may_be_decimals(reading)]
        if split and decimal != ".":
            if not decimal:
                got = "an index that the header does not name, or decimal commas"
                raise _undecided(path, split[0], got, 'write `separator: ","` or `decimal: ","`, whichever is right.')
            short.remove(split[0])
        thousands = next((reading for reading in short if _may_be_thousands(reading)), None)
        if thousands:
            got = "an index that the header does not name, or blanks that separate thousands"
            hint = 'write `separator: "blank"` if blanks separate entries; else write numbers without blanks.'
            raise _undecided(path, thousands, got, hint)
    if comma:
        assert numbers is not None
        entry = next(entry for entry in numbers.column(0) if "," in entry)
        got = f"{entry.replace(',', '.')}, or {entry.replace(',', ' and ')} of which the header names one"
        raise _undecided(path, numbers, got, 'write `decimal: ","` if the comma is the decimal sign.')
    if short:
        best = _most_numeric(short, decimal)
        if numbers is not None:
            best = [*best, numbers]
        chosen = _only(path, best, decimal)
        return chosen, chosen is not numbers
    if numbers is not None:
        return numbers, False
    uneven = [reading for reading in readings if max(len(reading.names), reading.width) > 1 or reading.damage]
    worst = max(uneven, key=_agreement, default=None)
    # Blanks may stand within names and texts.
    if worst and not (single and worst.separator == "blank" and not _numeric_row(worst)):
        raise _ragged(path, worst)
    return single[0], False


def _numeric_row(reading: _Reading) -> bool:
    """Whether a row has several numbers and nothing else."""
    return any(len(row) > 1 and fits(row, None) for row in reading.rows)


def _agreement(reading: _Reading) -> tuple[bool, bool, float]:
    """How well the rows of a reading agree with its header."""
    alike = sum(len(row) == len(reading.names) for row in reading.rows)
    likely = reading.separator != "blank" and len(reading.names) > 1
    return not reading.damage, likely, alike / max(len(reading.rows), 1)


def _only(path: Path, readings: list[_Reading], decimal: str | None) -> _Reading:
    if len(readings) > 1:
        ways = [f'{len(reading.names)} columns by "{reading.separator}"' for reading in readings[:2]]
        hint = f'write `separator: "{readings[0].separator}"` or `separator: "{readings[1].separator}"`.'
        raise _undecided(path, readings[0], " or ".join(ways), hint)
    return readings[0]


def _undecided(path: Path, reading: _Reading, ways: str, hint: str) -> DataError:
    row = SEPARATORS[reading.separator].join(reading.rows[0]) if reading.rows else ""
    return DataError(str(path), "a table that can be read in one way", f"{ways}: {shorten(row, 50)}", hint)


def _most_numeric(readings: list[_Reading], decimal: str | None) -> list[_Reading]:
    """Of several readings those with numbers alone; if there are none, those with any."""
    if len(readings) == 1:
        return readings
    numeric = {
        reading.separator: [fits(reading.column(column), decimal) for column in range(reading.width)]
        for reading in readings
    }
    for enough in (all, any):
        good = [reading for reading in readings if enough(numeric[reading.separator])]
        if good:
            return good
    return readings


def _is_short(reading: _Reading) -> bool:
    """Whether the header lacks the name of a first column that is an index."""
    if not reading.rows or reading.width != len(reading.names) + 1 or reading.width < 2:
        return False
    # Separators at the ends of lines make a column without entries.
    return all(row[-1] for row in reading.rows) and is_index(reading.column(0), reading.quoted)


def _may_be_decimals(reading: _Reading) -> bool:
    """Whether a comma that separates two columns may be the decimal sign of one."""
    return not reading.quoted and any(
        all(_WHOLE.fullmatch(row[left]) and _DIGITS.fullmatch(row[left + 1]) for row in reading.rows)
        for left in range(reading.width - 1)
    )


def _may_be_thousands(reading: _Reading) -> bool:
    """Whether a blank that separates two columns may separate the thousands of one."""
    return (
        reading.separator == "blank"
        and not reading.quoted
        and any(
            all(may_be_grouped(f"{row[left]}.{row[left + 1]}", ".") for row in reading.rows)
            for left in range(reading.width - 1)
        )
    )


def _ragged(path: Path, reading: _Reading) -> DataError:
    """The error of the first row that has other entries than the header names."""
    if reading.damage:
        return damaged_quotes(path, reading.damage)
    expected = len(reading.names)
    number, row = next((n, row) for n, row in enumerate(reading.rows, 1) if len(row) != expected)
    return wrong_width(path, number, expected, row, reading.separator)


def wrong_width(path: Path, number: int, expected: int, row: Sequence[str], separator: str | None) -> DataError:
    """The error of a row with more or fewer entries than there are names."""
    where = f"{path}, row {number}"
    by = f' (separator "{separator}")' if separator else ""
    got = f"{len(row)}: {shorten(SEPARATORS[separator or ','].join(row), 50)}"
    hint = "give each row as many entries as the header; with decimal commas, `separator` must be another sign."
    return DataError(where, f"{expected} fields, as in the header{by}", got, hint)


def damaged_quotes(path: Path, reason: str) -> DataError:
    """The error of quotes that do not enclose an entry."""
    hint = "write a quote within quotes twice, or leave quotes out."
    return DataError(str(path), "entries in whole quotes", f"others ({shorten(reason, 60)})", hint)
