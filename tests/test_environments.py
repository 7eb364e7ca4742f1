"""Lock, package metadata, conda environments and profiles say the same."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from inflationary_flows.experiments.registry import experiments
from inflationary_flows.runtime import digest
from packages import closure, declared_requirements, distribution_of

REPOSITORY = Path(__file__).parents[1]
SCRIPTS = REPOSITORY / "workflow_scripts"
ENVIRONMENTS = sorted(REPOSITORY.glob("envs/*.yaml"))
PIN = re.compile(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.!]+) \\")


def read_lock() -> dict[str, str]:
    lines = (REPOSITORY / "requirements.lock").read_text().splitlines()
    return {canonicalize_name(pin[1]): pin[2] for line in lines if (pin := PIN.fullmatch(line))}


def read_pins(environment: Path) -> dict[str, str]:
    dependencies = yaml.safe_load(environment.read_text(encoding="utf-8"))["dependencies"]
    pip = next(item["pip"] for item in dependencies if isinstance(item, dict))
    return {canonicalize_name(name): pin for name, pin in (line.split("==") for line in pip)}


def rules_and_environments(mark: str = "") -> list[tuple[str, str]]:
    """Sources of rules with their environments: all, or those of rules with a text in them."""
    found = []
    for path in sorted(REPOSITORY.glob("rules/*.smk")):
        for block in re.split(r"^rule ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            script = re.search(r"workflow_scripts/(\w+\.py)", block)
            environment = re.search(r"envs/(\w+\.yaml)", block)
            if script and environment and mark in block:
                found.append((script[1], environment[1]))
    return found


def experiments_and_environments() -> list[tuple[str, str]]:
    """Scripts and modules of experiments with the environments of their rules."""
    found = []
    for name, experiment in experiments().items():
        folder = f"inflationary_flows/experiments/{name}"
        if experiment.measurement is not None:
            environment = f"{experiment.measurement.environment}.yaml"
            found += [("measure.py", environment), (f"{folder}/measure.py", environment)]
        if experiment.pictures:
            environment = f"{experiment.environment}.yaml"
            found += [("plot.py", environment), (f"{folder}/figure.py", environment)]
    return sorted(set(found))


def third_party_imports(path: Path) -> set[str]:
    """Distributions that a script or module needs, whether imported at once or later."""
    files = [path]
    files += [digest._file_of(name, SCRIPTS) for name in digest.source_closure(files[0], SCRIPTS)]
    names = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add((node.module or "").partition(".")[0])
    names -= {*sys.stdlib_module_names, "inflationary_flows"}
    return {distribution_of(name) for name in names}


def test_lock_holds_exact_versions_with_hashes_from_no_particular_place() -> None:
    text = (REPOSITORY / "requirements.lock").read_text()
    first, *lines = (line for line in text.splitlines() if not line.startswith("#"))
    assert PIN.fullmatch(first)
    for before, line in pairwise([first, *lines]):
        assert PIN.fullmatch(line) or re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line), line
        # A backslash ends all lines of a package but the last.
        assert before.endswith("\\") == line.startswith(" "), line


@pytest.mark.parametrize("requirement", declared_requirements(), ids=str)
def test_lock_satisfies_declared_ranges(requirement: Requirement) -> None:
    pin = read_lock()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(pin, prereleases=True)


def test_lock_holds_what_is_needed_and_nothing_else() -> None:
    assert set(read_lock()) == closure(declared_requirements())


def test_environment_of_these_tests_is_the_locked_one() -> None:
    # A local label, as in 2.0+cpu, is a build of the same version.
    installed = {name: version(name).partition("+")[0] for name in read_lock()}
    assert installed == read_lock()


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda path: path.stem)
def test_conda_pins_equal_the_lock(environment: Path) -> None:
    pins, lock = read_pins(environment), read_lock()
    assert pins == {name: lock.get(name) for name in pins}


@pytest.mark.parametrize(("script", "environment"), [*rules_and_environments(), *experiments_and_environments()])
def test_conda_environment_has_what_the_script_imports(
    script: str, environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Modules that do not count for the digest are imported all the same.
    monkeypatch.setattr(digest, "FORMAT_ONLY", frozenset())
    missing = third_party_imports(SCRIPTS / script) - set(read_pins(REPOSITORY / "envs" / environment))
    assert not missing


@pytest.mark.parametrize(
    "method", sorted(SCRIPTS.glob("inflationary_flows/baselines/methods/*.py")), ids=lambda p: p.stem
)
def test_conda_environments_of_methods_have_what_these_import(method: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Rules find methods by name, so that nothing which their scripts import leads to them.
    monkeypatch.setattr(digest, "FORMAT_ONLY", frozenset())
    running = rules_and_environments("methods_of_job")
    assert len(running) > 3
    for _, environment in running:
        assert not third_party_imports(method) - set(read_pins(REPOSITORY / "envs" / environment))


def test_every_script_belongs_to_a_rule_and_back() -> None:
    scripts = {path.name for path in SCRIPTS.glob("*.py")}
    named = {script for script, _ in rules_and_environments()} | {"measure.py", "plot.py", "plan.py"}
    assert named == scripts
    # An experiment's modules belong to its spec.
    folders = SCRIPTS / "inflationary_flows/experiments"
    for module in (*folders.glob("*/measure.py"), *folders.glob("*/figure.py")):
        experiment = experiments()[module.parent.name]
        assert experiment.measurement if module.name == "measure.py" else experiment.pictures, module


def test_profiles_share_no_key() -> None:
    default = yaml.safe_load((REPOSITORY / "profiles/default/config.yaml").read_text())
    slurm = yaml.safe_load((REPOSITORY / "slurm/config.yaml").read_text())
    assert not set(default) & set(slurm)
