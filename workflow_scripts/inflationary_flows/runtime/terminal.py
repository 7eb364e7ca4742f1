"""What a run says on the terminal: a line for each job that starts, with how much is done and the time left.

Snakemake says of a job its rule and a number, three lines at its end, and shows neither data set nor time left.  Logger
plug-ins that exist draw bars, which say nothing once output goes to a file, or write a database.  So the formatter of
Snakemake's own handler is wrapped; another logger plug-in, or `--quiet`, works as ever.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from inflationary_flows.progress import duration
from inflationary_flows.runtime.failures import failures_since

# What Snakemake says on the way that is said better, or says nothing: beginnings of its messages.
_LEFT_OUT = (
    *("Select jobs to execute", "Rules claiming more threads", "Conda environments: ignored", "Group jobs: inactive"),
    *("Assuming unrestricted shared filesystem", "Using shell:", "RuleException:\nCalledProcessError"),
    "Exiting because a job execution failed",
)
_FAILED, _NOTHING = "WorkflowError:\nAt least one job did not complete", "Nothing to be done"
_NO_RULE = re.compile(r"MissingRuleException:\nNo rule to produce (.+?) \(if you use")
# Seconds of a run after which its own speed counts for more than the number of its cores.
_PRIOR_SECONDS = 60.0


def described(rule: str, wildcards: Mapping[str, str]) -> str:
    """A job in words: train_network: wine, prp, seed 0."""
    values = [
        value if name in ("dataset", "schedule", "method") else f"{name.replace('_', ' ')} {value}"
        for name, value in wildcards.items()
    ]
    return f"{rule}: {', '.join(values)}" if values else rule


def near(path: str, start: str) -> str:
    """A path as it is written where the run was started, if it lies below."""
    written = os.path.relpath(path, start)
    return os.path.abspath(path) if written.startswith(os.pardir) else written


class RunFormatter(logging.Formatter):
    """Puts a run in words.

    Arguments:
        usual: Snakemake's own formatter, for all else.
        workflow: Snakemake's workflow.
        started_in: Where the run was started: paths are written as they are there.
        clock: Seconds, from any start.
    """

    def __init__(
        self, usual: logging.Formatter, workflow: Any, started_in: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self.usual, self.workflow, self.started_in = usual, workflow, started_in
        self.clock, self.started, self.since = clock, clock(), time.time()
        # What each job expects to take, in core seconds; names of jobs, of groups too; jobs that are done: by number.
        self.seconds: dict[Any, float] = {}
        self.names: dict[Any, list[str]] = {}
        self.finished: set[Any] = set()

    def format(self, record: logging.LogRecord) -> str:
        """What is printed for a record of Snakemake's; nothing for what is left out."""
        text, said = str(record.msg), self.usual.format(record)
        if text.startswith(_LEFT_OUT):
            return ""
        if text.startswith(_FAILED):
            return self._failed() or said
        if missing := _NO_RULE.match(text):
            expected = (
                f"expected a target of the workflow, or a file that it makes, named from {near('.', self.started_in)}"
            )
            return (
                f"{missing[1]}: {expected}, got neither.\nHint: the Snakefile lists targets, a dry run (-n) all files."
            )
        if text.startswith(_NOTHING):
            return f"{said}\n{self._results()}"
        match getattr(getattr(record, "event", None), "value", None):
            case "job_started":
                return self._started(getattr(record, "jobs", ()))
            case "job_finished":
                self.finished.add(getattr(record, "job_id", None))
                return ""
            case "progress":
                done, total = getattr(record, "done", 0), getattr(record, "total", 1)
                return f"{done} of {total} jobs done. {self._results()}" if done == total else ""
        return said

    def _results(self) -> str:
        return f"Results: {near('results', self.started_in)}"

    def _failed(self) -> str:
        """Logs of failed jobs, with their messages; local jobs have said all but the first lines themselves."""
        lines = ["Failed, by these logs:"]
        for message in failures_since(self.since):
            log, colon, what = message.partition(": ")
            shown = what.partition("\n")[0] if self.workflow.local_exec else what
            lines.append(f"{near(log, self.started_in)}{colon}{shown}" if colon else message)
        return "\n".join(lines) if len(lines) > 1 else ""

    def _started(self, numbers: Iterable[Any]) -> str:
        """A line for each job that starts."""
        if not self.names:
            self._look_at_all()
        state = f"[{len(self.finished)} of {len(self.seconds)} done, about {duration(self.seconds_left())} left]"
        return "\n".join(f"{state} {name}" for number in numbers for name in self.names.get(number, [str(number)]))

    def _look_at_all(self) -> None:
        self.started, dag = self.clock(), self.workflow.dag
        for job in dag.needrun_jobs(exclude_finished=False):
            name = described(job.rule.name, job.wildcards_dict)
            for known in {job.jobid, (dag.get_job_group(job) or job).jobid}:
                self.names.setdefault(known, []).append(name)
            self.seconds[job.jobid] = max(1, job.threads) * float(job.resources.get("expected_seconds", 0))

    def seconds_left(self) -> float:
        """Expected core seconds that are left, at the speed of the run so far."""
        done = sum(self.seconds.get(number, 0.0) for number in self.finished)
        lanes = max(1, self.workflow.nodes or self.workflow.global_resources["_cores"].value or 1)
        speed = (done + lanes * _PRIOR_SECONDS) / (self.clock() - self.started + _PRIOR_SECONDS)
        return (sum(self.seconds.values()) - done) / speed


def tell_the_run(logger: logging.Logger, workflow: Any, started_in: str) -> None:
    """Has Snakemake's own handler of the terminal, if it is used, say what `RunFormatter` does."""
    for handler in logger.handlers:
        if handler.name == "DefaultStreamHandler" and handler.formatter is not None:
            handler.setFormatter(RunFormatter(handler.formatter, workflow, started_in))
