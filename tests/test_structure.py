"""Which part of the library may import which, and that no modules import each other in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "workflow_scripts/inflationary_flows"
FILES = {path for path in PACKAGE.rglob("*.py")}
# The arrows of docs/architecture.md: each part, and what it may import besides itself.
COMMON = {"errors", "seeding", "checkpoint", "progress", "requirements", "extras"}
COMPUTING = {"mathematics", "networks", "training", "data", "inference", "baselines", "metrics"}
LAYERS: dict[str, set[str]] = {
    "errors": set(),
    "seeding": set(),
    "checkpoint": set(),
    "progress": set(),
    "requirements": set(),
    "extras": set(),
    "fields": set(),
    "files": set(),
    "runtime": {"files"},
    "mathematics": set(),
    "networks": set(),
    "training": {"mathematics", "networks"},
    "data": {"files", "mathematics"},
    "baselines": {"mathematics", "networks", "training"},
    "inference": {"mathematics", "networks"},
    "metrics": {"mathematics", "networks", "training", "data", "inference"},
    "config": {"fields", "data", "networks", "baselines", "files", "experiments"},
    "experiments": COMPUTING | {"fields", "files", "plotting"},
    "command_line": {"artifacts", "data", "files", "mathematics"},
    "artifacts": COMPUTING | {"files", "runtime", "plotting"},
    "plotting": {"files"},
    "audit": {"files", "runtime", "config", "experiments"},
    "report": {"files", "audit", "plotting", "experiments"},
}


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {name_of(path): path for path in sorted(FILES)}


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes that run at one time or another: what stands under TYPE_CHECKING does not."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield child
            yield from statements(child)


def imports_of(module: str) -> set[str]:
    """Modules of the library that a module imports, inside functions too."""
    found = set()
    for node in statements(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                whole = f"{source}.{alias.name}"
                found.add(whole if whole in MODULES else source)
    return found & MODULES.keys() - {module}


GRAPH = {module: imports_of(module) for module in MODULES}


def part_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_no_modules_import_each_other() -> None:
    try:
        TopologicalSorter(GRAPH).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("part", sorted(LAYERS))
def test_parts_import_what_their_layer_allows(part: str) -> None:
    allowed = LAYERS[part] | COMMON | {part, ""}
    foreign = {
        f"{module} imports {other}"
        for module, imported in GRAPH.items()
        for other in imported
        if part_of(module) == part and part_of(other) not in allowed
    }
    assert not foreign


def test_every_part_has_its_layer() -> None:
    assert {part_of(module) for module in MODULES} - {"", "__main__"} == LAYERS.keys()


def named(folder: str, file: str) -> list[str]:
    return [module for module, path in MODULES.items() if path.match(f"{folder}/*/{file}")]


@pytest.mark.parametrize("module", named("experiments", "measure.py"))
def test_measurements_know_no_files_and_no_figures(module: str) -> None:
    imported = GRAPH[module]
    assert not {other for other in imported if part_of(other) in {"files", "runtime", "artifacts", "plotting"}}
    assert not {other for other in imported if other.endswith((".spec", ".figure"))}


@pytest.mark.parametrize("module", [*named("experiments", "figure.py"), *(m for m in MODULES if ".plotting" in m)])
def test_figures_run_no_networks(module: str) -> None:
    assert not {
        other for other in GRAPH[module] if part_of(other) in {"networks", "training", "inference", "artifacts"}
    }


def test_text_files_name_their_encoding() -> None:
    """The linter's rule sees only paths whose type it knows."""
    silent = []
    for path in PACKAGE.parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and (name == "open" or name.endswith((".read_text", ".write_text"))):
                is_binary = name == "open" and any("b" in ast.unparse(part) for part in node.args[1:])
                is_named = any(keyword.arg == "encoding" for keyword in node.keywords)
                silent += [] if is_named or is_binary else [f"{path.name}: {ast.unparse(node)}"]
    assert not silent
