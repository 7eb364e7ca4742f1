"""What a run will cost: jobs, GPU hours and CPU hours by stage and rule, before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

PLAN_COLUMNS = ("stage", "rule", "jobs", "gpus", "gpu_hours", "cpu_hours")
TOTAL = "total"
_DIGITS = 1


def plan_rows(counts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Adds up jobs of the same rule, in the order of their first appearance.

    Arguments:
        counts: Kinds of jobs that cost the same: `stage`, `rule`, `jobs`, the number of them, `gpus`, those that each
            asks for, `hours`, those that each takes, and perhaps `threads`, cores that each asks for (default 1).

    Returns:
        Rows of `PLAN_COLUMNS`.  A GPU counts for as long as its job runs; jobs with GPUs use no CPU hours of note.
    """
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for count in counts:
        if count["jobs"] == 0:
            continue
        key = (count["stage"], count["rule"])
        row = rows.setdefault(key, dict(zip(PLAN_COLUMNS, (*key, 0, 0, 0.0, 0.0), strict=True)))
        hours = count["jobs"] * count["hours"]
        row["jobs"] += count["jobs"]
        row["gpus"] = max(row["gpus"], count["gpus"])
        row["gpu_hours"] += count["gpus"] * hours
        row["cpu_hours"] += 0.0 if count["gpus"] else count.get("threads", 1) * hours
    return list(rows.values())


def with_totals(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of each stage followed by their total, and the total of all at the end."""
    stages = list(dict.fromkeys(row["stage"] for row in rows))
    result: list[dict[str, Any]] = []
    for stage in stages:
        mine = [dict(row) for row in rows if row["stage"] == stage]
        result += [*mine, _total(stage, mine)]
    return [*result, _total(TOTAL, rows)]


def _total(stage: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    sums = {name: sum(row[name] for row in rows) for name in ("jobs", "gpu_hours", "cpu_hours")}
    return {"stage": stage, "rule": TOTAL, "gpus": max((row["gpus"] for row in rows), default=0), **sums}


def plan_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The plan as a table for a terminal: a line for each rule, a line under each stage, and the total.

    Arguments:
        rows: Rows of `plan_rows`.
    """
    header = ("stage", "rule", "jobs", "GPUs a job", "GPU hours", "CPU hours")
    cells = [header, *(_cells(row) for row in with_totals(rows))]
    widths = [max(len(line[column]) for line in cells) for column in range(len(header))]
    lines = []
    for place, line in enumerate(cells):
        # Names to the left, numbers to the right.
        words = [text.ljust(width) for text, width in zip(line[:2], widths[:2], strict=True)]
        words += [text.rjust(width) for text, width in zip(line[2:], widths[2:], strict=True)]
        lines.append("  ".join(words).rstrip())
        if place == 0 or line[1] == TOTAL:
            lines.append("-" * (sum(widths) + 2 * (len(widths) - 1)))
    return "\n".join(lines[:-1])


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    hours = (f"{row[name]:,.{_DIGITS}f}" if row[name] else "0" for name in ("gpu_hours", "cpu_hours"))
    return (row["stage"], row["rule"], f"{row['jobs']:,}", str(row["gpus"]), *hours)
