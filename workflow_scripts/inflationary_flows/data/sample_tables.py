"""Tables that come with scikit-learn, so that nothing need be downloaded."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from inflationary_flows.data.columns import Columns
from inflationary_flows.extras import needs

SampleName = Literal["wine", "breast_cancer", "diabetes", "iris"]
SAMPLE_TABLES: tuple[str, ...] = get_args(SampleName)
# What a row belongs to, or what is to be predicted of it.
TARGET = "target"
_FILES = {
    "wine": "wine_data.csv",
    "breast_cancer": "breast_cancer.csv",
    "diabetes": "diabetes_data_raw.csv.gz",
    "iris": "iris.csv",
}


class SampleTable:
    """A table of scikit-learn, in the units in which it was measured.

    Attributes:
        path: The file of scikit-learn that holds its numbers.
        names: Names of all columns, that of the target last.
        index: Positions of those that are an index: none.
        record: The version of scikit-learn.
    """

    def __init__(self, name: str) -> None:
        """Reads the table; `PackageError` if scikit-learn is not installed."""
        with needs(f"the table {name}", "images"):
            import sklearn.datasets as datasets

        raw: dict[str, Any] = {"scaled": False} if name == "diabetes" else {}
        found = getattr(datasets, f"load_{name}")(**raw)
        self.path = Path(datasets.__file__).parent / "data" / _FILES[name]
        self._values = np.column_stack([found.data, found.target]).astype(np.float64)
        self.names, self.index = [*map(str, found.feature_names), TARGET], list[int]()
        self.record: dict[str, Any] = {"scikit_learn": version("scikit-learn")}

    def read(self, columns: Columns) -> tuple[np.ndarray, dict[int, list[Any]]]:
        """As of `tables.TableFile`."""
        named = {position: self._values[:, position].tolist() for position in columns.named}
        return self._values[:, list(columns.chosen)], named
