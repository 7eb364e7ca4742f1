"""Columns of tables: which one is an index, which ones are chosen, and how messages call them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inflationary_flows.errors import DataError, shorten

# How pandas reads, and then writes, a column without a name; twice, of several levels, or as parquet.
_UNNAMED = re.compile(r"\s*|Unnamed: \d+([._](level_)?\d+)*|__index_level_\d+__")
# How R writes large counts.
_COUNT = re.compile(r"[0-9]+|[1-9](\.[0-9]+)?e\+[0-9]{2}")
NUMBER = {
    sign: re.compile(rf"[ \t]*[+-]?([0-9]+({mark}[0-9]*)?|{mark}[0-9]+)([eE][+-]?[0-9]+)?[ \t]*")
    for sign, mark in ((".", r"\."), (",", ","))
}
# What pandas takes for a missing entry.
_NO_NUMBERS = ("-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "NaN", "nan")
MISSING = frozenset(_NO_NUMBERS) | {"", "#N/A", "#N/A N/A", "#NA", "<NA>", "N/A", "NA", "NULL", "None", "n/a", "null"}
INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
# What else stands for a number, whatever the letters' case: nothing, a limit, an error of a spreadsheet or of C.
_STANDS_FOR = {name.lower() for name in MISSING} | {"n.a.", "missing", "true", "false"}
_LIMIT = re.compile(r"[<>#].*|[+-]?1\.#.*")
_EXPONENT = re.compile(r"(?<=[0-9.])[eEdD](?=[+\-\u2212]?[0-9])")
_WITH_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}([., '\u2019\u00a0\u202f][0-9]{3})+([.,][0-9]*)?")
_WITH_DECIMALS = re.compile(r"[+-]?[0-9]*[.,][0-9]+([eE][+-]?[0-9]+)?")
_SUMMARIES = {"all", "average", "count", "grand total", "max", "mean", "median", "min", "std", "sum", "total", "totals"}
_FIRST_SUMMARIES = 20
_LONGEST_NAME = 40
# Instead of the names of columns: take all, and recognise what they hold.
AUTO = "auto"


@dataclass(frozen=True)
class Columns:
    """Positions of the columns of a table that matter.

    Attributes:
        chosen: Those of the coordinates, in their order.
        label: That of the labels, if there are any.
        index: Those that are left out because they only count or name the rows.
        named: Those of the label and of an index that are not among the chosen: what they call a row may be a sum.
    """

    chosen: tuple[int, ...]
    label: int | None
    index: tuple[int, ...]
    named: tuple[int, ...]


def shown(name: str) -> str:
    """A name for a message: printable, of one line, short."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in name)
    return f'"{plain}"' if len(plain) <= _LONGEST_NAME else f'"{plain[:_LONGEST_NAME]}..."'


def is_number(text: str) -> bool:
    """Whether a text is a number, with a decimal point or a decimal comma."""
    return any(pattern.fullmatch(text) for pattern in NUMBER.values())


def is_unnamed(name: str) -> bool:
    """Whether a column has no name of its own."""
    return _UNNAMED.fullmatch(name) is not None


def is_index(values: Sequence[str], quoted: bool = False) -> bool:
    """Whether entries count rows, from 0 or 1, or are names of rows, each once.

    Arguments:
        values: The entries as texts.
        quoted: Whether they are marked as texts, so that numbers among them are names as well.
    """
    if len(set(values)) < len(values):
        return False
    if quoted or not any(is_number(value) or not value.strip() for value in values):
        return True
    start = values[0]
    return start in ("0", "1") and all(
        value == str(number) or (_COUNT.fullmatch(value) and float(value) == number)
        for number, value in enumerate(values, int(start))
    )


