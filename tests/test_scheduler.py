"""What rules/executor.smk tells Snakemake's scheduler: one look for jobs is due at a time, however often asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake.exceptions import WorkflowError
from snakemake.scheduling.job_scheduler import JobScheduler

from repository import REPOSITORY

DELAY = 0.1


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, float], None]:
    """The method with which the rules replace Snakemake's own."""
    monkeypatch.setattr(JobScheduler, "_schedule_reevalutation", JobScheduler._schedule_reevalutation)
    own = JobScheduler._schedule_reevalutation
    path = REPOSITORY / "rules/executor.smk"
    workflow = SimpleNamespace(basedir=str(REPOSITORY))
    exec(compile(path.read_text(encoding="utf-8"), path, "exec"), {"workflow": workflow})
    assert JobScheduler._schedule_reevalutation is not own
    return JobScheduler._schedule_reevalutation


def looks(scheduler: SimpleNamespace) -> int:
    """Looks that became due since the last call, some time after they were asked for."""
    time.sleep(5 * DELAY)
    due = 0
    while scheduler._open_jobs.acquire(blocking=False):
        due += 1
    return due


def test_many_requests_make_one_look(ask: Callable[[Any, float], None]) -> None:
    scheduler = SimpleNamespace(_open_jobs=threading.Semaphore(0))
    for _ in range(100):
        ask(scheduler, DELAY)
    assert looks(scheduler) == 1


def test_after_a_look_another_one_can_be_asked_for(ask: Callable[[Any, float], None]) -> None:
    scheduler = SimpleNamespace(_open_jobs=threading.Semaphore(0))
    for _ in range(3):
        ask(scheduler, DELAY)
        assert looks(scheduler) == 1
    assert looks(scheduler) == 0


def test_schedulers_do_not_wait_for_each_other(ask: Callable[[Any, float], None]) -> None:
    first, second = (SimpleNamespace(_open_jobs=threading.Semaphore(0)) for _ in range(2))
    ask(first, DELAY)
    ask(second, DELAY)
    assert (looks(first), looks(second)) == (1, 1)


def test_a_scheduler_that_names_it_differently_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(JobScheduler, "_schedule_reevalutation")
    path = REPOSITORY / "rules/executor.smk"
    with pytest.raises(WorkflowError, match="_schedule_reevalutation"):
        exec(compile(path.read_text(encoding="utf-8"), path, "exec"), {})
