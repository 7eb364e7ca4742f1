"""Tables of results that are too long for text."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from inflationary_flows.extras import needs
from inflationary_flows.files.files import atomic_write


def write_parquet(path: str | os.PathLike[str], columns: Mapping[str, np.ndarray]) -> None:
    """Writes columns by name as parquet, the file replaced atomically."""
    with needs("parquet files", "tables"):
        import pyarrow
        import pyarrow.parquet
    with atomic_write(path) as temporary:
        pyarrow.parquet.write_table(pyarrow.table(dict(columns)), temporary)
