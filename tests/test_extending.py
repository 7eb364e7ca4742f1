"""The recipe of docs/extending.md: an experiment made of the blocks of the page, and of nothing else."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from conftest import Outcome, run_workflow
from inflationary_flows.mathematics.denoisers import GaussianDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.schedules import make_schedule
from repository import REPOSITORY

PAGE = (REPOSITORY / "docs/extending.md").read_text().partition("## A new experiment")[2].partition("\n## ")[0]
NAME = "latent_radii"
FIGURE, TABLE = f"results/figures/{NAME}.png", f"results/tables/{NAME}.csv"
# The one new rule of each kind.
NEW = {f"measure_{NAME}": 1, f"plot_{NAME}": 1}
TINY: dict[str, Any] = {
    "datasets": {"circles": {"schedules": ["prp"], "sizes": {"train": 500, "validation": 200, "test": 500}}},
    "schedules": {"prp": {"signal_left": 1e-2}},
    "networks": {"toy": {"kind": "mlp", "width": 16, "blocks": 1, "frequencies": 8}},
    "training": {"toy": {"steps": 10, "warmup_steps": 1, "batch_size": 32, "reference_size": 64, "validate_every": 5}},
    "solver": {"method": "rk4", "steps": 8},
}


def blocks() -> dict[str, str]:
    """The files of the page, by name."""
    return dict(re.findall(r"^`(\w+\.py)` [^`].*?^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))


def entry() -> dict[str, Any]:
    """The entry of a configuration, as the page has it."""
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    content: dict[str, Any] = yaml.safe_load(block)
    return content


def add_experiment(repository: Path) -> Path:
    """Writes the files of the page where it says; returns their folder."""
    folder = repository / f"workflow_scripts/inflationary_flows/experiments/{NAME}"
    folder.mkdir()
    for file, text in blocks().items():
        (folder / file).write_text(text)
    return folder


def library_command(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs `python -m inflationary_flows` of a copy of the repository."""
    environment = os.environ | {"PYTHONPATH": str(repository / "workflow_scripts")}
    command = [sys.executable, "-m", "inflationary_flows", *arguments]
    return subprocess.run(command, env=environment, cwd=repository, capture_output=True, text=True, check=False)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A tiny configuration with the entry of the page."""
    path = tmp_path / "my.yaml"
    path.write_text(yaml.safe_dump(TINY | entry()))
    return path


def test_the_page_has_the_files_of_an_experiment() -> None:
    assert list(blocks()) == ["__init__.py", "measure.py", "spec.py", "figure.py"]
    for text in blocks().values():
        assert ast.get_docstring(ast.parse(text))


def test_exact_latents_of_a_gaussian_lie_within_the_balls() -> None:
    namespace: dict[str, Any] = {}
    exec(compile(blocks()["measure.py"], "measure.py", "exec"), namespace)
    rng = np.random.default_rng(0)
    points = rng.standard_normal((20_000, 3)) * [2.0, 1.0, 0.3]
    basis = Eigenbasis.fit(points)
    for kept_dims in (None, 2):
        schedule = make_schedule(basis.eigenvalues, kept_dims=kept_dims, signal_left=1e-3)
        flow = Flow(GaussianDenoiser(schedule), basis, solver=SolverSettings("rk4", 16))
        made = namespace["measure"](
            flow, splits=SimpleNamespace(test=points), levels=[0.1, 0.5, 0.9], samples=4_000, seed=0
        )
        rows = pd.DataFrame(made.tables[NAME])
        assert (rows["n"] == 4_000).all()
        assert (np.abs(rows["share"] - rows["level"]) < 4 * rows["se"]).all()


def test_the_configuration_and_the_rules_know_it(copied_repository: Path, config: Path) -> None:
    before = library_command(copied_repository, "check", str(config))
    assert before.returncode == 2
    assert NAME in before.stderr

    add_experiment(copied_repository)
    after = library_command(copied_repository, "check", str(config))
    assert (after.returncode, after.stderr) == (0, "")
    assert f'"{NAME}"' in library_command(copied_repository, "schema").stdout

    wrong = config.with_name("wrong.yaml")
    wrong.write_text(yaml.safe_dump(TINY | {"experiments": {NAME: {"levels": [2.0]}}}))
    refused = library_command(copied_repository, "check", str(wrong))
    assert refused.returncode == 2
    assert f"experiments.{NAME}.levels[0]" in refused.stderr

    listed = run_workflow(config.parent / "run", "--list-rules", config=config, repository=copied_repository)
    assert listed.code == 0, listed.text
    described = blocks()["__init__.py"].strip().strip('"')
    for rule in NEW:
        assert f"\n{rule} ({described})\n" in listed.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("spec.py", 'stage="metrics"', 'stage="metrix"', "stage: expected one of data, metrics, figures"),
        ("spec.py", 'environment="metrics"', 'environment="metrix"', "environment: expected one of baselines, data"),
        ("spec.py", 'needs=("splits",)', 'needs=("split",)', "measurement.needs: expected one of splits, eigenbasis"),
        ("spec.py", "EXPERIMENT = ", "STUDY = ", "expected Python that defines EXPERIMENT, got AttributeError"),
        ("spec.py", f'"{NAME}"', '"tarp"', "tarp in latent_radii too"),
        ("figure.py", None, None, "expected a figure.py beside it, got none"),
    ],
)
def test_a_spec_that_is_wrong_is_named(
    copied_repository: Path, config: Path, file: str, old: str | None, new: str | None, message: str
) -> None:
    path = add_experiment(copied_repository) / file
    if old is None or new is None:
        path.unlink()
    else:
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
    found = library_command(copied_repository, "check", str(config))
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith("experiments/")
    assert message in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.slow
@pytest.mark.long
def test_it_is_measured_and_drawn_and_nothing_else_is_made_again(copied_repository: Path, config: Path) -> None:
    directory = config.parent / "run"

    def workflow(*arguments: str, configured: Path = config) -> Outcome:
        outcome = run_workflow(directory, *arguments, config=configured, repository=copied_repository)
        assert outcome.code == 0, outcome.text
        return outcome

    without = config.with_name("without.yaml")
    without.write_text(yaml.safe_dump(TINY))
    workflow("flows", configured=without)

    folder = add_experiment(copied_repository)
    assert workflow("flows", FIGURE, "--dry-run").jobs == NEW
    workflow(FIGURE)
    table = pd.read_csv(directory / TABLE)
    assert list(table.columns) == ["dataset", "schedule", "seed", "level", "radius", "share", "se", "n"]
    assert list(table["level"]) == entry()["experiments"][NAME]["levels"]
    assert set(table["n"]) == {500}
    assert (directory / FIGURE).read_bytes().startswith(b"\x89PNG")
    assert (directory / f"results/provenance/figures/{NAME}.png.json").is_file()

    spec = folder / "spec.py"
    spec.write_text(spec.read_text().replace("A good flow", "A perfect flow"))
    assert workflow(FIGURE, "--dry-run").jobs == {}
    drawing = folder / "figure.py"
    drawing.write_text(drawing.read_text().replace("ms=2.5", "ms=3.5"))
    assert workflow(FIGURE, "--dry-run").jobs == {f"plot_{NAME}": 1}
