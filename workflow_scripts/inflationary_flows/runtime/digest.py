"""A digest of the source code that a rule's numbers depend on.

Snakemake notices an edit of a rule's script, but not of the modules that the script imports.  The
digest covers both: the script and every module of this package that it reaches through its imports,
module by module.  So an edit of a plot redraws figures without retraining, and an edit of the denoiser always retrains.
Comments, docstrings and layout do not count.

Modules that decide about formats and messages (`FORMAT_ONLY`) do not count, nor does what they
import: a script imports what it computes with.  A package whose submodule is imported counts with
its own statements, not with everything that it re-exports.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

PACKAGE = "inflationary_flows"
FORMAT_ONLY = frozenset({"config", "errors", "files", "progress", "runtime"})
# Every start of the workflow reads all files: expressions, most of their content, are skipped.
HOLDERS = (ast.mod, ast.stmt, ast.excepthandler, ast.match_case)
MAYBE_NAMED = re.compile(rf"""["'](?:{PACKAGE})?\.\w""".encode())


def source_digest(script: str | Path, root: str | Path) -> str:
    """Hashes a script together with all modules of this package that it imports, directly or not.

    Arguments:
        script: The script of a rule.
        root: The folder that holds the package `inflationary_flows`.

    Returns:
        A SHA-256 in hexadecimal.

    Raises:
        SyntaxError: if one of the files is not valid Python.
        OSError: if the script cannot be read.
    """
    script, root = Path(script), Path(root)
    digest = hashlib.sha256(_normalised(script, False).encode())
    for module, passed_through in sorted(source_closure(script, root).items()):
        text = _normalised(_file_of(module, root), passed_through)
        digest.update(f"\0{module}\0{text}".encode())
    return digest.hexdigest()


def source_closure(script: str | Path, root: str | Path) -> dict[str, bool]:
    """Modules of this package that a script reaches through its imports.

    Imports inside functions count, and so do names that a package hands on from one of its modules,
    even lazily.

    Arguments:
        script: The script of a rule.
        root: The folder that holds the package `inflationary_flows`.

    Returns:
        Module names; the value is True for a package that is only passed through on the way to a
        submodule.
    """
    script, root = Path(script), Path(root)
    passed_through: dict[str, bool] = {}
    waiting = list(_imports(script, "", root))
    while waiting:
        module = waiting.pop()
        if _section(module) in FORMAT_ONLY:
            continue
        for parent in _parents(module):
            passed_through.setdefault(parent, True)
        if passed_through.get(module, True):
            passed_through[module] = False
            waiting.extend(_imports(_file_of(module, root), module, root))
    return passed_through


@cache
def _imports(path: Path, module: str, root: Path) -> tuple[str, ...]:
    """Modules of this package that one file imports; `module` is its name, "" for scripts."""
    return tuple(dict.fromkeys(_walk_imports(path, module, root)))


def _walk_imports(path: Path, module: str, root: Path) -> Iterator[str]:
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in _read(path)[0]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if _is_ours(alias.name) and _exists(alias.name, root):
                    yield alias.name
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(node, package)
            if _is_ours(source) and _exists(source, root):
                for alias in node.names:
                    yield from _providers(source, alias.name, root)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            # importlib.import_module(...) and tables of lazy imports name modules in strings.
            name = package + node.value if node.value.startswith(".") else node.value
            if name.startswith(PACKAGE + ".") and name != module and _exists(name, root):
                yield name


