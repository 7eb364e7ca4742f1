"""Reading configuration files: numbers as in YAML 1.2, no repeated keys, clear messages."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from inflationary_flows.errors import ConfigError, shorten
from inflationary_flows.files.files import readable
from inflationary_flows.files.yaml_text import NUMBERS

# Values of a configuration, those that aliases repeat counted again: a few lines of aliases can stand for billions.
_MOST_VALUES = 500_000
_MERGE = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with numbers such as 5e-4, and with repeated keys and endless aliases as errors."""

    def get_single_node(self) -> Any:
        node = super().get_single_node()
        if node is not None:
            _count(node, {})
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key_node, yaml.ScalarNode):
                raise _refused("a key that is not a single word", key_node)
            key, line = key_node.value, key_node.start_mark.line + 1
            if key_node.tag not in ("tag:yaml.org,2002:str", _MERGE):
                got = f"{key}, which YAML reads as a number, a date, a truth value or nothing"
                hint = f'write it in quotes ("{key}":), or choose another name.'
                raise _WrongKey(line, "keys that are text", got, hint)
            if key in seen and key_node.tag != _MERGE:
                hint = "keep one of the two; YAML would silently drop the first."
                raise _WrongKey(line, "every key once", f'the key "{key}" for the second time', hint)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)

    def construct_scalar(self, node: Any) -> Any:
        text = super().construct_scalar(node)
        try:
            # JSON writes characters beyond the first 65,536 as two halves.
            return text.encode("utf-16", "surrogatepass").decode("utf-16") if isinstance(text, str) else text
        except UnicodeError:
            raise _refused("half of a pair of surrogates, which is no character", node) from None

    def construct_integer(self, node: Any) -> int:
        """An integer of YAML 1.2: 010 is ten."""
        text = self.construct_scalar(node).replace("_", "")
        number = int(text, 0 if text[:2] in ("0x", "0o") else 10)
        if abs(number) >= 2**63:
            raise _refused("an integer of more than 63 bits", node)
        return number


def _refused(what: str, node: Any) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, what, node.start_mark)


def _count(node: Any, counts: dict[int, int]) -> int:
    """How many values a node stands for; refuses those that contain themselves, or stand for too many."""
    if counts.setdefault(id(node), 0):
        return counts[id(node)]
    number = 1
    for part in node.value if isinstance(node, yaml.CollectionNode) else ():
        for child in part if isinstance(part, tuple) else (part,):
            if counts.get(id(child)) == 0:
                raise _refused("an alias of what it is a part of", child)
            number += _count(child, counts)
            if number > _MOST_VALUES:
                raise _refused(f"aliases that stand for more than {_MOST_VALUES} values", node)
    counts[id(node)] = number
    return number


class _WrongKey(Exception):
    """A key that YAML would misread without a word: its line, what was expected, what was got, and a hint."""


# A copy per loader class, or every user of PyYAML in this process would get the new rules.
_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in rules if pair[0] not in NUMBERS]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_integer)


for _tag, _pattern in NUMBERS.items():
    _Loader.add_implicit_resolver(_tag, _pattern, list("-+0123456789."))


def read_yaml(path: Path) -> dict[str, Any]:
    """Reads a configuration file.

    Raises:
        ConfigError: if the file is missing, not text, not YAML, empty, not a mapping, or repeats a
            key.
    """
    if not os.path.isfile(path):
        raise ConfigError(
            str(path),
            "an existing configuration file",
            "a directory" if os.path.isdir(path) else "none",
            "check the path; config.yaml at the top of the repository is the default.",
        )
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as problem:
        got = f"a file that is not ({problem.reason})"
        raise ConfigError(str(path), "text in UTF-8", got, "save it as UTF-8 text.") from problem
    except OSError as problem:
        got = f"one that is not ({problem.strerror})"
        raise ConfigError(str(path), "a file that can be read", got, "look at its permissions.") from problem
    # JSON is YAML, but for tabs between its values; within them it has none.
    return require_mapping(_parsed(text.expandtabs() if path.suffix == ".json" else text, str(path)), str(path))


def read_argument(argument: str) -> dict[str, Any]:
    """Reads an entry of a command line, such as `seeds=[0, 1]`, by the rules of the file.

    Raises:
        ConfigError: if its value is not YAML.
    """
    key, _, text = argument.partition("=")
    return {key: _parsed(readable(text), f"--config {key}")}


def _parsed(text: str, where: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)
    except _WrongKey as problem:
        line, *message = problem.args
        raise ConfigError(f"{where}, line {line}", *message) from problem
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        raise ConfigError(
            f"{where}, line {mark.line + 1}, column {mark.column + 1}" if mark else where,
            "YAML",
            f"text that is not ({problem.problem})",
            "look at indentation, quotes, brackets and colons at and above that line.",
        ) from problem
    except RecursionError as problem:
        hint = "look for brackets that are never closed."
        raise ConfigError(where, "YAML", "text that nests too deep", hint) from problem
    except Exception as problem:
        # PyYAML has no error of its own for some values with tags, impossible dates, or control characters.
        raise ConfigError(
            where,
            "YAML",
            f"text that is not ({shorten(str(problem), 80)})",
            "look for stray control characters, impossible dates and numbers, or tags (!!...).",
        ) from problem


def require_mapping(content: Any, where: str) -> dict[str, Any]:
    """Returns a configuration that is a mapping with content, or raises `ConfigError`."""
    if content is None or content == {}:
        raise ConfigError(
            where,
            "a configuration with datasets, schedules, networks and training",
            "nothing",
            "start from config.yaml of the repository.",
        )
    if not isinstance(content, dict):
        raise ConfigError(
            where,
            "a mapping of keys to values",
            f"a {type(content).__name__} ({shorten(content)})",
            'write sections as "datasets:", with their content indented below.',
        )
    return content
