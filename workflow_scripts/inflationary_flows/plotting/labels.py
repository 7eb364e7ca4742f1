"""How figures call data sets, schedules and methods: cosmetic, hence read beside the workflow's inputs.

Text of the user is drawn as it is: to Matplotlib, dollars are formulas, and an underscore at the beginning of a label
keeps it out of legends.
"""

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
        drawn: Whether Matplotlib will draw them.
    """

    resolved: dict[str, Any] = field(default_factory=dict)
    drawn: bool = True

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
        return {name: self._text(known, name) for name in ordered}

    def _find(self, section: str, name: str) -> str:
        return self._text(self.resolved.get(section, {}), name)

    def _text(self, section: dict[str, Any], name: str) -> str:
        """Label of an entry of a section, with its name where another one has the same label."""
        text = str(section.get(name, {}).get("label") or name)
        if any(other != name and entry.get("label", other) == text for other, entry in section.items()):
            text += f" ({name})"
        if not self.drawn:
            return text
        # A joiner of no width.
        start = "\u2060" if text.startswith("_") else ""
        return start + text.replace("$", r"\$")

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
