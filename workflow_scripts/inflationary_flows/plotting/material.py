"""What a figure is drawn from: tables, arrays, labels, and params of its rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from inflationary_flows.plotting.labels import Labels

Arrays = dict[str, np.ndarray]
# A trained flow: data set, schedule, and training seed.
FlowName = tuple[str, str, str]


def _read_table(path: str) -> pd.DataFrame:
    """A table; one that was written without rows knows no columns, and is empty."""
    try:
        return pd.read_csv(path)
    except pd.errors.EmptyDataError:
        return pd.DataFrame()


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

    labels: Labels = field(default_factory=Labels)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    arrays: Mapping[str, Sequence[Arrays]] = field(default_factory=dict)
    files: Mapping[str, Sequence[str]] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    wildcards: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        labels: Labels,
        *,
        tables: Mapping[str, str],
        files: Mapping[str, Sequence[str]],
        params: Mapping[str, Any],
        wildcards: Mapping[str, str],
    ) -> Material:
        """Reads tables and arrays.

        Arguments:
            labels, files, params, wildcards: As of the class. Several tables of one name become one, row after row.
            tables: Paths of the experiment's own tables by name.
        """
        paths = {
            name: [*files.get(name, ()), *([tables[name]] if name in tables else [])] for name in {**tables, **files}
        }
        csv = {name: [path for path in found if path.endswith(".csv")] for name, found in paths.items()}
        npz = {name: [path for path in found if path.endswith(".npz")] for name, found in paths.items()}
        return cls(
            labels,
            {name: pd.concat(map(_read_table, found), ignore_index=True) for name, found in csv.items() if found},
            {name: [dict(np.load(path)) for path in found] for name, found in npz.items() if found},
            files,
            params,
            wildcards,
        )

    def labelled(self, table: str) -> pd.DataFrame:
        """A table with labels in place of names in its columns `dataset` and `schedule`."""
        return self.labels.applied(self.tables[table])

    def flows(self, name: str = "flows") -> list[FlowName]:
        """Flows that a param lists."""
        return [(dataset, schedule, str(seed)) for dataset, schedule, seed in self.params[name]]

    def flow_arrays(self, name: str) -> dict[FlowName, Arrays]:
        """Arrays of each flow of the param `flows`.

        Arguments:
            name: Input of a file for each data set, in the order in which data sets first stand in `flows`. Arrays of
                the files are named {schedule}/seed{seed}/{name of the array}.
        """
        flows = self.flows()
        of_dataset = dict(zip(dict.fromkeys(flow[0] for flow in flows), self.arrays[name], strict=True))
        found: dict[FlowName, Arrays] = {}
        for flow in flows:
            prefix = f"{flow[1]}/seed{flow[2]}/"
            own = {key: array for key, array in of_dataset[flow[0]].items() if key.startswith(prefix)}
            found[flow] = {key.removeprefix(prefix): array for key, array in own.items()}
        return found

    def rows(self, name: str, flows: Sequence[FlowName]) -> dict[str, Arrays]:
        """Arrays of flows as of `flow_arrays`, by the titles of their rows."""
        arrays = self.flow_arrays(name)
        return dict(zip(self.labels.rows(flows), (arrays[flow] for flow in flows), strict=True))

    def preserving_first(self, schedules: Iterable[str]) -> list[str]:
        """Schedules, those that preserve all dimensions (PRP) before those that reduce them (PRR)."""
        known = self.labels.resolved.get("schedules", {})
        return sorted(dict.fromkeys(schedules), key=lambda name: known.get(name, {}).get("kept_dims") is not None)
