"""The digest of source code sees what changes numbers, and nothing else."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from inflationary_flows.errors import DataError
from inflationary_flows.runtime import digest as module
from inflationary_flows.runtime.digest import source_closure, source_digest
from inflationary_flows.runtime.job import job

REPOSITORY = Path(__file__).parents[1]
SCRIPTS = REPOSITORY / "workflow_scripts"
EXPERIMENTS = SCRIPTS / "inflationary_flows/experiments"

TREE = {
    "script.py": '"""Doc."""\nfrom inflationary_flows.training.fit import fit\n\nfit()\n',
    "lazy_script.py": "from inflationary_flows import Flow\n",
    "figure.py": "def main():\n    from inflationary_flows.plotting import toys\n    toys.plot()\n",
    "inflationary_flows/__init__.py": (
        "def __getattr__(name):\n    from inflationary_flows.artifacts.flows import Flow\n    return Flow\n"
    ),
    "inflationary_flows/errors.py": "class E(Exception):\n    pass\n",
    "inflationary_flows/artifacts/__init__.py": "",
    "inflationary_flows/artifacts/flows.py": "from ..files.files import read\nfrom ..mathematics.flow import Flow\n",
    "inflationary_flows/files/__init__.py": "",
    "inflationary_flows/files/files.py": "from ..training.fit import fit\n\nread = 1\n",
    "inflationary_flows/mathematics/__init__.py": ("from .denoisers import D\nfrom .flow import Flow\n"),
    "inflationary_flows/mathematics/denoisers.py": "from ..errors import E\n\nD = 1\n",
    "inflationary_flows/mathematics/flow.py": "class Flow:\n    pass\n",
    "inflationary_flows/training/__init__.py": "",
    "inflationary_flows/training/fit.py": (
        "from inflationary_flows.mathematics import D\n\ndef fit():\n    '''Doc.'''\n    return D\n"
    ),
    "inflationary_flows/plotting/__init__.py": "",
    "inflationary_flows/plotting/toys.py": "def plot():\n    return 1\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in TREE.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def digest_after(tree: Path, script: str, edited: str | None = None, text: str = "") -> str:
    """Digest of a script after a file was given a new text, as a new process would see it."""
    if edited is not None:
        (tree / edited).write_text(text)
    for cached in (module._locate, module._imports, module._read, module._normalised):
        cached.cache_clear()
    return source_digest(tree / script, tree)


@pytest.mark.parametrize(
    ("edited", "text"),
    [
        ("script.py", "from inflationary_flows.training.fit import fit\n\nfit(2)\n"),
        ("inflationary_flows/training/fit.py", "from inflationary_flows.mathematics import D\n"),
        ("inflationary_flows/mathematics/denoisers.py", "D = 2\n"),
        ("inflationary_flows/mathematics/__init__.py", "from .denoisers import D\n\nD += 1\n"),
        ("inflationary_flows/__init__.py", "import os\n\nos.environ['A'] = 'b'\n"),
    ],
)
def test_edits_that_can_change_numbers_change_the_digest(tree: Path, edited: str, text: str) -> None:
    before = digest_after(tree, "script.py")
    assert digest_after(tree, "script.py", edited, text) != before


@pytest.mark.parametrize(
    ("edited", "text"),
    [
        (
            "script.py",
            '"""Other."""\n# why\nfrom inflationary_flows.training.fit import fit\nfit( )\n',
        ),
        ("inflationary_flows/plotting/toys.py", "def plot():\n    return 2\n"),
        ("inflationary_flows/errors.py", "class E(Exception):\n    x = 1\n"),
        ("inflationary_flows/artifacts/flows.py", "x = 1\n"),
        ("inflationary_flows/mathematics/flow.py", "class Flow:\n    x = 1\n"),
        (
            "inflationary_flows/mathematics/__init__.py",
            "from .denoisers import D\nfrom .flow import Flow\nfrom .new import N\n",
        ),
        (
            "inflationary_flows/training/fit.py",
            "from inflationary_flows.mathematics import D\n\ndef fit():\n    # why\n    return D\n",
        ),
    ],
)
def test_edits_that_cannot_change_numbers_keep_the_digest(tree: Path, edited: str, text: str) -> None:
    before = digest_after(tree, "script.py")
    assert digest_after(tree, "script.py", edited, text) == before


def test_digest_is_the_same_from_what_is_kept_of_sources(tree: Path) -> None:
    before = digest_after(tree, "script.py")
    kept = sorted(tree.rglob("*.digest.json"))
    assert len(kept) > 3
    assert digest_after(tree, "script.py") == before
    for path in kept:
        # As a disk that was full leaves it.
        path.write_bytes(path.read_bytes()[:100])
    assert digest_after(tree, "script.py") == before


def test_lazy_names_lead_to_their_module(tree: Path) -> None:
    before = digest_after(tree, "lazy_script.py")
    flow = "inflationary_flows/mathematics/flow.py"
    assert digest_after(tree, "lazy_script.py", flow, "class Flow:\n    x = 1\n") != before


def test_what_reads_flows_counts_and_what_reads_files_does_not(tree: Path) -> None:
    before = digest_after(tree, "lazy_script.py")
    assert digest_after(tree, "lazy_script.py", "inflationary_flows/files/files.py", "read = 2\n") == before
    flows = "inflationary_flows/artifacts/flows.py"
    assert (
        digest_after(tree, "lazy_script.py", flows, "from ..mathematics.flow import Flow as F\n\nFlow = F\n") != before
    )


@pytest.mark.parametrize("edited", ["training/content.py", "training/flow_content.py", "artifacts/flow_files.py"])
def test_every_script_that_loads_flows_depends_on_how_they_are_loaded(edited: str, tmp_path: Path) -> None:
    copy = shutil.copytree(SCRIPTS, tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    loading = [path.name for path in sorted(copy.glob("*.py")) if "load_flow(" in path.read_text()]
    assert {"measure.py", "generate_images.py"} <= {*loading}
    before = [source_digest(copy / name, copy) for name in loading]
    path = f"inflationary_flows/{edited}"
    after = digest_after(copy, loading[0], path, (copy / path).read_text() + "\nedited = True\n")
    assert not set(before) & {after, *(source_digest(copy / name, copy) for name in loading)}


@pytest.mark.parametrize("module", ["artifacts/fitting.py", "training/recipe.py", "metrics/summary.py"])
def test_what_only_python_uses_reruns_no_job(module: str) -> None:
    name = f"inflationary_flows.{module.removesuffix('.py').replace('/', '.')}"
    assert name in source_closure(SCRIPTS / "inflationary_flows/artifacts/flows.py", SCRIPTS)
    assert not [path.name for path in SCRIPTS.glob("*.py") if name in source_closure(path, SCRIPTS)]


def test_imports_inside_functions_count(tree: Path) -> None:
    before = digest_after(tree, "figure.py")
    toys = "inflationary_flows/plotting/toys.py"
    assert digest_after(tree, "figure.py", toys, "def plot():\n    return 2\n") != before


def test_digest_does_not_depend_on_where_the_repository_lies(tree: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "moved"
    for name, text in TREE.items():
        path = elsewhere / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert source_digest(tree / "script.py", tree) == source_digest(elsewhere / "script.py", elsewhere)


def test_no_script_that_makes_numbers_depends_on_plotting() -> None:
    plots = {
        str(path.relative_to(SCRIPTS)): {name for name in source_closure(path, SCRIPTS) if ".plotting." in name}
        for path in (*SCRIPTS.glob("*.py"), *EXPERIMENTS.glob("*/measure.py"))
    }
    # The report names data sets and schedules as figures do.
    assert plots.pop("report.py") == {"inflationary_flows.plotting.labels"}
    assert plots.pop("plot.py")
    assert not any(plots.values())


def test_figures_depend_neither_on_training_nor_on_measurements() -> None:
    figures = sorted(SCRIPTS.glob("inflationary_flows/experiments/*/figure.py"))
    assert figures
    for figure in figures:
        closure = source_closure(figure, SCRIPTS)
        heavy = (".training", ".networks", ".mathematics", ".inference", ".measure")
        assert not {name for name in closure if any(part in name for part in heavy)}, figure.parent.name


def test_training_depends_on_the_denoiser() -> None:
    closure = source_closure(SCRIPTS / "train_network.py", SCRIPTS)
    assert "inflationary_flows.mathematics.denoisers" in closure
    assert "inflationary_flows.training.fit" in closure


def test_training_does_not_depend_on_what_uses_its_result() -> None:
    closure = source_closure(SCRIPTS / "train_network.py", SCRIPTS)
    for module_name in ("mathematics.flow", "mathematics.solvers", "experiments", "plotting"):
        assert f"inflationary_flows.{module_name}" not in closure


@pytest.mark.parametrize(
    "script",
    [
        *("assemble_flow", "measure", "generate_images"),
        *(f"{EXPERIMENTS}/{name}/measure" for name in ("snapshots", "roundtrip", "flow_quality", "solver_comparison")),
    ],
)
def test_what_uses_flows_depends_on_their_mathematics(script: str) -> None:
    closure = source_closure(SCRIPTS / f"{script}.py", SCRIPTS)
    for name in ("flow", "solvers", "pfode", "denoisers", "schedules"):
        assert f"inflationary_flows.mathematics.{name}" in closure


def script_of(log: Path) -> SimpleNamespace:
    """A job without inputs, outputs and settings."""
    return SimpleNamespace(
        rule="rule", log=[log], threads=1, input=[], output=[], params={}, wildcards={}, scriptdir=str(SCRIPTS)
    )


def test_job_turns_a_mistake_of_the_user_into_its_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "logs" / "job.log"

    def body() -> None:
        with job(script_of(log)) as logger:
            logger.info("begun")
            raise DataError("table.csv", "numbers", "words", "drop the column.")

    with pytest.raises(SystemExit) as stop:
        body()
    assert stop.value.code == 1
    printed = capsys.readouterr().err
    assert printed == "table.csv: expected numbers, got words.\nHint: drop the column.\n"
    assert "begun" in log.read_text()
    assert "Traceback" not in log.read_text()


def test_job_keeps_the_traceback_of_a_defect_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    with pytest.raises(ZeroDivisionError), job(script_of(log)):
        _ = 1 / 0
    assert "ZeroDivisionError" in log.read_text()
    assert not logging.getLogger("inflationary_flows").handlers


def test_job_does_not_import_torch() -> None:
    code = "import sys, inflationary_flows.runtime.job; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
