"""The method that is added in docs/baselines.md: one module and one entry, as the page has them, and nothing else."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from conftest import run_workflow
from inflationary_flows.artifacts.models import load_model, save_model
from inflationary_flows.baselines import methods
from inflationary_flows.baselines.discovery import load_method, method_file, method_names, option_names
from inflationary_flows.baselines.method import Model, TrainingTask
from inflationary_flows.checkpoint import Checkpoint
from inflationary_flows.config import load_config
from inflationary_flows.errors import ConfigError, DataError
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from repository import REPOSITORY

PAGE = (REPOSITORY / "docs/baselines.md").read_text().partition("## One more method")[2]
KIND = "probabilistic_pca"
CONFIG = REPOSITORY / "configs/baselines.yaml"
D, KEPT = 5, 2
# The last three are what probabilistic PCA takes all that is left to be: alike.
SPECTRUM = np.array([4.0, 2.0, 0.25, 0.25, 0.25])
# What shows all methods, or measures them side by side.
OF_ALL = {"measure_comparison", "measure_method_costs", "plot_baselines", "measure_table4", "merge_table4"}


def block_of(language: str) -> str:
    """The one example of a language in the section."""
    (block,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return block


def with_entry() -> dict[str, Any]:
    """The shipped configuration with the entry added."""
    content = yaml.safe_load(CONFIG.read_text())
    content["baselines"]["methods"] |= yaml.safe_load(block_of("yaml"))["baselines"]["methods"]
    return content


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The module of the page, where the library finds it."""
    (tmp_path / f"{KIND}.py").write_text(block_of("python"))
    monkeypatch.setattr(methods, "__path__", [*methods.__path__, str(tmp_path)])
    yield KIND
    # Imported from a folder that will be gone.
    sys.modules.pop(f"{methods.__name__}.{KIND}", None)


@pytest.fixture
def points() -> np.ndarray:
    """Gaussian points in coordinates of different units."""
    rng = np.random.default_rng(0)
    rotation, _ = np.linalg.qr(rng.standard_normal((D, D)))
    units = np.array([1.0, 10.0, 0.1, 2.0, 5.0])
    return 3.0 + units * (rng.standard_normal((20_000, D)) * np.sqrt(SPECTRUM) @ rotation.T)


@pytest.fixture
def task(points: np.ndarray) -> TrainingTask:
    return TrainingTask(
        train=points,
        validation=points[:100],
        basis=Eigenbasis.fit(points, np.array([1.0, 10.0, 0.1, 2.0, 5.0])),
        schedule={"kept_dims": KEPT},
        network={},
        training={},
        solver={},
        compressed_prior="gaussian",
        budget={},
    )


def fitted(task: TrainingTask, **options: Any) -> Model:
    method = load_method(KIND)
    model, _ = method.fit(task, method.Settings(**options), steps=1000, seed=0, checkpoint=Checkpoint.unkept())
    return model


def in_eigenbasis(task: TrainingTask, x: np.ndarray) -> np.ndarray:
    return task.basis.to_eigen(torch.from_numpy(x)).numpy()


def test_the_module_is_found_by_its_name(added: str) -> None:
    assert added in method_names()
    assert method_file(added).name == f"{added}.py"
    assert option_names(added) == {"noise": "float"}


def test_its_samples_have_the_covariance_of_the_data(added: str, task: TrainingTask, points: np.ndarray) -> None:
    model = fitted(task)
    assert (model.dimension, model.kept_dims) == (D, KEPT)
    found = np.cov(model.sample(20_000, seed=1).T)
    expected = np.cov(points.T)
    spread = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    # 20,000 points on either side: standard errors of covariances are about a hundredth of this.
    assert np.abs((found - expected) / spread).max() < 0.04


def test_without_noise_its_samples_lie_in_the_plane(added: str, task: TrainingTask) -> None:
    model = fitted(task, noise=0.0)
    x = model.sample(500, seed=1)
    assert np.allclose(model.reconstruct(x), x, atol=1e-9)
    variances = in_eigenbasis(task, model.sample(20_000, seed=1)).var(0)
    assert variances[:KEPT] == pytest.approx(SPECTRUM[:KEPT] - 0.25, rel=0.05)
    assert variances[KEPT:] == pytest.approx(0.0, abs=1e-12)


def test_it_reconstructs_like_principal_components(added: str, task: TrainingTask, points: np.ndarray) -> None:
    model = fitted(task)
    lost = in_eigenbasis(task, points - model.reconstruct(points) + task.basis.mean.numpy())
    assert np.square(lost).sum(1).mean() == pytest.approx(SPECTRUM[KEPT:].sum(), rel=0.03)
    assert np.array_equal(model.round_trip(points), model.reconstruct(points))
    with pytest.raises(DataError, match=r"x: expected an array of shape \(n, 5\)"):
        model.reconstruct(points[:, :3])