def may_be_row(names: Sequence[str], entries: Callable[[int], Sequence[str]] | None = None) -> bool:
    """Whether names may be a row: numbers, what stands for one, and texts that stand in later rows as well.

    Arguments:
        names: Names of all columns.
        entries: Gives the entries of a column, or the first of them, by its position.
    """
    plain = [_EXPONENT.sub("e", name.replace("\u2212", "-")).strip() for name in names]
    if not any(is_number(name) or _WITH_THOUSANDS.fullmatch(name) for name in plain):
        return False
    return all(
        # An index has no name; later columns lack an entry.
        (position > 0 if not name else name.lower() in _STANDS_FOR)
        or (INFINITE.fullmatch(name) or _LIMIT.fullmatch(name)) is not None
        or (name != "" and not any(map(str.isalpha, _EXPONENT.sub("", name))))
        or (entries is not None and not is_unnamed(name) and names[position] in entries(position))
        for position, name in enumerate(plain)
    )


def require_header(
    path: Path,
    names: Sequence[str],
    entries: Callable[[int], Sequence[str]],
    marked: bool = False,
    may_count: bool = True,
) -> str:
    """Requires that names are no row of the table.

    Arguments:
        path: The file, for messages.
        names: Names of all columns.
        entries: Gives the entries of a column, or the first of them, by its position.
        marked: Whether all names are marked as texts, and no entry is.
        may_count: Whether names such as 0,1,2 above decimals are more likely to count the columns than to be a row.

    Returns:
        What to say of names that are numbers; empty for others.

    Raises:
        DataError: if the names may be a row.
    """
    if not may_be_row(names, entries):
        return ""
    if marked and all(name.isascii() and name.isdigit() for name in names):
        return ", numbers as names"
    # A row of two columns that starts at time 0, or of whole numbers among others, may be 0,1 as well.
    counts = any(list(names) == [str(number) for number in range(start, start + len(names))] for start in (0, 1))
    if may_count and counts and len(names) > 2 and all(map(_has_decimals, map(entries, range(len(names))))):
        return ", which counts the columns"
    raise DataError(
        str(path),
        "a header line that names the columns",
        f"numbers in the first line ({shorten(','.join(names), 40)})",
        "put a line such as x0,x1,x2 above the numbers.",
    )


def _has_decimals(entries: Sequence[str]) -> bool:
    """Whether every entry is written with decimals, as pandas writes real numbers."""
    return len(entries) > 0 and all(_WITH_DECIMALS.fullmatch(entry) for entry in entries)


def texts_of(entries: Iterable[Any]) -> list[str]:
    """Entries of any type as texts; those that are missing are empty."""
    return ["" if entry is None else str(entry) for entry in entries]


def summary_rows(columns: Iterable[Sequence[Any]]) -> list[int]:
    """The first rows, counted from 1, that are sums or the like by the word of an index or a label.

    Arguments:
        columns: The entries of each column that names or labels rows.
    """
    found = {
        row
        for column in columns
        for row, entry in enumerate(column, 1)
        if isinstance(entry, str) and entry.strip(" :").lower() in _SUMMARIES
    }
    return sorted(found)[:_FIRST_SUMMARIES]


def names_rows(values: Sequence[str], quoted: bool = False) -> bool:
    """Whether a column without a name is an index: one that `is_index` knows, or whole numbers, each once."""
    return is_index(values, quoted) or (len(set(values)) == len(values) and all(map(_COUNT.fullmatch, values)))


def leading_index(names: Sequence[str], entries: Callable[[int], Sequence[str]], quoted: bool = False) -> list[int]:
    """Positions of the leading columns without a name that are an index, and of those that pandas calls one.

    Arguments:
        names: Names of all columns.
        entries: Gives the entries of a column, or the first of them, by its position.
        quoted: As in `is_index`, of the first column.
    """
    found: list[int] = []
    for position, name in enumerate(names):
        # R's readr calls columns by their place.
        nameless = is_unnamed(name) or (name == "...1" and "...2" not in names)
        leading = len(found) == position or name.startswith("__index_level_")
        if nameless and leading and names_rows(entries(position), quoted and position == 0):
            found.append(position)
    return found


