"""What jobs ask a cluster for, as a dry run says it; tests/slurm sees what they get."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from conftest import Outcome, run_workflow
from repository import REPOSITORY

PROFILE = REPOSITORY / "slurm/config.yaml"
PARTITIONS = REPOSITORY / "slurm/partitions.yaml"
DEFAULT = REPOSITORY / "profiles/default/config.yaml"


def resources(outcome: Outcome, rule: str, dataset: str) -> dict[str, str]:
    """Resources of a job of a rule and data set."""
    assert outcome.code == 0, outcome.text
    job = rf"^ *rule {rule}:\n(?: +\S.*\n)*? +wildcards: dataset={dataset},.*\n(?: +threads.*\n)? +resources: (.*)$"
    found = re.search(job, outcome.text, re.MULTILINE)
    assert found is not None, outcome.text
    return dict(entry.split("=", 1) for entry in found[1].split(", ") if "=" in entry)


def asked(tmp_path: Path, *settings: str) -> tuple[dict[str, str], dict[str, str]]:
    """Resources of a training on a GPU, and of one without."""
    chosen = ["--config", *settings] if settings else []
    outcome = run_workflow(tmp_path, "-n", "train", "--quiet", "host", *chosen)
    return resources(outcome, "train_network", "digits"), resources(outcome, "train_network", "circles")


def test_gpus_are_asked_for_by_number(tmp_path: Path) -> None:
    with_gpu, without = asked(tmp_path)
    assert with_gpu["gpu"] == "1"
    assert without["gpu"] == "0"
    assert not {"gres", "gpu_model"} & set(with_gpu)


def test_gpus_are_asked_for_by_model_where_one_is_named(tmp_path: Path) -> None:
    with_gpu, without = asked(tmp_path, "hardware={gpu_model: a100}")
    assert (with_gpu["gpu"], with_gpu["gpu_model"]) == ("1", "a100")
    assert (without["gpu"], without["gpu_model"]) == ("0", "")


def test_gpus_are_generic_resources_where_the_cluster_knows_no_others(tmp_path: Path) -> None:
    with_gpu, without = asked(tmp_path, "hardware={gpu_model: a100, gpu_request: gres}")
    assert (with_gpu["gpu"], with_gpu["gres"]) == ("0", "gpu:a100:1")
    assert (without["gpu"], without["gres"]) == ("0", "")


def test_limits_grow_with_each_attempt(tmp_path: Path) -> None:
    limits = []
    for attempt in (1, 3):
        outcome = run_workflow(tmp_path, "-n", "train", "--quiet", "host", "--attempt", str(attempt))
        asked_for = resources(outcome, "train_network", "circles")
        limits.append((int(asked_for["runtime"]) / attempt, int(asked_for["mem_mb"]) / attempt))
    assert limits[0] == limits[1]


def test_profiles_share_no_key() -> None:
    assert not set(yaml.safe_load(PROFILE.read_text())) & set(yaml.safe_load(DEFAULT.read_text()))


@pytest.mark.parametrize("path", [PROFILE, PARTITIONS, DEFAULT], ids=lambda path: path.parent.name)
def test_every_setting_of_a_profile_is_explained(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    for before, line in zip(["", *lines], lines, strict=False):
        listed = line.lstrip().startswith("- ")
        if line.strip() and not line.lstrip().startswith("#") and not listed:
            assert before.lstrip().startswith("#"), f"{path}: nothing is said of {line.strip()!r}"


def test_what_depends_on_the_cluster_is_marked() -> None:
    profile, partitions = PROFILE.read_text(), PARTITIONS.read_text()
    for line in ("jobs:", "slurm-no-account:", "slurm-partition-config:", "retries:", "# slurm_account:", "# config:"):
        before = profile.split(f"\n{line}" if not line.startswith("#") else line)[0]
        assert "EDIT" in before.rsplit("\n\n", 1)[-1], line
    assert partitions.count("EDIT") >= len(yaml.safe_load(partitions)["partitions"])
