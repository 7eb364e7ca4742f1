"""Many small tasks, a tiny toy with as many seeds, in a few submissions: what holds for sixty holds for a thousand."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import yaml
from checkout import Checkout
from cluster import Cluster

TASKS = 60
IN_A_GROUP = 20


def many_seeds(path: Path) -> Path:
    """Configuration of circles with many seeds."""
    sizes = {"train": 40, "validation": 10, "test": 10}
    content = {
        "datasets": {
            f"circles_{seed}": {"kind": "circles", "seed": seed, "sizes": sizes, "schedules": ["prp"]}
            for seed in range(TASKS)
        },
        "schedules": {"prp": {"signal_left": 1e-3}},
        "networks": {"toy": {"kind": "mlp", "width": 8, "blocks": 1}},
        "training": {"toy": {"steps": 300}},
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def test_a_group_of_tasks_is_one_submission(
    cluster: Cluster, tmp_path: Path, record_property: Callable[[str, object], None]
):
    checkout = Checkout(tmp_path / "run", cluster, many_seeds(tmp_path / "many_seeds.yaml"))
    begin = time.monotonic()
    groups = ["--group-components", f"prepare={IN_A_GROUP}"]
    checkout.finish(checkout.start("data", "--until", "prepare_splits", *groups), 1200)
    wall = time.monotonic() - begin
    made = list(checkout.folder.glob("results/data/*/splits.safetensors"))
    jobs = checkout.jobs()
    # What the tasks took themselves, as each wrote down, against the time that the cluster's CPUs were held.
    working = sum(seconds_of(path) for path in checkout.folder.glob("results/benchmarks/prepare_splits/*.tsv"))
    held = sum((job.end - job.start).total_seconds() * job.cpus for job in jobs)
    report = {"submissions": len(jobs), "wall": wall, "working": working, "held": held}
    for name, value in report.items():
        record_property(name, value)
    print(
        f"{len(made)} tasks in {len(jobs)} submissions: {wall:.0f} s, tasks ran for {working:.0f} s in all, and "
        f"jobs held CPUs for {held:.0f} s"
    )
    assert len(made) == TASKS
    assert len(jobs) == TASKS / IN_A_GROUP
    assert {job.state for job in jobs} == {"COMPLETED"}


def seconds_of(benchmark: Path) -> float:
    """Seconds that a task took, by its benchmark."""
    return float(benchmark.read_text(encoding="utf-8").splitlines()[1].split("\t")[0])
