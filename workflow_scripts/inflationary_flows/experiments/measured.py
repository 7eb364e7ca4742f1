"""What a measurement gives: rows of tables, arrays that figures show, and draws of posteriors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    """

    tables: Mapping[str, Rows] = field(default_factory=dict)
    arrays: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    posteriors: Mapping[str, xr.Dataset] = field(default_factory=dict)
    rows: Mapping[str, Rows] = field(default_factory=dict)
