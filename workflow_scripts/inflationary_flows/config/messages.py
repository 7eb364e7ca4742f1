"""Turns what pydantic finds wrong with a configuration into where, expected, got and hint."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel, StringConstraints, ValidationError
from pydantic.fields import FieldInfo

from inflationary_flows.config.fields import PATTERNS
from inflationary_flows.errors import ConfigError, shorten

Location = tuple[str | int, ...]
_KEY = "[key]"


def translate(problem: ValidationError, model: type[BaseModel], raw: Mapping[str, Any]) -> ConfigError:
    """Returns the first problem as a `ConfigError`, misspelt keys before their consequences.

    Arguments:
        problem: What pydantic raised.
        model: The model that was validated.
        raw: The data that was given.
    """
    details = problem.errors(include_url=False)
    first = min(details, key=lambda detail: detail["type"] != "extra_forbidden")
    location = _real_location(first["loc"], raw, keep_last=first["type"] == "missing")
    # Every type that a value may have complains at the same place.
    places = {_real_location(detail["loc"], raw, keep_last=detail["type"] == "missing") for detail in details}
    more = len(places) - 1
    error = _describe_problem(first["type"], location, first["input"], model, raw)
    if more > 0:
        error.hint += f" ({more} more to come.)" if more > 1 else " (One more to come.)"
    return error


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Returns the known word nearest to a misspelt one, if any is near."""
    near = difflib.get_close_matches(str(word), [str(name) for name in known], n=1, cutoff=0.6)
    return near[0] if near else None


def join(location: Location) -> str:
    """Writes a place in the configuration, such as `seeds[1]` or `schedules.prp.rho`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "configuration"


def listing(words: Iterable[Any]) -> str:
    """Writes alternatives: a, b, c."""
    return ", ".join(str(word) for word in words)


def describe_value(value: Any) -> str:
    """Writes a value of the configuration as messages say it, such as: the text 'fast'."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {shorten(value)}"
    if isinstance(value, Mapping):
        return f"a mapping ({shorten(dict(value))})" if value else "an empty mapping"
    if isinstance(value, list):
        return f"the list {shorten(value)}" if value else "an empty list"
    return shorten(value)


def _describe_problem(
    kind: str, location: Location, given: Any, model: type[BaseModel], raw: Mapping[str, Any]
) -> ConfigError:
    where = join(location)
    if kind == "extra_forbidden":
        fields = list(_fields_at(model, location[:-1], raw))
        near = did_you_mean(str(location[-1]), fields)
        hint = f'did you mean "{near}"?' if near else "remove it, or look the keys up in schemas/config.schema.json."
        return ConfigError(where, f"one of the keys {listing(fields)}", f'the unknown key "{location[-1]}"', hint)
    if location and location[-1] == _KEY:
        annotation, metadata = _key_type(model, location[:-2], raw)
        return ConfigError(
            join(location[:-1]),
            _describe_type(annotation, metadata),
            shorten(location[-2]),
            _name_hint(location[-2], _choices(annotation)),
        )
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        choices = listing(("mlp", "unet"))
        tag = given.get("kind") if isinstance(given, Mapping) else None
        near = did_you_mean(str(tag), ("mlp", "unet"))
        hint = f'did you mean "{near}"?' if near else 'a residual perceptron is "kind: mlp".'
        return ConfigError(f"{where}.kind", f"one of {choices}", "nothing" if tag is None else shorten(tag), hint)
    annotation, metadata, description = _type_at(model, location, raw)
    expected = _describe_type(annotation, metadata)
    got = "nothing" if kind == "missing" else describe_value(given)
    hint = _hint(kind, given, annotation, _meaning(location, description))
    return ConfigError(where, expected, got, hint)


def _hint(kind: str, given: Any, annotation: Any, meaning: str) -> str:
    choices = _choices(annotation)
    if choices and isinstance(given, str):
        near = did_you_mean(given, choices)
        if near:
            return f'did you mean "{near}"?'
    if isinstance(given, bool) or (isinstance(given, str) and given.lower() in ("yes", "no")):
        return "true, false, yes and no are truth values in YAML; write a number or a word."
    if isinstance(given, str) and not choices and _numeric(annotation):
        return "write the number without quotes or units."
    if isinstance(given, float) and given.is_integer() and _accepts(annotation, int):
        return f"write {int(given)}."
    if kind == "missing":
        return f"add {meaning}"
    if given is None and kind != "missing":
        return "give it a value, or remove the key."
    return f"change {meaning}"


def _meaning(location: Location, description: str | None) -> str:
    """A key and what it is for, such as: rho (overall rate)."""
    words = [part for part in location if isinstance(part, str)]
    key = words[-1] if words else "it"
    if not description:
        return key
    text = description.rstrip(".")
    if text[:1].isupper() and text[1:2].islower():
        text = text[0].lower() + text[1:]
    return f"{key} ({text})"


def _name_hint(name: str | int, choices: tuple[Any, ...]) -> str:
    if not choices:
        return "rename it: names become directories of results."
    near = did_you_mean(str(name), choices)
    return f'did you mean "{near}"?' if near else "use one of these."


