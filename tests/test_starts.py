"""What jobs import before they do anything: those that draw, merge or report start in a fraction of torch's time."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys

import pytest

from inflationary_flows.experiments.registry import experiments
from inflationary_flows.runtime import digest
from repository import REPOSITORY

SCRIPTS = REPOSITORY / "workflow_scripts"
FOLDER = "inflationary_flows/experiments"
# What takes half a second to import, or more.
HEAVY = {"torch", "sklearn", "arviz_stats", "ot", "scipy.stats", "scipy.optimize", "matplotlib.pyplot"}
DRAWING = [f"{FOLDER}/{name}/figure.py" for name, experiment in experiments().items() if experiment.pictures]
LIGHT = ["plot.py", "plan.py", "audit.py", "bundle.py", "report.py", "summarise_sbc.py", *DRAWING]
# This has diagnostics of chains, which ArviZ computes.
MERGING = ["summarise_weights.py"]

# Runs the imports of sources, one after the other, as their jobs do, and prints what each of them has loaded.
IMPORTS = """
import ast, json, pathlib, sys
loaded, before = {}, set()
for source in sys.argv[1:]:
    tree = ast.parse(pathlib.Path(source).read_text(encoding="utf-8"))
    body = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    exec(compile(ast.Module(body, []), source, "exec"), {})
    loaded[source] = sorted({*sys.modules} - before)
    before = {*sys.modules}
print(json.dumps(loaded))
"""


def loaded_by(sources: list[str]) -> dict[str, set[str]]:
    """Modules that sources load in one process, each under the first that does."""
    command = [sys.executable, "-c", IMPORTS, *sources]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    done = subprocess.run(command, cwd=SCRIPTS, env=environment, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return {source: {*modules} for source, modules in json.loads(done.stdout).items()}


def imported_at_any_time(source: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Modules that a source and what it reaches import, in functions too."""
    monkeypatch.setattr(digest, "FORMAT_ONLY", frozenset())
    files = [SCRIPTS / source]
    files += [digest._file_of(name, SCRIPTS) for name in digest.source_closure(files[0], SCRIPTS)]
    names: set[str] = set()
    for node in (node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_jobs_that_draw_or_report_load_nothing_heavy() -> None:
    assert len(DRAWING) > 15
    assert {source: found for source, modules in loaded_by(LIGHT).items() if (found := modules & HEAVY)} == {}


def test_jobs_that_merge_load_no_torch_and_no_drawing() -> None:
    loaded = set().union(*loaded_by(MERGING).values())
    assert "arviz_stats" in loaded
    assert "torch" not in loaded
    # Tables are put below each other as text.
    assert not {"pandas", "matplotlib"} & loaded_by(["plot.py"])["plot.py"]


@pytest.mark.parametrize("source", ["train_network.py", "assemble_flow.py", "generate_images.py", "measure.py"])
def test_jobs_that_run_networks_load_nothing_heavy_beside_torch(source: str) -> None:
    modules = loaded_by([source])[source]
    assert modules & {*HEAVY, "pandas", "scipy"} == {"torch"}


def test_jobs_compute_deterministically_without_a_compiler() -> None:
    code = (
        "import sys, torch; from inflationary_flows.runtime.job import limit_threads; limit_threads(1);"
        "print(torch.are_deterministic_algorithms_enabled(), 'torch._dynamo' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, text=True, capture_output=True, check=True)
    assert done.stdout.split() == ["True", "False"]


@pytest.mark.parametrize("source", [*LIGHT, *MERGING])
def test_nothing_heavy_hides_in_functions(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = {"arviz_stats"} if source in MERGING else set()
    assert imported_at_any_time(source, monkeypatch) & HEAVY <= allowed
