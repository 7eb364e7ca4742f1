"""Reading configuration files: numbers as in YAML 1.2, no repeated keys, clear messages."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from inflationary_flows.errors import ConfigError, shorten


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with numbers such as 5e-4, and with repeated keys as errors."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key that is not a single word", key_node.start_mark
                )
            key, line, merged = key_node.value, key_node.start_mark.line + 1, "tag:yaml.org,2002:merge"
            if key_node.tag not in ("tag:yaml.org,2002:str", merged):
                got = f"{key}, which YAML reads as a number, a date, a truth value or nothing"
                hint = f'write it in quotes ("{key}":), or choose another name.'
                raise _WrongKey(line, "keys that are text", got, hint)
            if key in seen and key_node.tag != merged:
                hint = "keep one of the two; YAML would silently drop the first."
                raise _WrongKey(line, "every key once", f'the key "{key}" for the second time', hint)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


class _WrongKey(Exception):
    """A key that YAML would misread without a word: its line, what was expected, what was got, and a hint."""


_FLOAT = re.compile(
    r"""^(?:[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?
         |[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+
         |[-+]?\.(?:inf|Inf|INF)
         |\.(?:nan|NaN|NAN))$""",
    re.VERBOSE,
)
# A copy per loader class, or every user of PyYAML in this process would get the new rule.
_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in rules if pair[0] != "tag:yaml.org,2002:float"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))


def read_yaml(path: Path) -> dict[str, Any]:
    """Reads a configuration file.

    Raises:
        ConfigError: if the file is missing, not text, not YAML, empty, not a mapping, or repeats a
            key.
    """
    if not path.is_file():
        raise ConfigError(
            str(path),
            "an existing configuration file",
            "a directory" if path.is_dir() else "none",
            "check the path; config.yaml at the top of the repository is the default.",
        )
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except UnicodeDecodeError as problem:
        raise ConfigError(
            str(path),
            "text in UTF-8",
            f"a file that is not ({problem.reason})",
            "save it as UTF-8 text.",
        ) from problem
    except _WrongKey as problem:
        line, *message = problem.args
        raise ConfigError(f"{path}, line {line}", *message) from problem
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        place = f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(path)
        raise ConfigError(
            place,
            "YAML",
            f"text that is not ({problem.problem})",
            "look at indentation, quotes, brackets and colons at and above that line.",
        ) from problem
    except (yaml.YAMLError, ValueError) as problem:
        raise ConfigError(
            str(path),
            "YAML",
            f"text that is not ({shorten(str(problem), 80)})",
            "look for stray control characters, or impossible dates and numbers.",
        ) from problem
    return require_mapping(content, str(path))


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


def locate_files(raw: dict[str, Any], repository: Path) -> dict[str, Any]:
    """Looks for own tables and images in the working directory, then in the folder of the workflow.

    Arguments:
        raw: A configuration that was not checked; its paths are replaced in place.
        repository: Folder of the workflow.
    """

    def entries(*keys: str) -> list[Any]:
        section: Any = raw
        for key in keys:
            section = section.get(key) if isinstance(section, dict) else None
        return list(section.values()) if isinstance(section, dict) else []

    named = [(dataset, "path") for dataset in [*entries("datasets"), *entries("extractors")]]
    named += [(examples, "file") for examples in entries("experiments", "propagation", "examples")]
    for entry, key in named:
        path = entry.get(key) if isinstance(entry, dict) else None
        if isinstance(path, str) and not Path(path).exists() and (repository / path).exists():
            entry[key] = str(repository / path)
    return raw


def typed(value: Any) -> Any:
    """Numbers and truth values within lists and mappings of --config, which Snakemake hands on as text."""
    if isinstance(value, dict):
        return {key: typed(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [typed(entry) for entry in value]
    if not isinstance(value, str):
        return value
    for number in (int, float):
        with suppress(ValueError):
            return number(value)
    return {"true": True, "false": False, "null": None}.get(value.lower(), value)
