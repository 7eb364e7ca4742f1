"""Tables of results: rows of an experiment, preceded by what they belong to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from inflationary_flows.artifacts.files import write_csv


def write_rows(path: str | os.PathLike[str], rows: Iterable[Mapping[str, Any]], **keys: str | int) -> None:
    """Writes rows as CSV, each preceded by the same keys.

    Arguments:
        path: The file, replaced atomically.
        rows: Values by column name, in the order of columns.
        keys: Columns before those, such as data set, schedule and seed.
    """
    write_csv(path, pd.DataFrame([{**keys, **row} for row in rows]))
