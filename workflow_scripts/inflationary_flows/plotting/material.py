"""What a figure is drawn from: tables, arrays, labels, and params of its rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from inflationary_flows.plotting.labels import Labels

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Material:
    """What `figure.py` of an experiment draws from.

    Attributes:
        labels: How figures call data sets, schedules and methods.
        tables: Tables by name, as they stand in their files: the experiment's own, merged, and those that it `reads`.
        arrays: Arrays of the files that it `reads`, by name of the input, in the order of the files.
        files: Their paths, likewise; netCDF and JSON lines are read by the figure.
        params: Params of the rule.
        wildcards: Wildcards of the figure's key.
    """

    labels: Labels
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    arrays: Mapping[str, Sequence[Arrays]] = field(default_factory=dict)
    files: Mapping[str, Sequence[str]] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    wildcards: Mapping[str, str] = field(default_factory=dict)

    def labelled(self, table: str) -> pd.DataFrame:
        """A table with labels in place of names in its columns `dataset` and `schedule`."""
        return self.labels.applied(self.tables[table])