def test_its_points_do_not_depend_on_parts(added: str, task: TrainingTask) -> None:
    model = fitted(task)
    parts = [model.sample_numbered(0, 3, seed=2), model.sample_numbered(3, 7, seed=2)]
    np.testing.assert_allclose(np.concatenate(parts), model.sample_numbered(0, 10, seed=2), rtol=1e-13)
    assert not np.array_equal(model.sample(10, seed=2), model.sample(10, seed=3))


def test_it_survives_its_file(added: str, task: TrainingTask, points: np.ndarray, tmp_path: Path) -> None:
    model = fitted(task, noise=0.5)
    save_model(tmp_path / "model.safetensors", added, model, {"seed": 0})
    again = load_model(tmp_path)
    assert (again.dimension, again.kept_dims, again.parameters) == (D, KEPT, model.parameters)
    # Products round otherwise when a matrix lies otherwise in memory.
    assert np.allclose(again.sample(20, seed=4), model.sample(20, seed=4), rtol=1e-12, atol=1e-12)
    assert np.allclose(again.to("cpu").reconstruct(points[:20]), model.reconstruct(points[:20]), rtol=1e-12, atol=1e-12)


def test_the_entry_is_checked_like_any_other(added: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    content = with_entry()
    assert load_config(content).baselines.methods[KIND].kind == KIND
    content["baselines"]["methods"][KIND]["candidates"][0] = {"noise": "little"}
    with pytest.raises(ConfigError, match=rf"baselines\.methods\.{KIND}\.candidates\[0\]\.noise: expected a number"):
        load_config(content)
    content["baselines"]["methods"][KIND]["candidates"] = [{"nose": 1.0}]
    with pytest.raises(ConfigError, match='did you mean "noise"'):
        load_config(content)


def test_the_module_is_typed_and_documented_like_the_others() -> None:
    tree = ast.parse(block_of("python"))
    assert ast.get_docstring(tree)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert {"fit", "pack", "unpack"} <= {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert all(node.returns is not None for node in functions)
    assert all(argument.annotation or argument.arg == "self" for node in functions for argument in node.args.args)


@pytest.mark.long
def test_the_workflow_plans_its_jobs_and_changes_none_of_the_others(copied_repository: Path, tmp_path: Path) -> None:
    """All files of a run are made up, and taken for made by its jobs; then the method is added."""
    directory, config = tmp_path / "run", tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(of_one_seed(yaml.safe_load(CONFIG.read_text()))))
    before = dry_run(directory, config, copied_repository)
    for path in (path for job in before for path in job.outputs):
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text("")
    # Forced, because nothing would be left to do: it is the record of params and inputs that is wanted.
    touched = run_workflow(directory, "baselines", "--touch", "--forceall", config=config, repository=copied_repository)
    assert touched.code == 0, touched.text
    assert dry_run(directory, config, copied_repository) == []

    module = copied_repository / f"workflow_scripts/inflationary_flows/baselines/methods/{KIND}.py"
    module.write_text(block_of("python"))
    config.write_text(yaml.safe_dump(of_one_seed(with_entry())))
    after = dry_run(directory, config, copied_repository)

    mine, others = own_jobs(after, KIND), [job for job in after if not job.is_of(KIND)]
    assert {"search_method", "train_method", "measure_method", "generate_method_images"} <= set(mine)
    assert mine == own_jobs(before, "m_flow")
    assert {job.rule for job in others} == OF_ALL


@dataclass(frozen=True)
class Job:
    """A job that a dry-run announces."""

    rule: str
    outputs: tuple[str, ...]

    def is_of(self, method: str) -> bool:
        return all(path.startswith(f"results/baselines/{method}/") for path in self.outputs)


def own_jobs(jobs: list[Job], method: str) -> Counter[str]:
    return Counter(job.rule for job in jobs if job.is_of(method))


def of_one_seed(content: dict[str, Any]) -> dict[str, Any]:
    """A toy and a set of images, which all rules are needed for."""
    datasets = content["baselines"]["datasets"]
    content["baselines"] |= {"seeds": [0], "datasets": {name: datasets[name] for name in ("circles", "digits")}}
    return content


def dry_run(directory: Path, config: Path, repository: Path) -> list[Job]:
    """Jobs that are still to do for the target, which itself is left out."""
    outcome = run_workflow(
        directory, "baselines", "--dry-run", "--quiet", "reason", config=config, repository=repository
    )
    assert outcome.code == 0, outcome.text
    # Without a record of params an edit of them would pass for none.
    assert "missing provenance" not in outcome.text
    jobs = re.findall(r"^ *(?:local)?rule (\w+):\n(?: +input: .*\n)? +output: (.*)\n", outcome.text, re.MULTILINE)
    found = [Job(rule, tuple(outputs.split(", "))) for rule, outputs in jobs]
    assert Counter(job.rule for job in found) == outcome.jobs
    return found
