"""The first command of the README: few jobs, which end with what it promises, in a folder of their own."""

from __future__ import annotations

import subprocess
from pathlib import Path

from conftest import run_workflow
from inflationary_flows.config import load_config
from inflationary_flows.config.study import Study
from inflationary_flows.experiments import layout
from inflationary_flows.experiments.registry import experiments
from repository import REPOSITORY

QUICK = REPOSITORY / "configs/quick.yaml"
PROMISED = {f"results/figures/{name}.png" for name in ("fig02", "fig03", "fig04", "tarp")}


def test_quick_run_has_at_most_twenty_jobs_and_makes_what_it_promises(tmp_path: Path) -> None:
    outcome = run_workflow(tmp_path, "report", "-n", config=QUICK)
    assert outcome.code == 0, outcome.text
    # The report itself is counted as a target.
    assert sum(outcome.jobs.values()) + 1 <= 20
    assert outcome.jobs["train_network"] == 2
    # Whoever runs all of it has the same jobs.
    assert run_workflow(tmp_path, "-n", config=QUICK).jobs == outcome.jobs
    study = Study(load_config(QUICK))
    assert {path for one in layout.asked_for(study) for path in layout.shown_files(study, one)} >= PROMISED


def test_configuration_without_only_makes_all_experiments() -> None:
    study = Study(load_config(REPOSITORY / "config.yaml"))
    assert layout.asked_for(study) == list(experiments().values())


def test_quick_results_lie_in_a_folder_of_their_own() -> None:
    recipe = subprocess.run(["make", "-n", "quick"], cwd=REPOSITORY, text=True, capture_output=True, check=True).stdout
    assert "snakemake report --directory quick --configfile configs/quick.yaml" in " ".join(recipe.split())
    assert "quick/results/report.html" in recipe
    ignored = subprocess.run(["git", "check-ignore", "-q", "quick/results/report.html"], cwd=REPOSITORY, check=False)
    assert ignored.returncode == 0
    assert (
        "rm -rf quick"
        in subprocess.run(
            ["make", "-n", "clean-results"], cwd=REPOSITORY, text=True, capture_output=True, check=True
        ).stdout
    )
