"""Origins of single numbers: rows of merged tables, and our side of the comparison with the paper.

Sidecars show whether a file is what its job wrote. This module checks single numbers: a row of a merged table has to be
in one of the small tables, and a number next to a published one has to be the mean over the sample seeds of the flow
that it names.
"""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from fnmatch import fnmatch
from pathlib import Path

from inflationary_flows.audit.sidecars import Ledger, Sidecar
from inflationary_flows.errors import shorten

COMPARISON = "metrics/paper_comparison.csv"
_MERGED = "tables/*.csv"
# The job that merges the tables of an experiment is named after it, and after whether it draws as well.
_MERGED_BY = ("merge_", "plot_")
_OF_METHODS = "baselines/*.csv"
_COMPARED = "compared"
# The comparison takes the mean in another order of operations, perhaps.
_ROUNDING = 1e-12

# What tables of another form, or that are no text at all, lead to.
_MALFORMED = (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error)

Row = Mapping[str, str]


def _fid(row: Row) -> str | None:
    return row["value"] if (row["extractor"], row["metric"], row["part"]) == ("inception", "fid", "whole") else None


def _best_fid(row: Row) -> str | None:
    return row["value"] if (row["metric"], row["n"]) == ("fid_best", "10000") else None


# For each published metric of which we have a number: the small tables, and the number in a row, if it is one of these.
_ORIGINS: dict[str, tuple[str, Callable[[Row], str | None]]] = {
    "fid": ("metrics/*/frechet_*.csv", _fid),
    "fid_best_10k": (_OF_METHODS, _best_fid),
    "roundtrip_mse_uint8": ("metrics/*/image_roundtrip.csv", lambda row: row["mse_uint8_wrapped"]),
    "participation_ratio": ("metrics/participation_ratio.csv", lambda row: row["participation_ratio"]),
}
# Of other metrics there are no tables.
_NO_ORIGIN: tuple[str, Callable[[Row], str | None]] = ("", lambda row: None)


def untraced_numbers(ledger: Ledger, wrong: Set[str]) -> Iterator[tuple[str, str]]:
    """Finds numbers that are not in the tables that they claim to come from.

    Arguments:
        ledger: All sidecars.
        wrong: Artifacts with findings already; their numbers are not checked.

    Returns:
        Pairs of the table's path and what is wrong with one row of it.
    """
    for artifact, sidecar in ledger.sidecars.items():
        sources = [item.path for item in sidecar.inputs if not item.outside]
        if artifact in wrong or not wrong.isdisjoint(sources):
            continue
        try:
            yield from _untraced(ledger, artifact, sidecar, sources)
        except _MALFORMED as problem:
            yield artifact, f"its rows cannot be followed: it or a small table is malformed ({shorten(str(problem))})"


def _untraced(ledger: Ledger, artifact: str, sidecar: Sidecar, sources: list[str]) -> Iterator[tuple[str, str]]:
    if fnmatch(artifact, _MERGED) and sidecar.rule.startswith(_MERGED_BY):
        for line in _rows_from_nowhere(ledger.results, sidecar, sources):
            yield artifact, f"no small table has its row {line!r}"
    elif artifact == COMPARISON:
        for row, why in _numbers_from_nowhere(ledger.results, sidecar, sources):
            yield artifact, f"{row['metric']} of {row['dataset']}, our {row['ours']}: {why}"


def _rows_from_nowhere(results: Path, sidecar: Sidecar, sources: list[str]) -> Iterator[str]:
    known: Counter[str] = Counter()
    for source in sources:
        if source.endswith(".csv"):
            known.update(_lines(results / source)[1:])
    yield from (Counter(_lines(results / sidecar.artifact)[1:]) - known).elements()


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _numbers_from_nowhere(results: Path, sidecar: Sidecar, sources: list[str]) -> Iterator[tuple[Row, str]]:
    for row in _read(results / COMPARISON):
        if row["status"] != _COMPARED:
            continue
        pattern, number_of = _ORIGINS.get(row["metric"], _NO_ORIGIN)
        tables = [results / source for source in sources if fnmatch(source, pattern)]
        if not tables:
            yield row, "the comparison was made from no table that has such numbers"
            continue
        found = [(entry, number) for entry in _of_flow(tables, row["flow"]) if (number := number_of(entry))]
        if pattern == _OF_METHODS:
            found = _of_method(found, row["method"], sidecar.params.get("methods", {}))
        numbers = [float(number) for _, number in found]
        if not numbers:
            yield row, f"{pattern} has no {row['flow']}"
        elif len(numbers) != int(row["sample_seeds"]):
            yield row, f"of {row['sample_seeds']} sample seeds, but {pattern} has {len(numbers)}"
        elif not math.isclose(math.fsum(numbers) / len(numbers), float(row["ours"]), rel_tol=_ROUNDING):
            yield row, f"the mean in {pattern} is {math.fsum(numbers) / len(numbers)!r}"


def _of_method(found: list[tuple[Row, str]], published: str, kinds: Mapping[str, str]) -> list[tuple[Row, str]]:
    """Numbers of the first method, by name, that is of the published kind."""
    names = sorted({entry["method"] for entry, _ in found if kinds.get(entry["method"]) == published})
    return [(entry, number) for entry, number in found if [entry["method"]] == names[:1]]


def _of_flow(tables: Sequence[Path], flow: str) -> Iterator[Row]:
    dataset, _, schedule = flow.partition("/")
    for row in (row for table in tables for row in _read(table)):
        if row["dataset"] == dataset and row.get("schedule", "") == schedule:
            yield row


def _read(table: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(_lines(table)))
