"""What a measurement gives: rows of tables, arrays that figures show, and draws of posteriors."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

Rows = Iterable[Mapping[Any, Any]]


@dataclass(frozen=True)
class Measured:
    """The result of one call of `measure`.

    Attributes:
        tables: Rows by the key of their table.
        arrays: Arrays by the name of their file, then by their own.
        posteriors: Draws by the name of their file.
        rows: Rows with the columns of a data set by the name of their file, which has the data set's name too.
        columns: Columns of tables that are too long for text, by the name of their file likewise, then by their own.
    """

    tables: Mapping[str, Rows] = field(default_factory=dict)
    arrays: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    posteriors: Mapping[str, xr.Dataset] = field(default_factory=dict)
    rows: Mapping[str, Rows] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)


def plain_rows(rows: np.ndarray, columns: Sequence[str], integers: Collection[int]) -> list[dict[str, float]]:
    """Rows, shape (n, D), as plain numbers by column, integers at the positions of columns of whole numbers."""
    return [
        {
            name: int(value) if place in integers else value
            for place, (name, value) in enumerate(zip(columns, row, strict=True))
        }
        for row in rows.tolist()
    ]
