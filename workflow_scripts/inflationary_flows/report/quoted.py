"""The tables that a report quotes beside those of the run: each number of the page stands in one or the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from inflationary_flows.audit.checks import Audit
from inflationary_flows.report.calibration import CALIBRATION_COLUMNS, calibration_rows, shell_rows
from inflationary_flows.report.costs import COST_COLUMNS, STAGE_COLUMNS, cost_rows, stage_rows
from inflationary_flows.report.environment import (
    AUDIT_COLUMNS,
    ENVIRONMENT_COLUMNS,
    FINDING_COLUMNS,
    audit_rows,
    environment_rows,
    finding_rows,
)
from inflationary_flows.report.origins import ORIGIN_COLUMNS, origin_row
from inflationary_flows.report.page import Entry
from inflationary_flows.report.tables import SIZE_COLUMNS, Table, size_rows

FOLDER = "report"
SIZES = f"{FOLDER}/tables.csv"
_NAMES = ("audit", "findings", "environment", "costs", "stages", "calibration", "shell_retention", "origins")
QUOTED = tuple(f"{FOLDER}/{name}.csv" for name in _NAMES)


def quoted_tables(found: Audit, entries: Iterable[Entry], stages: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    """Makes the tables of `QUOTED`.

    Arguments:
        found: Audit of the results, with their sidecars.
        entries: What the page shows.
        stages: Stage of each rule.

    Returns:
        Tables by path below the results.
    """
    ledger, results = found.ledger, found.ledger.results
    costs = cost_rows(results / "benchmarks", stages)
    ranks, tarp, shells = (_read(results / f"tables/{name}.csv") for name in ("sbc", "tarp", "shell_retention"))
    frames = (
        pd.DataFrame(audit_rows(found), columns=list(AUDIT_COLUMNS)),
        pd.DataFrame(finding_rows(found), columns=list(FINDING_COLUMNS)),
        pd.DataFrame(environment_rows(ledger), columns=list(ENVIRONMENT_COLUMNS)),
        pd.DataFrame(costs, columns=list(COST_COLUMNS)),
        pd.DataFrame(stage_rows(costs), columns=list(STAGE_COLUMNS)),
        pd.DataFrame(calibration_rows(ranks, tarp), columns=list(CALIBRATION_COLUMNS)),
        pd.DataFrame(shell_rows(shells) or {"dataset": []}),
        pd.DataFrame([origin_row(ledger, entry.path, entry.title) for entry in entries], columns=list(ORIGIN_COLUMNS)),
    )
    return dict(zip(QUOTED, frames, strict=True))


def table_of_tables(tables: Iterable[Table]) -> pd.DataFrame:
    """The table `SIZES`: how large the others are."""
    return pd.DataFrame(size_rows(tables), columns=list(SIZE_COLUMNS))


def _read(path: Path) -> pd.DataFrame:
    """A table of the run; empty if it was not made."""
    return pd.read_csv(path) if path.is_file() else pd.DataFrame()
