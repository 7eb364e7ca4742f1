"""The plan of a run: its sums, its text, and its numbers of jobs against those of a dry-run."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from conftest import REPOSITORY, SMOKE, run_workflow, with_cost
from inflationary_flows.config import load_config, network_settings
from inflationary_flows.networks.costs import network_cost, training_hours
from inflationary_flows.report.plan import PLAN_COLUMNS, plan_rows, plan_text, with_totals

PAPER = REPOSITORY / "configs/paper.yaml"
PATCHES = REPOSITORY / "configs/photo_patches.yaml"
COUNTS = [
    {"stage": "train", "rule": "train_network", "jobs": 2, "gpus": 4, "hours": 10.0, "threads": 8},
    {"stage": "train", "rule": "train_network", "jobs": 3, "gpus": 0, "hours": 0.5, "threads": 2},
    {"stage": "metrics", "rule": "measure_quality", "jobs": 6, "gpus": 0, "hours": 0.25},
    {"stage": "metrics", "rule": "none_of_these", "jobs": 0, "gpus": 0, "hours": 1.0},
]


def test_hours_are_those_of_all_gpus_or_all_cores() -> None:
    train, quality = plan_rows(COUNTS)
    assert tuple(train) == PLAN_COLUMNS
    assert (train["jobs"], train["gpus"], train["gpu_hours"], train["cpu_hours"]) == (5, 4, 80.0, 3.0)
    assert (quality["jobs"], quality["gpus"], quality["gpu_hours"], quality["cpu_hours"]) == (6, 0, 0.0, 1.5)


def test_totals_add_up() -> None:
    rows = with_totals(plan_rows(COUNTS))
    assert [(row["stage"], row["rule"]) for row in rows if row["rule"] == "total"] == [
        ("train", "total"),
        ("metrics", "total"),
        ("total", "total"),
    ]
    assert (rows[-1]["jobs"], rows[-1]["gpu_hours"], rows[-1]["cpu_hours"]) == (11, 80.0, 4.5)


def test_text_is_a_table_with_aligned_columns() -> None:
    lines = plan_text(plan_rows(COUNTS)).splitlines()
    assert lines[0].split() == ["stage", "rule", "jobs", "GPUs", "a", "job", "GPU", "hours", "CPU", "hours"]
    assert len({len(line) for line in lines}) == 1
    assert lines[-1].split() == ["total", "total", "11", "4", "80.0", "4.5"]
    assert plan_text([]).splitlines()[-1].split() == ["total", "total", "0", "0", "0", "0"]


@pytest.mark.slow
@pytest.mark.parametrize("config", [SMOKE, PAPER, PATCHES], ids=["smoke", "paper", "photo_patches"])
def test_planned_jobs_are_those_of_a_dry_run(config: Path, tmp_path: Path) -> None:
    planned = run_workflow(tmp_path, "plan", config=config)
    assert planned.code == 0, planned.text
    table = pd.read_csv(tmp_path / "results/plan.csv")
    assert list(table.columns) == list(PLAN_COLUMNS)
    assert "GPU hours" in planned.text
    announced = run_workflow(tmp_path, "-n", config=config)
    assert announced.code == 0, announced.text
    assert table.groupby("rule")["jobs"].sum().to_dict() == dict(announced.jobs)


@pytest.mark.slow
def test_a_dry_run_of_the_paper_costs_no_more_than_a_few_of_its_jobs(tmp_path: Path) -> None:
    outcome, starts = with_cost(lambda: run_workflow(tmp_path, "-n", config=PAPER))
    assert outcome.code == 0
    assert starts < 8


@pytest.mark.slow
def test_time_limits_follow_from_the_size_of_the_network(tmp_path: Path) -> None:
    target = "results/networks/cifar10/images_d2/seed0/network.safetensors"
    outcome = run_workflow(tmp_path, target, "-n", "--quiet", "host", config=PAPER)
    assert outcome.code == 0, outcome.text
    rule = outcome.text[outcome.text.index("rule train_network:") :]
    resources = dict(re.findall(r"(\w+)=(\d+)", re.search(r"resources: (.*)", rule)[1]))
    config = load_config(PAPER)
    training, network = config.training["images"], network_settings(config, "cifar10")
    tflops = training.gpu * config.hardware.gpu_tflops
    hours = training_hours(network_cost(network, 3072), training.steps * training.batch_size, tflops)
    # At the configured speed it ends in time, and not long before.
    assert 60 * hours < int(resources["runtime"]) < 2 * 60 * hours
    assert int(resources["gpu"]) == training.gpu
    # The paper's 275 M images on 4 GPUs: days, not hours.
    assert 24 < hours < 96


def test_the_papers_configuration_has_every_row_of_tables_1_to_3() -> None:
    config = load_config(PAPER)
    published = pd.read_csv(REPOSITORY / "configs/paper_tables.csv", dtype={"table": str})
    wanted = published[published["table"].isin(["1", "2", "3"])]
    have = {
        (name, config.schedules[schedule].kept_dims or 3072, config.schedules[schedule].inflation_gap)
        for name in ("cifar10", "afhqv2")
        for schedule in config.datasets[name].schedules
    }
    rows = wanted[["dataset", "dims", "inflation_gap"]].itertuples(index=False, name=None)
    assert {(name, int(d), None if pd.isna(gap) else gap) for name, d, gap in rows} <= have
    for name in ("cifar10", "afhqv2"):
        images, training = config.experiments.images[name], config.training[config.datasets[name].training]
        assert (images.samples, images.draws, images.roundtrip) == (50_000, [0, 1, 2], 10_000)
        assert training.steps * training.batch_size == pytest.approx(275e6, rel=1e-3)
