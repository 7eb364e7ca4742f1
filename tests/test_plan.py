"""The plan of a run: what it reads of a dry run, its sums and its text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from conftest import REPOSITORY, SMOKE, Outcome, run_workflow, with_cost
from inflationary_flows.config import load_config, network_settings
from inflationary_flows.config.study import Study
from inflationary_flows.errors import ConfigError, InflationaryFlowsError
from inflationary_flows.networks.costs import network_cost, training_hours
from inflationary_flows.report.plan import (
    PLAN_COLUMNS,
    PlannedJob,
    dry_run,
    plan_rows,
    plan_text,
    read_dry_run,
    with_totals,
)

PAPER = REPOSITORY / "configs/paper.yaml"
PAPER_SHARED = REPOSITORY / "configs/paper_shared.yaml"
STAGES = {"train_network": "flows", "measure_tarp": "calibration", "plot_tarp": "calibration"}
ON_GPUS = {"gpu": "4", "expected_seconds": "36000"}
JOBS = [
    PlannedJob("measure_tarp", resources={"expected_seconds": "900"}),
    PlannedJob("train_network", threads=8, resources=ON_GPUS),
    PlannedJob("train_network", threads=8, resources=ON_GPUS),
    PlannedJob("train_network", threads=2, resources={"gpu": "0", "expected_seconds": "1800"}),
]


def test_hours_are_those_of_all_gpus_or_all_cores() -> None:
    train, tarp = plan_rows(JOBS, STAGES)
    assert tuple(train) == PLAN_COLUMNS
    assert tuple(train.values()) == ("flows", "train_network", 3, 4, 80.0, 1.0)
    assert tuple(tarp.values()) == ("calibration", "measure_tarp", 1, 0, 0.0, 0.25)


def test_totals_add_up() -> None:
    rows = with_totals(plan_rows(JOBS, STAGES))
    totals = [row for row in rows if row["rule"] == "total"]
    assert [row["stage"] for row in totals] == ["flows", "calibration", "total"]
    assert (rows[-1]["jobs"], rows[-1]["gpu_hours"], rows[-1]["cpu_hours"]) == (4, 80.0, 1.25)


def test_text_is_a_table_with_aligned_columns() -> None:
    lines = plan_text(plan_rows(JOBS, STAGES)).splitlines()
    assert lines[0].split() == ["stage", "rule", "jobs", "GPUs", "a", "job", "GPU", "hours", "CPU", "hours"]
    assert len({len(line) for line in lines}) == 1
    assert lines[-1].split() == ["total", "total", "4", "4", "80.0", "1.2"]
    assert plan_text([]).splitlines()[-1].split() == ["total", "total", "0", "0", "0", "0"]


@pytest.mark.parametrize(
    ("asked", "gpus"),
    [
        ("gpu=2, gpu_model=a100", 2),
        ("gpu=0, gres=gpu:3", 3),
        ("gpu=0, gres=gpu:a100:4", 4),
        ("gpu=0, gres=", 0),
        ("", 0),
    ],
)
def test_gpus_are_counted_in_the_words_of_any_cluster(asked: str, gpus: int) -> None:
    text = f"rule a:\n    output: results/a\n    resources: tmpdir=/tmp, {asked}\ntotal    1\n"
    assert [job.gpus for job in read_dry_run(text)] == [gpus]


def test_a_rule_that_expects_no_time_is_named() -> None:
    with pytest.raises(InflationaryFlowsError, match=r"rule plot_tarp: expected the resource expected_seconds, got"):
        plan_rows([*JOBS, PlannedJob("plot_tarp", resources={"gpu": "0"})], STAGES)


@pytest.mark.parametrize("text", ["", "total    2\n", "rule a:\n    output: results/a\n"])
def test_words_that_are_not_understood_are_no_plan(text: str) -> None:
    with pytest.raises(RuntimeError, match="Snakemake's words have changed"):
        read_dry_run(text)


def planned(directory: Path, config: Path) -> list[PlannedJob]:
    with chdir(directory):
        return read_dry_run(dry_run(REPOSITORY / "Snakefile", config))


@pytest.mark.slow
def test_a_run_that_cannot_be_planned_ends_in_what_snakemake_says(
    edited_config: Callable[[Callable[[dict[str, Any]], None]], Path], tmp_path: Path
) -> None:
    config = edited_config(lambda content: content["solver"].update(method="rk5000"))
    with pytest.raises(
        ConfigError, match=r"(?s)expected a dry run that succeeds, got.*edited\.yaml: solver\.method: expected"
    ) as caught:
        planned(tmp_path, config)
    assert "Traceback" not in str(caught.value)


@pytest.mark.slow
def test_the_plan_is_that_of_the_resolved_configuration(tmp_path: Path) -> None:
    outcome = run_workflow(tmp_path, "plan")
    assert outcome.code == 0, outcome.text
    assert "GPU hours" in outcome.text
    assert "Forced execution" not in outcome.text
    jobs = planned(tmp_path, SMOKE)
    again = planned(tmp_path, Path("results/config.resolved.yaml"))
    assert sorted(map(str, jobs)) == sorted(map(str, again))
    table = pd.read_csv(tmp_path / "results/plan.csv")
    assert list(table.columns) == list(PLAN_COLUMNS)
    assert table["jobs"].sum() == len(jobs)


@pytest.mark.slow
def test_jobs_of_groups_and_of_none_are_read_alike(tmp_path: Path) -> None:
    with chdir(tmp_path):
        text = dry_run(REPOSITORY / "Snakefile", SMOKE)
    # Those of groups stand further to the right.
    assert {len(indent) for indent in re.findall(r"^( *)rule ", text, re.MULTILINE)} == {0, 4}
    assert Counter(job.rule for job in read_dry_run(text)) == Outcome(0, text).jobs


@pytest.mark.slow
def test_twice_the_steps_are_twice_the_hours_however_gpus_are_asked_for(
    edited_config: Callable[[Callable[[dict[str, Any]], None]], Path], tmp_path: Path
) -> None:
    def trained_for(steps: int, **hardware: str) -> dict[str, list[PlannedJob]]:
        def edit(content: dict[str, Any]) -> None:
            content["training"]["images"] |= {"steps": steps, "batch_size": 4096, "gpu": 4, "accumulate": 1}
            content.setdefault("hardware", {}).update(hardware)

        jobs = planned(tmp_path, edited_config(edit))
        trains = [job for job in jobs if job.rule == "train_network" and job.gpus]
        return {"train": trains, "other": [job for job in jobs if job not in trains]}

    once = trained_for(5 * 10**8)
    twice = trained_for(10**9, gpu_request="gres", gpu_model="a100")
    hours = [sum(job.gpus * job.hours for job in run["train"]) for run in (once, twice)]
    assert hours[1] == pytest.approx(2 * hours[0], rel=1e-2)
    assert {job.gpus for run in (once, twice) for job in run["train"]} == {4}
    others = [[(job.rule, job.gpus, job.threads, job.hours) for job in run["other"]] for run in (once, twice)]
    assert sorted(others[0]) == sorted(others[1])


@pytest.mark.slow
def test_a_dry_run_of_the_paper_costs_no_more_than_a_few_of_its_jobs(tmp_path: Path) -> None:
    outcome, starts = with_cost(lambda: run_workflow(tmp_path, "-n", config=PAPER, alone=True))
    assert outcome.code == 0
    assert starts < 4


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


@pytest.mark.long
@pytest.mark.parametrize(
    ("files", "networks", "least", "most"),
    [([PAPER], 23, 3_600, 3_800), ([PAPER, PAPER_SHARED], 2, 350, 400)],
    ids=["a network each", "shared"],
)
def test_the_plan_of_the_papers_tables_in_gpu_hours(
    files: list[Path], networks: int, least: float, most: float, tmp_path: Path
) -> None:
    """As published, and from one network for each set of images: a tenth of the hours."""
    outcome = run_workflow(tmp_path, "plan", config=files, alone=True)
    assert outcome.code == 0, outcome.text
    table = pd.read_csv(tmp_path / "results/plan.csv").set_index("rule")
    assert least <= table.loc["train_network", "gpu_hours"] <= most
    # Nine toys' flows with their repeats and variants are trained either way, on CPUs.
    toys = 45
    assert table.loc["train_network", "jobs"] == toys + networks
    # All else is the same: images, measurements, and table 4.
    assert table.loc["assemble_flow", "jobs"] == 33
    assert table.loc["generate_images", "jobs"] == 690


def test_shared_networks_of_the_paper_see_every_schedule_of_its_tables() -> None:
    published, shared = Study(load_config(PAPER)), Study(load_config([PAPER, PAPER_SHARED]))
    assert shared.flows == published.flows
    images = [flow for flow in shared.flows if flow[0] in shared.image_sets]
    assert shared.networks(images) == [(name, "shared", "0") for name in ("afhqv2", "cifar10")]
    assert len(published.networks(images)) == 23
    for name in ("afhqv2", "cifar10"):
        each = [published.kernels_of(*flow[:2])["schedules"] for flow in published.flows if flow[0] == name]
        assert shared.kernels_of(name, "shared")["schedules"] == [one for (one,) in each]
        steps = [study.steps_of(name, "0") for study in (published, shared)]
        assert steps[1] / steps[0] == pytest.approx(1.2, rel=1e-5)
        # What it is told costs next to nothing.
        costs = [network_cost(network_settings(s.config, name), 3072).parameters for s in (published, shared)]
        assert costs[0] < costs[1] < 1.01 * costs[0]
    assert {name: shared.trained_as((name, "prp", "0")) for name in shared.point_sets} == {
        name: (name, "prp", "0") for name in shared.point_sets
    }


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
        assert (images.samples, images.sample_seeds, images.roundtrip) == (50_000, [0, 1, 2], 10_000)
        assert training.steps * training.batch_size == pytest.approx(275e6, rel=1e-3)
