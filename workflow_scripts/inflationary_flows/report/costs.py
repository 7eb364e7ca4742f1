"""What a run cost: jobs, hours and memory of each rule and stage, by the benchmarks that Snakemake writes."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from inflationary_flows.files.folders import files_below

COST_COLUMNS = ("stage", "rule", "jobs", "wall_hours", "cpu_hours", "peak_memory_mb", "unmeasured")
STAGE_COLUMNS = tuple(name for name in COST_COLUMNS if name != "rule")
TOTAL = "total"
# Of rules that the workflow no longer has.
FORMER = "former"
_SECONDS = 3600
_SUMMED = ("jobs", "wall_hours", "cpu_hours", "unmeasured")
# Snakemake leaves out what it could not measure, such as the memory of a job that took a moment.
_UNKNOWN = ("", "-", "NA", "nan")


def benchmark_files(benchmarks: Path) -> list[Path]:
    """Times of single jobs below the folder of benchmarks."""
    return [path for name, path in files_below(benchmarks) if name.endswith(".tsv")]


def cost_rows(benchmarks: Path, stages: Mapping[str, str]) -> list[dict[str, Any]]:
    """Adds up the jobs of each rule.

    Arguments:
        benchmarks: Folder with a file `{rule}.tsv`, or files below `{rule}/`, for each rule; every file is of one job,
            a row for each time that it was measured.
        stages: Stage of each rule, in the order of the table.

    Returns:
        Rows of `COST_COLUMNS`: memory in megabytes, None if unknown; `unmeasured` is the number of jobs whose CPU time
        or memory Snakemake could not measure, and which `cpu_hours` or `peak_memory_mb` therefore lack.
    """
    jobs: dict[str, list[dict[str, Any]]] = {}
    for path in benchmark_files(benchmarks):
        rule = path.relative_to(benchmarks).parts[0].removesuffix(".tsv")
        jobs.setdefault(rule, []).append(_read(path))
    known = [rule for rule in stages if rule in jobs]
    former = sorted(set(jobs) - set(stages))
    return [{"stage": stages.get(rule, FORMER), "rule": rule, **_sum(jobs[rule])} for rule in known + former]


def stage_rows(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Adds up the rules of each stage, and all of them in a last row.

    Arguments:
        rows: Rows of `cost_rows`.

    Returns:
        Rows of `STAGE_COLUMNS`.
    """
    stages: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        stages.setdefault(row["stage"], []).append(row)
    summed = [{"stage": stage, **_sum(mine)} for stage, mine in stages.items()]
    return [*summed, {"stage": TOTAL, **_sum(summed)}]


def _sum(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    rows = list(rows)
    known = [row["peak_memory_mb"] for row in rows if row["peak_memory_mb"] is not None]
    added = {name: sum(row[name] for row in rows) for name in _SUMMED}
    return {name: max(known, default=None) if name == "peak_memory_mb" else added[name] for name in COST_COLUMNS[2:]}


def _read(path: Path) -> dict[str, Any]:
    """The cost of one job."""
    with open(path, encoding="utf-8", newline="") as file:
        measured = list(csv.DictReader(file, delimiter="\t"))
    seconds, cpu, memory = ([_number(row.get(name)) for row in measured] for name in ("s", "cpu_time", "max_rss"))
    return {
        "jobs": 1,
        "wall_hours": sum(time or 0.0 for time in seconds) / _SECONDS,
        "cpu_hours": sum(time or 0.0 for time in cpu) / _SECONDS,
        "peak_memory_mb": max((size for size in memory if size is not None), default=None),
        "unmeasured": int(None in cpu or None in memory),
    }


def _number(text: str | None) -> float | None:
    return None if text is None or text.strip() in _UNKNOWN else float(text)
