"""A training that is disturbed in any of the usual ways ends with the bitwise identical network."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime

from checkout import Checkout, assert_recovered, now, options
from cluster import wait_until

# As recovery.yaml says.
CHECKPOINT_SECONDS = 2


def test_scancel(checkout: Checkout, undisturbed: str, record_property: Callable[[str, object], None]):
    driver = checkout.start("train")
    job = checkout.wait_for_progress()
    seen, at = checkout.step(), now()
    checkout.cluster.run("scancel", str(job.id))
    checkout.finish(driver)
    step = assert_recovered(checkout, undisturbed, at, record_property, "scancel")
    # TERM comes before KILL, and the training keeps the step it is at.
    assert step >= seen


def test_preemption(checkout: Checkout, undisturbed: str, record_property: Callable[[str, object], None]):
    driver = checkout.start("train")
    job = checkout.wait_for_progress()
    at = now()
    # Both GPUs of its node, for somebody in a hurry.
    urgent = ["--partition=urgent_gpu", f"--nodelist={job.nodes[0]}", "--nodes=1", "--gpus-per-node=2"]
    checkout.cluster.run("sbatch", *urgent, "--output=/dev/null", "--wrap=sleep 20")
    checkout.finish(driver)
    assert_recovered(checkout, undisturbed, at, record_property, "preemption")
    assert [other.state for other in sorted(checkout.jobs(), key=lambda job: job.id)] == ["PREEMPTED", "COMPLETED"]


def test_a_time_limit_that_is_too_short(
    checkout: Checkout, undisturbed: str, record_property: Callable[[str, object], None]
):
    driver = checkout.start("train", *options(runtime="1m"))
    job = checkout.wait_for_progress()
    assert job.start is not None
    process = str(checkout.training_process(job))
    # A machine that is too slow: it stands still until its time is nearly over.
    checkout.cluster.run("kill", "-STOP", process)
    time.sleep(max(0.0, job.start.timestamp() + 56 - time.time()))
    at = now()
    checkout.cluster.run("kill", "-CONT", process)
    wait_until(lambda: "the end of its time" in checkout.log(), 20, "the training stops by its own clock")
    checkout.finish(driver)
    first, second = sorted(checkout.jobs(), key=lambda job: job.id)
    # Out of time, if Snakemake takes longer to end on a slow machine than the training has left to it.
    assert first.state in {"FAILED", "TIMEOUT"}
    assert (first.time_limit_minutes, second.time_limit_minutes) == (1, 2)
    assert_recovered(checkout, undisturbed, at, record_property, "time limit")


def test_a_node_that_dies(checkout: Checkout, undisturbed: str, record_property: Callable[[str, object], None]):
    driver = checkout.start("train")
    job = checkout.wait_for_progress()
    at = now()
    checkout.cluster.kill_node(job.nodes[0])
    try:
        checkout.finish(driver)
    finally:
        checkout.cluster.start_node(job.nodes[0])
    assert_recovered(checkout, undisturbed, at, record_property, "dead node")
    states = {job.nodes[0]: job.state for job in checkout.jobs()}
    assert states.pop(job.nodes[0]) == "NODE_FAIL"
    assert list(states.values()) == ["COMPLETED"]


def test_a_kill_costs_no_more_than_the_time_between_checkpoints_even_if_the_last_one_is_damaged(
    checkout: Checkout, undisturbed: str, record_property: Callable[[str, object], None]
):
    driver = checkout.start("train")
    job = checkout.wait_for_progress()
    begun = began(checkout.log())
    seen, at = checkout.step(), now()
    checkout.cluster.run("kill", "-KILL", str(checkout.training_process(job)))
    rate = seen / max(1.0, (at - begun).total_seconds())
    state = checkout.state()
    assert state is not None
    content = bytearray(state.read_bytes())
    content[len(content) // 2] ^= 1
    state.write_bytes(content)
    checkout.finish(driver)
    assert "It is put aside" in checkout.log()
    step = assert_recovered(checkout, undisturbed, at, record_property, "kill -9 and a damaged state")
    record_property("steps lost", seen - step)
    # Two intervals, as the last state was damaged; logs are written to the second.
    assert seen - step <= rate * (2 * CHECKPOINT_SECONDS + 2)


def began(log: str) -> datetime:
    """When a training began, by the first line of its log."""
    found = re.match(r"(\S+ \S+),", log)
    assert found is not None
    return datetime.fromisoformat(found[1])
