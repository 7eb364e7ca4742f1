"""Tables of results: rows of an experiment, preceded by what they belong to."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any

import numpy as np

from inflationary_flows.errors import ArtifactError
from inflationary_flows.files.files import atomic_write

if TYPE_CHECKING:
    import pandas as pd


def write_rows(path: str | os.PathLike[str], rows: Iterable[Mapping[str, Any]], **keys: str | int) -> None:
    """Writes rows as CSV, each preceded by the same keys.

    Arguments:
        path: The file, replaced atomically.
        rows: Values by column name, in the order of columns.
        keys: Columns before those, such as data set, schedule and seed.
    """
    whole = [{**keys, **row} for row in rows]
    # A row may lack a column.
    columns = dict.fromkeys(name for row in whole for name in row)
    _write_columns(path, {name: _one_type([row.get(name) for row in whole]) for name in columns})


def write_csv(path: str | os.PathLike[str], frame: pd.DataFrame) -> None:
    """Writes a table without its index so that equal tables are equal to the byte.

    Floats are written with the fewest digits that give back the same float64 (up to 17); a missing
    value is an empty cell; lines end in a line feed.
    """
    _write_columns(path, {name: frame[name] for name in frame.columns})


def _one_type(values: list[Any]) -> list[Any]:
    """Values of a column as pandas would have them: integers become floats beside floats and where one is missing."""
    kinds = {type(value) for value in values}
    floating = any(issubclass(kind, float | np.floating | NoneType) for kind in kinds)
    numeric = all(issubclass(kind, int | float | np.number | NoneType) and kind is not bool for kind in kinds)
    return [value if value is None else float(value) for value in values] if floating and numeric else values


def _write_columns(path: str | os.PathLike[str], columns: Mapping[str, Iterable[Any]]) -> None:
    with atomic_write(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*(map(_cell, values) for values in columns.values()), strict=True))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating):
        number = float(value)
        return "" if math.isnan(number) else repr(number)
    return str(value)


def merge_tables(paths: Iterable[str | os.PathLike[str]], merged: str | os.PathLike[str]) -> None:
    """Puts tables of the same columns below each other, as text, so that no number changes; some may have no rows.

    Raises:
        ArtifactError: if their columns differ.
    """
    texts = {path: Path(path).read_text(encoding="utf-8") for path in paths}
    # A table that was written without rows knows no columns.
    texts = {path: text for path, text in texts.items() if text.strip()} or texts
    header = next(iter(texts.values())).partition("\n")[0]
    for path, text in texts.items():
        found = text.partition("\n")[0]
        if found != header:
            raise ArtifactError(str(path), f"the columns {header}", found, "delete it and run the workflow again.")
    with atomic_write(merged) as temporary:
        rows = (text.partition("\n")[2] for text in texts.values())
        temporary.write_text("".join([header, "\n", *rows]), encoding="utf-8")
