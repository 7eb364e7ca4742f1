"""What a measurement gives: rows of tables, and arrays that figures show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Rows = Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class Measured:
    """The result of one call of `measure`.

    Attributes:
        tables: Rows by the key of their table.
        arrays: Arrays by the name of their file, then by their own.
    """

    tables: Mapping[str, Rows] = field(default_factory=dict)
    arrays: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
