"""The one walk over a validated configuration: names refer to something, then every section checks itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args, get_origin

from inflationary_flows.config.messages import unwrap
from inflationary_flows.config.models import Config
from inflationary_flows.config.study import Study
from inflationary_flows.fields import Refers, Section, Unique


def check(config: Config) -> None:
    """Raises `ConfigError` for the first contradiction between well-formed parts."""
    places = list(_places(config, Config, (), ""))
    for where, value, marks in places:
        for mark in marks:
            if isinstance(mark, Refers | Unique):
                mark.require(value, where, config)
    study = Study(config)
    for where, value, _ in places:
        if isinstance(value, Section):
            value.check(where, study)


def _places(value: Any, annotation: Any, marks: tuple[Any, ...], where: str) -> Iterator[tuple[str, Any, tuple]]:
    """Values with their places and what their types are marked with, parts before the whole."""
    if isinstance(value, Section):
        for key, field in type(value).model_fields.items():
            inner, inner_marks = unwrap(field.annotation)
            place = f"{where}.{key}" if where else key
            yield from _places(getattr(value, key), inner, (*field.metadata, *inner_marks), place)
    elif isinstance(value, list):
        inner = unwrap(get_args(annotation)[0])
        for index, entry in enumerate(value):
            yield from _places(entry, *inner, f"{where}[{index}]")
    elif isinstance(value, dict) and get_origin(annotation) is dict:
        keys, inner = (unwrap(part) for part in get_args(annotation))
        for key, entry in value.items():
            yield f"{where}.{key}", key, keys[1]
            yield from _places(entry, *inner, f"{where}.{key}")
    if value is not None:
        yield where, value, marks