def require_index(path: Path, entries: Sequence[str], quoted: bool = False) -> None:
    """Raises `DataError` if a column that began as an index is none."""
    if not names_rows(entries, quoted):
        raise _no_index(path, "the first column", "a column without a name that is no index in all rows")


def require_empty(path: Path, position: int, entries: Sequence[str]) -> None:
    """Raises `DataError` if a last column without a name, which began without entries, has any."""
    if any(entry.strip() for entry in entries):
        raise _no_index(path, "a name for every column", f"none for column {position + 1}, which has entries")


def choose(path: Path, names: Sequence[str], index: Sequence[int], dataset: Mapping[str, Any]) -> Columns:
    """Finds the columns that a data set asks for: by default all but the labels and an index.

    Arguments:
        path: The file, for messages.
        names: Names of all columns.
        index: Positions of the columns that are an index.
        dataset: With `columns`, names or "auto" for all, and `label_column`, if given.

    Raises:
        DataError: if a name stands twice or is not there, if labels are among the columns, or nothing is left.
    """
    positions = {name: position for position, name in enumerate(names)}
    if len(positions) < len(names):
        counts = Counter(names)
        twice = next(name for name in names if counts[name] > 1)
        raise DataError(
            str(path), "every column name once", f"{shown(twice)} {counts[twice]} times", "give each a name of its own."
        )
    label, wanted = dataset.get("label_column"), dataset.get("columns")
    wanted = None if wanted == AUTO else wanted
    for key, asked in (("columns", wanted or []), ("label_column", [label] if label else [])):
        for name in asked:
            if name not in positions:
                some = ", ".join(shown(name)[1:-1] for name in names[:20])
                raise DataError(
                    str(path),
                    f"a column called {shown(name)} ({key})",
                    f"the columns {some}{', ...' if len(names) > 20 else ''}",
                    "correct the name; capitals and blanks count.",
                )
    labels = [positions[label]] if label else []
    apart = {*index, *labels}
    if wanted:
        chosen, index = [positions[name] for name in wanted], ()
    else:
        chosen = [position for position in range(len(names)) if position not in apart]
        nameless = next((position for position in chosen if is_unnamed(names[position])), None)
        if nameless is not None:
            what = f"none for column {nameless + 1}, which is no index either"
            raise _no_index(path, "a name for every column", what)
    if label and positions[label] in chosen:
        raise DataError(
            str(path),
            "a label column apart from the columns",
            f"{shown(label)} as both",
            "take it out of `columns`, or drop `label_column`.",
        )
    if not chosen:
        raise DataError(str(path), "at least one column of numbers", "none", "add columns to the table.")
    named = tuple(sorted(apart - {*chosen}))
    return Columns(tuple(chosen), positions[label] if label else None, tuple(index), named)


def _no_index(path: Path, expected: str, got: str) -> DataError:
    hint = "name the column in the header, or list the others in `columns`; an index names each row once."
    return DataError(str(path), expected, got, hint)


def not_real(where: str, got: str) -> DataError:
    """The error of a column, or an entry, of another type than numbers."""
    return DataError(where, "real numbers", got, "convert the column, or list the others in `columns`.")


def not_a_number(path: Path, row: int, name: str, entry: str) -> DataError:
    """The error of an entry that is no number; rows count from 1."""
    where = f"{path}, row {row}, column {shown(name)}"
    if entry.strip().lower() in ("true", "false"):
        return not_real(where, f"{entry!r}, a bool")
    text = entry if len(entry) <= _LONGEST_NAME else f"{entry[:_LONGEST_NAME]}..."
    hint = (
        "correct it, or list the other columns in `columns`. Categories can be a `label_column`; if they have an "
        "order, number them and name the column in `integer`, else fit a flow for each."
    )
    if _WITH_THOUSANDS.fullmatch(entry.strip()):
        hint = "write numbers without separators of thousands, or say by `decimal` what the decimal sign is."
    elif is_number(entry):
        hint = "write decimals alike in all rows, or say by `decimal` what the decimal sign is."
    return DataError(where, "a number", repr(text), hint)