def _real_location(location: Location, raw: Any, keep_last: bool) -> Location:
    """Drops what pydantic adds to a location: the tag of a tagged union."""
    node, real = raw, []
    for index, part in enumerate(location):
        inside = (isinstance(node, Mapping) and part in node) or (
            isinstance(node, list) and isinstance(part, int) and part < len(node)
        )
        if inside:
            node = node[part]
            real.append(part)
        elif part == _KEY or (keep_last and index == len(location) - 1):
            real.append(part)
    return tuple(real)


def _unwrap(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """Takes Annotated and `| None` off a type."""
    metadata: tuple[Any, ...] = ()
    while True:
        if get_origin(annotation) is Annotated:
            metadata += _flat(annotation.__metadata__)
            annotation = get_args(annotation)[0]
            continue
        if get_origin(annotation) in (Union, types.UnionType):
            members = [member for member in get_args(annotation) if member is not type(None)]
            if len(members) == 1:
                annotation = members[0]
                continue
        return annotation, metadata


def _flat(metadata: Iterable[Any]) -> tuple[Any, ...]:
    flat: tuple[Any, ...] = ()
    for item in metadata:
        flat += tuple(item.metadata) if isinstance(item, FieldInfo) else (item,)
    return flat


def _type_at(
    model: type[BaseModel], location: Location, raw: Mapping[str, Any]
) -> tuple[Any, tuple[Any, ...], str | None]:
    """The type, its constraints and its description at a place of the configuration."""
    annotation: Any = model
    metadata: tuple[Any, ...] = ()
    description: str | None = None
    node: Any = raw
    for part in location:
        node = _child(node, part)
        members = get_args(annotation)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            field = annotation.model_fields[str(part)]
            annotation, metadata = _unwrap(field.annotation)
            metadata, description = tuple(field.metadata) + metadata, field.description
        elif get_origin(annotation) is dict:
            annotation, metadata = _unwrap(members[1])
        elif get_origin(annotation) is list:
            annotation, metadata = _unwrap(members[0])
        annotation = _tagged(annotation, node)
    return annotation, metadata, description


def _child(node: Any, part: str | int) -> Any:
    if isinstance(node, Mapping):
        return node.get(part)
    if isinstance(node, list) and isinstance(part, int) and part < len(node):
        return node[part]
    return None


def _tagged(annotation: Any, node: Any) -> Any:
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation
    kind = node.get("kind") if isinstance(node, Mapping) else None
    for member in _models_of(annotation):
        if kind in get_args(member.model_fields["kind"].annotation):
            return member
    return annotation


def _models_of(union: Any) -> list[type[BaseModel]]:
    return [member for member in get_args(union) if isinstance(member, type) and issubclass(member, BaseModel)]


def _fields_at(model: type[BaseModel], location: Location, raw: Mapping[str, Any]) -> Iterable[str]:
    annotation, _, _ = _type_at(model, location, raw)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation.model_fields
    return ()


def _key_type(model: type[BaseModel], location: Location, raw: Mapping[str, Any]) -> tuple[Any, tuple[Any, ...]]:
    annotation, _, _ = _type_at(model, location, raw)
    return _unwrap(get_args(annotation)[0])


def _choices(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _numeric(annotation: Any) -> bool:
    return annotation in (int, float)


def _accepts(annotation: Any, kind: type) -> bool:
    return bool(annotation is kind)


def _describe_type(annotation: Any, metadata: tuple[Any, ...]) -> str:
    """Says in words what a type and its constraints accept."""
    choices = _choices(annotation)
    if choices:
        return f"one of {listing(choices)}"
    if annotation is str:
        patterns = [item.pattern for item in metadata if isinstance(item, StringConstraints) and item.pattern]
        return PATTERNS[str(patterns[0])] if patterns else "a text"
    if annotation is bool:
        return "true or false"
    if annotation in (int, float):
        return ("an integer" if annotation is int else "a number") + _bounds(metadata)
    if get_origin(annotation) is list:
        inner, constraints = _unwrap(get_args(annotation)[0])
        least = "at least one entry" if any(isinstance(item, MinLen) for item in metadata) else "entries"
        return f"a list with {least}, each {_describe_type(inner, constraints)}"
    if get_origin(annotation) is dict:
        return "a mapping with at least one name" if metadata else "a mapping of names to values"
    if get_origin(annotation) in (Union, types.UnionType) and not _models_of(annotation):
        return "a number, a text, true, false or null"
    return "a mapping of keys to values"


def _bounds(metadata: tuple[Any, ...]) -> str:
    texts = []
    for item in metadata:
        if isinstance(item, Gt):
            texts.append(f"above {item.gt}")
        elif isinstance(item, Ge):
            texts.append(f"of at least {item.ge}")
        elif isinstance(item, Lt):
            texts.append(f"below {item.lt}")
        elif isinstance(item, Le):
            texts.append(f"of at most {item.le}")
    return " " + " and ".join(texts) if texts else ""
