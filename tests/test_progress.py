"""Signs of life: a bar where somebody watches, a line every half a minute elsewhere; and what a run says of itself."""

from __future__ import annotations

import io
import logging
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from inflationary_flows.progress import Progress, duration, tracked
from inflationary_flows.runtime.job import job
from inflationary_flows.runtime.terminal import RunFormatter, described, tell_the_run


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_every_half_minute_says_what_is_left(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    caplog.set_level(logging.INFO, "inflationary_flows.progress")
    with Progress(4000, "training", clock=clock) as bar:
        for _ in range(4000):
            clock.now += 0.03
            bar.update()
    # 120 seconds: lines at 30, 60 and 90, none at the end.
    assert caplog.messages == [
        "training: step 1000 of 4000, 30 s, about 90 s left",
        "training: step 2000 of 4000, 60 s, about 60 s left",
        "training: step 3000 of 4000, 90 s, about 30 s left",
    ]
    assert all(record.progress for record in caplog.records)


def test_time_left_counts_from_where_a_resumed_run_began(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    caplog.set_level(logging.INFO, "inflationary_flows.progress")
    bar = Progress(100, "chains", unit="iteration", done=80, clock=clock)
    clock.now = 40.0
    bar.reach(90)
    # What was reached before says nothing.
    bar.reach(85)
    assert caplog.messages == ["chains: iteration 90 of 100, 40 s, about 40 s left"]


def test_short_silent_and_unseen_computations_say_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "inflationary_flows.progress")
    assert list(tracked(range(5), "steps")) == [0, 1, 2, 3, 4]
    clock = Clock()
    with Progress(10, "training", silent=True, clock=clock) as bar:
        clock.now = 100.0
        bar.update()
    assert caplog.messages == []


def test_somebody_who_watches_sees_a_bar(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "inflationary_flows.progress")
    monkeypatch.setattr(sys, "stderr", Terminal())
    clock = Clock()
    with Progress(10, "training", unit="step", clock=clock) as bar:
        clock.now = 100.0
        bar.update(4)
        assert bar.bar.n == 4
        assert "training" in sys.stderr.getvalue()
    assert caplog.messages == []
    # Jobs share a terminal.
    monkeypatch.setattr(Progress, "bars", False)
    assert Progress(10, "training").bar is None


def test_a_job_is_seen_to_be_alive(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines are in the log of the job, and on the terminal with its name; other lines in the log alone."""
    script: Any = SimpleNamespace(
        rule="train_network",
        log=[str(tmp_path / "job.log")],
        threads=1,
        input=[],
        output=[],
        params={},
        wildcards={"dataset": "wine", "schedule": "prp", "seed": "0"},
        scriptdir=str(tmp_path),
    )
    clock = Clock()
    with job(script) as logger:
        logger.info("resumed")
        bar = Progress(10, "training", clock=clock)
        clock.now = 30.0
        bar.update(5)
    line = "training: step 5 of 10, 30 s, about 30 s left"
    assert capsys.readouterr().err == f"train_network: wine, prp, seed 0: {line}\n"
    text = (tmp_path / "job.log").read_text(encoding="utf-8")
    assert line in text
    assert "resumed" in text


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (95, "95 s"), (720, "12 min"), (12_240, "3.4 h")])
def test_times_are_words(seconds: float, text: str) -> None:
    assert duration(seconds) == text


class Job(SimpleNamespace):
    """As much of a job of Snakemake as is asked for."""

    threads = 1


def workflow_of(count: int, cores: int = 2) -> Any:
    jobs = [
        Job(
            jobid=number,
            rule=SimpleNamespace(name="measure"),
            wildcards_dict={"dataset": f"set{number}", "sample_seed": "1"},
            resources={"expected_seconds": 60},
        )
        for number in range(count)
    ]
    dag = SimpleNamespace(needrun_jobs=lambda exclude_finished: jobs, get_job_group=lambda job: None)
    return SimpleNamespace(
        dag=dag, nodes=None, local_exec=True, global_resources={"_cores": SimpleNamespace(value=cores)}
    )


def said(formatter: logging.Formatter, text: str | None = None, **extra: Any) -> str:
    record = logging.LogRecord("snakemake", logging.INFO, "", 0, text, (), None)
    record.__dict__.update(extra)
    return formatter.format(record)


def test_a_run_says_what_it_works_on_and_what_is_left(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    clock = Clock()
    formatter = RunFormatter(logging.Formatter(), workflow_of(6), str(tmp_path.parent), clock)
    started = said(formatter, "Execute 2 jobs...", event=LogEvent.JOB_STARTED, jobs=[0, 1])
    # 360 seconds of work on two cores.
    assert started.splitlines() == [
        "[0 of 6 done, about 3 min left] measure: set0, sample seed 1",
        "[0 of 6 done, about 3 min left] measure: set1, sample seed 1",
    ]
    clock.now = 600.0
    for number in (0, 1):
        assert said(formatter, "Finished jobid", event=LogEvent.JOB_FINISHED, job_id=number) == ""
        assert said(formatter, event=LogEvent.PROGRESS, done=number + 1, total=6) == ""
    # It is slower than was thought: 120 seconds of work took ten minutes, and 240 are left.
    assert "[2 of 6 done, about 11 min left]" in said(formatter, event=LogEvent.JOB_STARTED, jobs=[2])
    last = said(formatter, event=LogEvent.PROGRESS, done=6, total=6)
    assert last == f"6 of 6 jobs done. Results: {tmp_path.name}/results"


def test_failures_end_in_their_messages(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    formatter = RunFormatter(logging.Formatter(), workflow_of(1), str(tmp_path))
    raised = "RuleException:\nCalledProcessError in file rules/data.smk, line 77"
    assert said(formatter, raised) == ""
    end = "WorkflowError:\nAt least one job did not complete successfully."
    # Nothing is known of it: Snakemake's own words stay.
    assert said(formatter, end) == end
    (tmp_path / "results/logs").mkdir(parents=True)
    log = tmp_path / "results/logs/a.log"
    log.write_text("2026 INFO fine\n2026 ERROR wine.csv, row 4: expected a number, got 'a'.\nHint: correct it.\n")
    assert said(formatter, end).splitlines() == [
        "Failed, by these logs:",
        "results/logs/a.log: wine.csv, row 4: expected a number, got 'a'.",
    ]
    wrong = said(formatter, "MissingRuleException:\nNo rule to produce figs (if you use input functions, ...).")
    assert wrong.startswith("figs: expected a target")
    assert "Traceback" not in wrong
    assert said(formatter, "something else") == "something else"


def test_only_the_usual_handler_is_changed() -> None:
    usual, other = logging.StreamHandler(), logging.StreamHandler()
    usual.name, other.name = "DefaultStreamHandler", "rich"
    for handler in (usual, other):
        handler.setFormatter(logging.Formatter())
    logger = logging.Logger("snakemake")
    logger.addHandler(usual)
    logger.addHandler(other)
    tell_the_run(logger, workflow_of(1), "/")
    assert isinstance(usual.formatter, RunFormatter)
    assert not isinstance(other.formatter, RunFormatter)


def test_jobs_have_names() -> None:
    assert described("all", {}) == "all"
    assert described("train_network", {"dataset": "wine", "schedule": "prp", "seed": "0-early"}) == (
        "train_network: wine, prp, seed 0-early"
    )
