"""Decimal signs: which one the entries of a table have, and whether it may separate thousands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from inflationary_flows.data.columns import INFINITE, MISSING, NUMBER
from inflationary_flows.errors import DataError

# Entries that are numbers with separators of thousands as well, or too short for any.
_GROUPED = {
    sign: re.compile(rf"[+-]?([0-9]{{1,3}}|[1-9][0-9]{{0,2}}({mark}[0-9]{{3}})+)")
    for sign, mark in ((".", r"\."), (",", ","))
}


def fits(entries: Sequence[str], decimal: str | None) -> bool:
    """Whether entries are numbers, or missing, with one decimal sign; None stands for either."""
    signs = (decimal,) if decimal else (".", ",")
    return any(
        all(NUMBER[sign].fullmatch(entry) or entry in MISSING or INFINITE.fullmatch(entry) for entry in entries)
        for sign in signs
    )


def decimal_sign(path: Path, separator: str, columns: Sequence[Sequence[str]], given: str | None) -> tuple[str, bool]:
    """The decimal sign: what the user says, a point where commas separate, else the one that the entries have.

    Arguments:
        path: The file, for messages.
        separator: What separates entries, one of `dialects.SEPARATORS`.
        columns: The first entries of each column.
        given: What the user says.

    Returns:
        The sign, and whether the first lines are enough to know it.

    Raises:
        DataError: if what may be a decimal sign may separate thousands as well.
    """
    if given or separator == ",":
        return given or ".", True
    having = {
        sign: [
            column
            for column in columns
            if any(sign in entry for entry in column) and fits(column, sign) and not fits(column, other)
        ]
        for sign, other in ((".", ","), (",", "."))
    }
    certain = {
        sign: sum(any(not may_be_grouped(entry.strip(), sign) for entry in column) for column in found)
        for sign, found in having.items()
    }
    if any(certain.values()):
        return max(certain, key=lambda sign: certain[sign]), True
    # Points that may be separators of thousands occur where neither commas nor blanks separate.
    if having[","] or (having["."] and separator != "blank"):
        sign = "," if having[","] else "."
        raise _thousands(path, next(entry for entry in having[sign][0] if sign in entry), sign)
    return ".", separator == "blank"


def require_decimals(path: Path, rows: Iterable[Sequence[str]], positions: Sequence[int]) -> None:
    """Raises `DataError` if all points in columns at these positions may be separators of thousands."""
    first = None
    for row in rows:
        for entry in (row[position].strip() for position in positions if position < len(row)):
            if "." in entry and NUMBER["."].fullmatch(entry):
                if not may_be_grouped(entry, "."):
                    return
                first = first or entry
    if first:
        raise _thousands(path, first, ".")


def _thousands(path: Path, entry: str, sign: str) -> DataError:
    readings = f"{entry.replace(sign, '.')} or {entry.replace(sign, '')}"
    hint = f'write `decimal: "{sign}"` if it is a decimal sign; else write numbers without separators of thousands.'
    return DataError(str(path), "numbers that can be read in one way", f"{entry!r}, which is {readings}", hint)


def may_be_grouped(entry: str, sign: str) -> bool:
    """Whether a sign in an entry may separate thousands."""
    return entry in MISSING or _GROUPED[sign].fullmatch(entry) is not None
