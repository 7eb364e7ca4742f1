"""Several trainings at once, and drivers of the workflow that die or meet each other."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from checkout import Checkout, assert_recovered, now
from cluster import wait_until
from watch import Watch


def test_four_trainings_hold_four_gpus(checkout: Checkout, undisturbed: str):
    with Watch(checkout.cluster) as watch:
        checkout.finish(checkout.start("train", "--config", "seeds=[0,1,2,3]"))
    jobs = {job.id: job for job in checkout.jobs()}
    assert len(jobs) == 4
    assert all(len(watch.held[number]) == 1 for number in jobs)
    assert watch.together == 4
    assert all(job.partition == "gpu" and job.nodes[0].startswith("gpu") for job in jobs.values())
    for seed in range(4):
        found = re.search(r"job (\d+) on node (gpu\d), GPU (\d)", checkout.log(seed))
        assert found is not None
        assert jobs[int(found[1])].nodes == (found[2],)
    assert checkout.network() == undisturbed


def test_a_gpu_that_is_asked_for_as_a_generic_resource_is_held_and_seen(checkout: Checkout, undisturbed: str):
    with Watch(checkout.cluster) as watch:
        checkout.finish(checkout.start("train", "--config", "hardware={gpu_request: gres, gpu_model: emulated}"))
    (job,) = checkout.jobs()
    assert job.partition == "gpu"
    (gpu,) = watch.held[job.id]
    assert f"job {job.id} on node {gpu.replace(':', ', GPU ')}" in checkout.log()
    assert checkout.network() == undisturbed


def instructions(heading: str) -> str:
    """The commands below a heading of the documentation."""
    text = (Path(__file__).parents[2] / "docs/cluster.md").read_text()
    section = text.split(f"## {heading}\n", 1)[1]
    return re.search(r"```bash\n(.*?)```", section, re.DOTALL)[1]


def follow(checkout: Checkout, heading: str) -> None:
    """Does what the documentation says, to the letter."""
    checkout.cluster.run("bash", "-euo", "pipefail", "-c", instructions(heading), cwd=checkout.folder)


def test_a_driver_that_is_killed(checkout: Checkout, undisturbed: str, record_property: Callable[[str, object], None]):
    driver = checkout.start("train")
    job = checkout.wait_for_progress()
    driver.kill()
    driver.wait()
    assert job.id in {other.id for other in checkout.jobs() if other.state == "RUNNING"}
    follow(checkout, "When the driver was killed")
    at = now()
    checkout.finish(checkout.start("train"))
    assert_recovered(checkout, undisturbed, at, record_property, "killed driver")


def test_an_orphan_keeps_a_second_writer_out(checkout: Checkout, undisturbed: str):
    driver = checkout.start("train")
    job = checkout.wait_for_progress()
    driver.kill()
    driver.wait()
    with checkout.slowed(job):
        checkout.cluster.run(*checkout.snakemake("--unlock"), cwd=checkout.folder)
        second = checkout.start("train", "--retries=0")
        assert second.wait(300) == 1, checkout.text()
    assert f"got job {job.id} (process " in checkout.text()
    assert f"scancel {job.id}" in checkout.text()
    wait_until(lambda: not any(other.state == "RUNNING" for other in checkout.cluster.jobs()), 300, "the orphan ends")
    checkout.finish(checkout.start("train"))
    assert checkout.network() == undisturbed


def test_a_second_driver_in_the_same_folder_refuses(checkout: Checkout, undisturbed: str):
    driver = checkout.start("train")
    checkout.wait_for_progress()
    first_output = checkout.output
    checkout.output = checkout.folder / "second.txt"
    assert checkout.start("train").wait(300) == 1
    assert "locked" in checkout.text().lower()
    checkout.output = first_output
    checkout.finish(driver)
    assert checkout.network() == undisturbed
