"""Loading a configuration: read, validated section by section, then checked across sections."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from inflationary_flows.config.locating import located
from inflationary_flows.config.messages import translate
from inflationary_flows.config.models import Config
from inflationary_flows.config.reading import read_argument, read_yaml, require_mapping
from inflationary_flows.config.walk import check
from inflationary_flows.data.tables import TABLE_KINDS
from inflationary_flows.data.toys import TOYS
from inflationary_flows.errors import ConfigError
from inflationary_flows.experiments.registry import experiments


def load_config(
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Mapping[str, Any],
    overrides: Mapping[str, Any] | None = None,
    *,
    arguments: Sequence[str] = (),
    beside: Sequence[Path] = (),
    say: Callable[[str], None] = lambda note: None,
    started_in: Path = Path(),
    absolute: bool = False,
) -> Config:
    """Reads and checks a configuration.

    Arguments:
        source: Path of a YAML file; several, of which the later ones win; or content.
        overrides: Nested values that replace those of the source.
        arguments: Entries of a command line, such as `seeds=[0, 1]`, that replace those of the source.
        beside: Of content: folders where the files that it names are looked for first.
        say: Told of what is right but may be a mistake.
        started_in: Where relative paths of files are looked for next; by default the working directory.
        absolute: Whether paths of files are to be absolute.

    Raises:
        ConfigError: for the first problem found, with its place in the configuration.
    """
    files: list[Path] = []
    raw: dict[str, Any] = {}
    if isinstance(source, Mapping):
        raw = located(copy.deepcopy(require_mapping(source, "configuration")), beside, say, started_in, absolute)
    else:
        files = [Path(file) for file in ([source] if isinstance(source, str | os.PathLike) else source)]
        for path in files:
            raw = _merged(raw, located(read_yaml(path), [path.parent], say, started_in, absolute))
    for argument in arguments:
        raw = _merged(raw, located(read_argument(argument), (), say, started_in, absolute))
    try:
        return _validate(_merged(raw, copy.deepcopy(dict(overrides or {}))))
    except ConfigError as problem:
        origin = ", ".join([*map(str, files), *(["--config"] if arguments else [])])
        where = f"{origin}: {problem.where}" if origin else problem.where
        raise ConfigError(where, problem.expected, problem.got, problem.hint) from problem


def _validate(raw: dict[str, Any]) -> Config:
    _complete_datasets(raw)
    try:
        config = Config.model_validate(raw)
    except ValidationError as problem:
        raise translate(problem, Config, raw) from problem
    if config.only is None:
        config = config.model_copy(update={"only": _only(config)})
    check(config)
    return config


def _only(config: Config) -> list[str] | None:
    """Of tables of the user's own what is about these, and what is asked for; else everything."""
    if any(dataset.kind not in TABLE_KINDS for dataset in config.datasets.values()):
        return None
    named = {*config.experiments.model_fields_set, *(["baselines"] if config.baselines.datasets else [])}
    return [name for name, experiment in experiments().items() if experiment.of_tables or name in named]


def _complete_datasets(raw: dict[str, Any]) -> None:
    """A data set that is named like a toy, or digits, needs no `kind`; null is a key that is left out."""
    datasets = raw.get("datasets")
    if isinstance(datasets, dict):
        for name, dataset in datasets.items():
            if isinstance(dataset, dict):
                given = {key: value for key, value in dataset.items() if value is not None}
                datasets[name] = {"kind": name, **given} if name in TOYS or name == "digits" else given


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings merged key by key, the second winning."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            value = _merged(old, value)
        result[key] = value
    return result


def export_schema() -> dict[str, Any]:
    """Returns the JSON schema of the configuration, for editors and for the tests.

    It is what the models accept one by one; contradictions across sections are found by
    `load_config` alone.
    """
    schema = Config.model_json_schema()
    # Kinds may be left out for data sets named like one: without it, several may fit.
    for kind in ("Toy", "Digits"):
        schema["$defs"][kind]["required"].remove("kind")
    (dataset,) = schema["properties"]["datasets"]["patternProperties"].values()
    dataset["anyOf"] = dataset.pop("oneOf")
    del dataset["discriminator"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
