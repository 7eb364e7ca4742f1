"""Fixtures that several test files share: running the workflow, and one finished smoke run."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml
from filelock import FileLock

from repository import NOT_COPIED, REPOSITORY, SMOKE, digest_of_smoke_run, numbers_of
from starter import snakemake

# Two test processes share the cores: more threads each would only stand in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Starts the workflow's tests, which take longest, first, and those that wait for its run last."""
    waiting = {item.path for item in items if "smoke_run" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: (item.path.name != "test_workflow.py", item.path in waiting))


Result = TypeVar("Result")


# Rules that make nothing themselves, or something of the whole run.
TARGETS = {"all", "data", "train", "flows", "metrics", "figures", "inference", "calibration", "complexity", "fetch"}
TARGETS |= {"sampler_efficiency", "generate", "images", "image_speed", "reporting", "plan", "animations", "baselines"}
TARGETS |= {"audit", "report", "bundle"}


@dataclass(frozen=True)
class Outcome:
    """How a run of the workflow ended."""

    code: int
    text: str

    @property
    def jobs(self) -> Counter[str]:
        """Number of jobs of each rule that a dry-run announces, targets left out."""
        table = re.search(r"^Job stats:\n.*?\ntotal ", self.text, re.DOTALL | re.MULTILINE)
        if table is None:
            assert "Nothing to be done" in self.text, self.text
            return Counter()
        rows = re.findall(r"^(\w+) +(\d+)$", table[0], re.MULTILINE)
        return Counter({rule: int(count) for rule, count in rows if rule not in TARGETS})


def run_workflow(
    directory: Path,
    *arguments: str,
    config: Path | Sequence[Path] = SMOKE,
    repository: Path = REPOSITORY,
    alone: bool = False,
) -> Outcome:
    """Runs snakemake on two cores with its results below a directory; alone, as a user starts it."""
    directory.mkdir(parents=True, exist_ok=True)
    options = [*arguments, "--cores", "2", "--snakefile", str(repository / "Snakefile")]
    files = [config] if isinstance(config, Path) else config
    options += ["--directory", str(directory), "--configfile", *map(str, files)]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output"
        if alone:
            command = [sys.executable, "-m", "snakemake", *options]
            with open(output, "wb") as file:
                code = subprocess.run(
                    command, cwd=directory, env=environment, stdout=file, stderr=subprocess.STDOUT, check=False
                ).returncode
        else:
            code = snakemake(options, directory, environment, output)
        return Outcome(code, output.read_text(encoding="utf-8", errors="replace"))


def with_cost(call: Callable[[], Result]) -> tuple[Result, float]:
    """What a call gives, and the CPU time of the processes that it starts, in starts of one that imports PyTorch alone.

    Machines differ by more than a factor of two, and are slower when other tests run: both take their share of that.
    """

    def seconds() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    before = seconds()
    result = call()
    between = seconds()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    return result, (between - before) / (seconds() - between)


def write_edited(directory: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    """Writes the smoke configuration after an edit."""
    content = yaml.safe_load(SMOKE.read_text())
    edit(content)
    path = directory / "edited.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    """The directory of a finished smoke run, this process' own copy; tests that change it work on another."""
    parallel = "PYTEST_XDIST_WORKER" in os.environ
    base = tmp_path_factory.getbasetemp()
    made = (base.parent if parallel else base) / "smoke"
    with FileLock(f"{made}.lock"):
        if not made.exists():
            # Under another name until it is whole: a run that fails is not taken for one.
            make_smoke_run(made.with_name("smoke-unfinished"), pytestconfig).rename(made)
    return Path(shutil.copytree(made, base / "smoke-copy"))


def make_smoke_run(directory: Path, pytestconfig: pytest.Config) -> Path:
    """Runs the whole smoke configuration, once for all processes of the tests."""
    shutil.rmtree(directory, ignore_errors=True)
    # Found here first, so that runs with a copy of the sources read the same file.
    shutil.copytree(REPOSITORY / "tests/data", directory / "tests/data")
    outcome = run_workflow(directory)
    assert outcome.code == 0, outcome.text
    # What the same run on a cluster is compared with (tests/slurm).
    pytestconfig.cache.set(f"smoke/{digest_of_smoke_run()}", numbers_of(directory / "results"))
    return directory


@pytest.fixture
def edited_config(tmp_path: Path) -> Callable[[Callable[[dict[str, Any]], None]], Path]:
    """Writes the smoke configuration after an edit, for one test."""
    return partial(write_edited, tmp_path)


@pytest.fixture
def copied_repository(tmp_path: Path) -> Path:
    """A copy of the sources to edit."""
    return Path(shutil.copytree(REPOSITORY, tmp_path / "copy", ignore=NOT_COPIED))
