"""What a run will cost: jobs, GPU hours and CPU hours by stage and rule, before anything runs.

Jobs come from a dry run of Snakemake with everything forced; each says how long it expects to take, as a resource.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inflationary_flows.errors import ConfigError, InflationaryFlowsError

PLAN_COLUMNS = ("stage", "rule", "jobs", "gpus", "gpu_hours", "cpu_hours")
TOTAL = "total"
EXPECTED = "expected_seconds"
_DIGITS = 1
# More cores than any job asks for: Snakemake takes threads away from jobs that ask for more than there are.
_CORES = "1000000"
_RULE = re.compile(r"(?:local)?(?:rule|checkpoint) (\w+):")
_COUNTED = re.compile(r"^total +(\d+)$", re.MULTILINE)


@dataclass
class PlannedJob:
    """A job of a dry run: its rule, whether it writes files, its threads and its resources."""

    rule: str
    writes: bool = False
    threads: int = 1
    resources: dict[str, str] = field(default_factory=dict)

    @property
    def gpus(self) -> int:
        """GPUs that it asks for: gpu=N, or gres=gpu:N or gres=gpu:model:N."""
        gres = self.resources.get("gres", "").rpartition(":")[2]
        return int(gres or self.resources.get("gpu", "0"))

    @property
    def hours(self) -> float:
        """Hours that it expects to take."""
        seconds = self.resources.get(EXPECTED)
        if seconds is None:
            raise InflationaryFlowsError(
                f"rule {self.rule}",
                f"the resource {EXPECTED}",
                f"resources {', '.join(self.resources)}",
                "Add the seconds that a job of this rule takes to its resources, as small() does",
            )
        return int(seconds) / 3600


def dry_run(snakefile: Path, configuration: Path) -> str:
    """What Snakemake prints on a dry run of everything, as if nothing were done yet.

    Profiles are left out: the plan is that of the configuration, whatever machine it is made on.

    Arguments:
        snakefile: The workflow.
        configuration: A configuration with all defaults; paths in it are relative to the working directory or to the
            folder of the workflow.

    Raises:
        ConfigError: with Snakemake's own message, if it cannot plan the run.
    """
    command = [sys.executable, "-m", "snakemake", "all", "--dry-run", "--forceall", "--rerun-incomplete"]
    command += ["--nolock", "--nocolor", "--cores", _CORES, "--quiet", "host", "--workflow-profile", "none"]
    command += ["--snakefile", str(snakefile), "--directory", ".", "--configfile", str(configuration)]
    environment = {name: value for name, value in os.environ.items() if name != "SNAKEMAKE_PROFILE"}
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip()
        raise ConfigError(str(configuration), "a dry run that succeeds", said, "Try it yourself: snakemake --dry-run")
    return done.stdout


def read_dry_run(text: str) -> list[PlannedJob]:
    """Jobs of a dry run, in groups or not; targets, which write no file, are left out.

    Arguments:
        text: What `snakemake --dry-run` prints unless it is quiet about rules.

    Raises:
        RuntimeError: if these are not as many jobs as Snakemake itself counts.
    """
    jobs: list[PlannedJob] = []
    for line in map(str.strip, text.splitlines()):
        found = _RULE.fullmatch(line)
        name, _, value = line.partition(": ")
        if found:
            jobs.append(PlannedJob(found[1]))
        elif jobs and name == "output":
            jobs[-1].writes = True
        elif jobs and name == "threads":
            jobs[-1].threads = int(value)
        elif jobs and name == "resources":
            jobs[-1].resources = dict(re.findall(r"(\w+)=([^,]*)", value))
    counted = _COUNTED.search(text)
    if counted is None or int(counted[1]) != len(jobs):
        expected = counted[1] if counted else "no"
        raise RuntimeError(f"the dry run counts {expected} jobs, {len(jobs)} were read: Snakemake's words have changed")
    return [job for job in jobs if job.writes]


def plan_rows(jobs: Iterable[PlannedJob], stages: Mapping[str, str]) -> list[dict[str, Any]]:
    """Adds up jobs of the same rule.

    Arguments:
        jobs: Jobs of `read_dry_run`.
        stages: The stage of each rule, in the order of rows.

    Returns:
        Rows of `PLAN_COLUMNS`.  A GPU counts for as long as its job runs; jobs with GPUs use no CPU hours of note.

    Raises:
        InflationaryFlowsError: if a job does not say how long it takes.
    """
    rows: dict[str, dict[str, Any]] = {
        rule: dict(zip(PLAN_COLUMNS, (stage, rule, 0, 0, 0.0, 0.0), strict=True)) for rule, stage in stages.items()
    }
    for job in jobs:
        row = rows[job.rule]
        row["jobs"] += 1
        row["gpus"] = max(row["gpus"], job.gpus)
        row["gpu_hours"] += job.gpus * job.hours
        row["cpu_hours"] += 0.0 if job.gpus else job.threads * job.hours
    return [row for row in rows.values() if row["jobs"]]


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