def _named(tree: ast.Module, source: bytes) -> Iterator[ast.AST]:
    """Nodes that may name a module: statements alone, and a file's strings only if one looks like a name."""
    for node in _nodes(tree) if MAYBE_NAMED.search(source) else _statements(tree):
        named = isinstance(node, ast.Constant) and str(node.value).startswith((".", PACKAGE))
        if named or isinstance(node, ast.Import | ast.ImportFrom):
            yield node


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """What a node consists of, as far as it runs: imports for types alone do not."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return iter(node.orelse)
    return ast.iter_child_nodes(node)


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below a node that run."""
    for child in _running(node):
        yield child
        yield from _nodes(child)


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Statements in and below a node that run: what holds others is itself one, or a branch of one."""
    for child in _running(node):
        if isinstance(child, ast.stmt):
            yield child
        if isinstance(child, HOLDERS):
            yield from _statements(child)


def _providers(source: str, name: str, root: Path) -> Iterator[str]:
    """Modules that `from source import name` needs."""
    if name != "*" and _exists(f"{source}.{name}", root):
        yield f"{source}.{name}"
        return
    path = _file_of(source, root)
    if path.name != "__init__.py":
        yield source
        return
    # A package that re-exports the name counts as the module that defines it; else it counts whole.
    for node in _read(path)[0]:
        if isinstance(node, ast.ImportFrom) and any((alias.asname or alias.name) == name for alias in node.names):
            origin = _absolute(node, source)
            if _is_ours(origin) and origin != source and _exists(origin, root):
                original = next(a.name for a in node.names if (a.asname or a.name) == name)
                yield from _providers(origin, original, root)
                return
    yield source


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    base = ".".join(parts[: len(parts) - node.level + 1])
    return f"{base}.{node.module}" if node.module else base


def _is_ours(module: str) -> bool:
    return module == PACKAGE or module.startswith(PACKAGE + ".")


def _section(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def _parents(module: str) -> Iterator[str]:
    while "." in module:
        module = module.rpartition(".")[0]
        yield module


@cache
def _locate(module: str, root: Path) -> Path | None:
    if not all(part.isidentifier() for part in module.split(".")):
        return None
    base = root.joinpath(*module.split("."))
    for candidate in (base / "__init__.py", base.with_suffix(".py")):
        if candidate.is_file():
            return candidate
    return None


def _exists(module: str, root: Path) -> bool:
    return _locate(module, root) is not None


def _file_of(module: str, root: Path) -> Path:
    path = _locate(module, root)
    if path is None:
        raise FileNotFoundError(f"no module {module} below {root}")
    return path


class _Stripper(ast.NodeTransformer):
    """Removes docstrings, and for packages passed through also what they re-export."""

    def __init__(self, drop_exports: bool) -> None:
        self.drop_exports = drop_exports

    def visit(self, node: ast.AST) -> Any:
        return super().visit(node) if isinstance(node, HOLDERS) else node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        body = getattr(node, "body", None)
        if isinstance(body, list) and not isinstance(node, ast.Module):
            body[:] = body or [ast.Pass()]
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        # A string that stands alone is a docstring or a comment.
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> ast.AST | None:
        return None if self.drop_exports else node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        return None if self.drop_exports else node

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        names = {target.id for target in node.targets if isinstance(target, ast.Name)}
        if self.drop_exports and names <= {"__all__", "__version__"} and names:
            return None
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST | None:
        if self.drop_exports and node.name in {"__getattr__", "__dir__"}:
            return None
        return self.generic_visit(node)


@cache
def _read(path: Path) -> tuple[list[ast.AST], str]:
    """What may name modules in a file, and all that it does.

    Both are kept beside the file, as Python keeps what it compiles: every start of the workflow reads all files.
    """
    source = path.read_bytes()
    # What is kept holds for this content, and for how this module reads it.
    key = hashlib.sha256(Path(__file__).read_bytes() + source).hexdigest()
    kept = Path(cache_from_source(path)).with_suffix(".digest.json")
    try:
        known, named, text = json.loads(kept.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known, named, text = None, "", ""
    if known != key:
        # Bytes: Python knows of declared encodings and of byte order marks.
        tree = ast.parse(source, filename=str(path))
        named = "\n".join(map(ast.unparse, _named(tree, source)))
        # Last: the transformer edits the tree in place.
        text = ast.unparse(_Stripper(False).visit(tree))
        _keep(kept, json.dumps([key, named, text]))
    nodes = (node.value if isinstance(node, ast.Expr) else node for node in ast.parse(named).body)
    return list(nodes), text


def _keep(path: Path, text: str) -> None:
    """Writes a file whole or not at all; the folder may be protected, or full."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(6)}")
    with suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        try:
            temporary.write_text(text, encoding="utf-8")
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@cache
def _normalised(path: Path, drop_exports: bool) -> str:
    if not drop_exports:
        return _read(path)[1]
    return ast.unparse(_Stripper(True).visit(ast.parse(path.read_bytes(), filename=str(path))))
