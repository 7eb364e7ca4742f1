"""The smoke configuration on the cluster: the same numbers as without one, every job where it belongs.

What most jobs are for, not all: each start of one takes seconds of one machine that stands for many.
"""

from __future__ import annotations

import re

import pytest
from checkout import Checkout
from cluster import Cluster, Job
from watch import Watch

from repository import SMOKE, digest_of_smoke_run, numbers_of

# Of every group, and of jobs outside of groups: on points and on images, of chains, of a comparison with its figures.
TARGETS = ("metrics", "results/tables/hmc_weights.csv", "results/tables/frechet.csv", "baselines")


@pytest.fixture(scope="module")
def local_numbers(
    pytestconfig: pytest.Config, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The sha256 of all tables and tensors of a run without a cluster: of that in `make test`, if it is on record."""
    known = pytestconfig.cache.get(f"smoke/{digest_of_smoke_run()}", None)
    if known is not None:
        return known
    local = Checkout(tmp_path_factory.mktemp("local") / "run", cluster, SMOKE)
    local.run_locally(*TARGETS)
    return numbers_of(local.folder / "results")


@pytest.fixture(scope="module")
def finished(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, Watch]:
    """A finished run on the cluster."""
    checkout = Checkout(tmp_path_factory.mktemp("smoke") / "run", cluster, SMOKE)
    with Watch(cluster) as watch:
        checkout.finish(checkout.start(*TARGETS), 3000)
    return checkout, watch


@pytest.fixture(scope="module")
def jobs(finished: tuple[Checkout, Watch]) -> list[Job]:
    return finished[0].jobs()


def test_tables_and_tensors_are_those_of_a_local_run(finished: tuple[Checkout, Watch], local_numbers: dict[str, str]):
    numbers = numbers_of(finished[0].folder / "results")
    assert len(numbers) > 40
    assert numbers == {name: local_numbers.get(name) for name in numbers}


def test_every_submission_ended_well_at_the_first_attempt(jobs: list[Job]):
    assert {job.state for job in jobs} == {"COMPLETED"}


def test_few_submissions_do_many_jobs(finished: tuple[Checkout, Watch], jobs: list[Job]):
    steps = int(re.findall(r"of (\d+) jobs done", finished[0].text())[-1])
    print(f"{steps} jobs of the workflow in {len(jobs)} submissions")
    assert steps > 60
    assert len(jobs) < steps / 3


def test_gpus_are_held_by_jobs_that_use_them_and_by_no_others(finished: tuple[Checkout, Watch], jobs: list[Job]):
    checkout, watch = finished
    on_gpus = [job for job in jobs if job.partition == "gpu"]
    assert {job.id for job in on_gpus} == set(watch.held)
    assert all("digits" in job.comment for job in on_gpus)
    assert any("train_network" in job.comment for job in on_gpus)
    for job in on_gpus:
        (gpu,) = watch.held[job.id]
        assert gpu.startswith(job.nodes[0])
    text = (checkout.folder / "results/logs/train_network/digits/shared/seed0.log").read_text()
    number, node, gpu = re.search(r"job (\d+) on node (gpu\d), GPU (\d)", text).groups()
    assert watch.held[int(number)] == (f"{node}:{gpu}",)
    others = checkout.folder.glob("results/logs/train_network/circles/**/*.log")
    assert all("GPU" not in path.read_text() for path in others)


def test_jobs_ask_for_what_the_partitions_have(jobs: list[Job]):
    assert all(job.time_limit_minutes is not None and job.time_limit_minutes <= 24 * 60 for job in jobs)
    assert all(job.cpus <= 8 for job in jobs)


def test_a_second_run_finds_nothing_to_do(finished: tuple[Checkout, Watch]):
    checkout = finished[0]
    again = checkout.start(*TARGETS, "--dry-run")
    assert again.wait(300) == 0
    assert "Nothing to be done" in checkout.text()
