"""How figures call data sets, schedules and methods: cosmetic, hence read beside the workflow's inputs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

# The kind of those compared methods that are our own.
OUR_KIND = "inflationary_flow"


@dataclass(frozen=True)
class Labels:
    """Labels of a resolved configuration; a name without a label stands for itself.

    Attributes:
        resolved: The resolved configuration.
    """

    resolved: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Labels:
        """Reads `results/config.resolved.yaml`; without the file every name stands for itself."""
        path = Path(path)
        return cls(yaml.safe_load(path.read_text(encoding="utf-8"))) if path.is_file() else cls()

    def dataset(self, name: str) -> str:
        """Label of a data set."""
        return self._find("datasets", name)

    def schedule(self, name: str) -> str:
        """Label of a schedule."""
        return self._find("schedules", name)

    def methods(self, found: Iterable[str] = ()) -> dict[str, str]:
        """Labels of all compared methods by name: our flows first, then in the order of the configuration.

        Arguments:
            found: Names to add, where the configuration does not know them.
        """
        known = self.resolved.get("baselines", {}).get("methods", {})
        names = dict.fromkeys([*known, *found])
        ordered = sorted(names, key=lambda name: known.get(name, {}).get("kind", name) != OUR_KIND)
        return {name: str(known.get(name, {}).get("label") or name) for name in ordered}

    def _find(self, section: str, name: str) -> str:
        entry = self.resolved.get(section, {}).get(name, {})
        return str(entry.get("label") or name)

    def rows(self, flows: Sequence[tuple[str, str, str]]) -> list[str]:
        """Titles of a figure's rows: data sets, with the schedule where one has several."""
        datasets = [dataset for dataset, _, _ in flows]
        return [
            f"{self.dataset(d)}, {self.schedule(s)}" if datasets.count(d) > 1 else self.dataset(d) for d, s, _ in flows
        ]

    def applied(self, table: pd.DataFrame) -> pd.DataFrame:
        """A table with labels in place of names in its columns `dataset` and `schedule`."""
        return table.assign(
            dataset=table["dataset"].map(self.dataset),
            schedule=table["schedule"].map(self.schedule),
        )
