"""Which methods there are: the modules of `methods/`, and the options of each, read without importing them.

A method is a module of the package `methods`, and its kind is the module's name. Its options are the annotated fields
of its class `Settings`, of plain values: `int`, `float`, `bool`, `str`, a `Literal` of these, any of them `| None`.
Configurations are checked with this, so nothing here imports torch: files are parsed, and run only by `load_method`.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from importlib.machinery import FileFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from inflationary_flows.baselines import methods
from inflationary_flows.errors import ConfigError

if TYPE_CHECKING:
    from inflationary_flows.baselines.method import Method

_WORDS = {"int": "an integer", "float": "a number", "bool": "true or false", "str": "a text", "None": "null"}


def method_names() -> list[str]:
    """Kinds of methods, sorted: names of the modules in the folders of `methods`, except those that begin with `_`."""
    return sorted(_files())


def method_file(kind: str) -> Path:
    """Finds the source of a method.

    Arguments:
        kind: Name of its module.

    Raises:
        ConfigError: if there is none.
    """
    files = _files()
    if kind not in files:
        raise ConfigError(
            "kind",
            f"one of the methods {', '.join(sorted(files))}",
            f'"{kind}"',
            "a method is a module of inflationary_flows/baselines/methods, named like its kind.",
        )
    return files[kind]


def option_names(kind: str) -> dict[str, str]:
    """Reads the options of a method.

    Arguments:
        kind: Name of its module.

    Returns:
        The annotation of each annotated field of the module's class `Settings`, as text, in their order.

    Raises:
        ConfigError: if there is no such method, or its module is not Python or has no such class.
    """
    path = method_file(kind)
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except SyntaxError as problem:
        raise ConfigError(
            path.name, "a module in Python", f"{problem.msg} (line {problem.lineno})", "correct it there."
        ) from problem
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "Settings":
            return {
                field.target.id: ast.unparse(field.annotation)
                for field in node.body
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
            }
    raise ConfigError(
        path.name,
        "a class Settings at the module's top level",
        "none",
        "write a frozen dataclass of plain values with defaults, one a hyper-parameter; it may be empty.",
    )


def accepts(annotation: str, value: Any) -> bool:
    """Whether an option with this annotation may have a value."""
    members = _alternatives(annotation)
    allowed = {ast.unparse(member) for member in members}
    choices = [choice for member in members for choice in _literal(member) or ()]
    # True and 1 are equal in Python, and 1 and 1.0.
    if any(type(choice) is type(value) and choice == value for choice in choices):
        return True
    if type(value) is int and "float" in allowed:
        return True
    return ("None" if value is None else type(value).__name__) in allowed


def describe_option(annotation: str) -> str:
    """Says in words what an option with this annotation may be."""
    words = []
    for member in _alternatives(annotation):
        choices, text = _literal(member), ast.unparse(member)
        words.append(_WORDS.get(text, text) if choices is None else f"one of {', '.join(map(str, choices))}")
    return " or ".join(words)


def _alternatives(annotation: str) -> list[ast.expr]:
    """Alternatives of a type that is written as text: those between its bars."""
    waiting, members = [ast.parse(annotation, mode="eval").body], []
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            waiting += [node.right, node.left]
        else:
            members.append(node)
    return members


def _literal(member: ast.expr) -> list[Any] | None:
    """Values of a `Literal[...]`; None for other types."""
    if isinstance(member, ast.Subscript) and ast.unparse(member.value).rpartition(".")[2] == "Literal":
        inner = member.slice.elts if isinstance(member.slice, ast.Tuple) else [member.slice]
        return [node.value for node in inner if isinstance(node, ast.Constant)]
    return None


def load_method(kind: str) -> Method:
    """Imports a method.

    Arguments:
        kind: Name of its module.

    Returns:
        The module, which offers `Settings`, `fit`, `pack` and `unpack`.

    Raises:
        ConfigError: if there is none.
    """
    method_file(kind)
    return cast("Method", importlib.import_module(f"{methods.__name__}.{kind}"))


def _files() -> dict[str, Path]:
    """Sources by name, of all folders of the package: a folder that was added to its `__path__` counts."""
    return {
        module.name: Path(module.module_finder.path, f"{module.name}.py")
        for module in pkgutil.iter_modules(methods.__path__)
        if isinstance(module.module_finder, FileFinder) and not module.ispkg and not module.name.startswith("_")
    }
