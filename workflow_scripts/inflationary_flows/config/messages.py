"""Turns what pydantic finds wrong with a configuration into where, expected, got and hint."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel, StringConstraints, ValidationError
from pydantic.fields import FieldInfo

from inflationary_flows.errors import ConfigError, cut, shorten
from inflationary_flows.fields import LEAST, MOST, MOST_COUNTED, PATTERNS
from inflationary_flows.requirements import describe_value, did_you_mean, listing, suggest

Location = tuple[str | int, ...]
# Keys of earlier versions.
RENAMED = {
    "scaling_study": "thin_coordinate_study",
    "scaling": "complexity",
    "coverage": "shell_retention",
    "draws": "sample_seeds",
    "part_size": "shard_size",
}
_KEY = "[key]"
# The key that says which section of a union is meant.
_TAG = "kind"


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
        end = "" if error.hint.endswith((".", "?")) else "."
        others = [join(place) for place in sorted(places - {location}, key=str)]
        named = listing(others[:3]) + (", ..." if more > 3 else "")
        error.hint += f"{end} ({more} more problem{'s' if more > 1 else ''}: {named}.)"
    return error


def join(location: Location) -> str:
    """Writes a place in the configuration, such as `seeds[1]` or `schedules.prp.rho`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{cut(part)}"
    return text or "configuration"


def _describe_problem(
    kind: str, location: Location, given: Any, model: type[BaseModel], raw: Mapping[str, Any]
) -> ConfigError:
    where = join(location)
    if kind == "extra_forbidden":
        return _describe_extra(where, str(location[-1]), *_section_at(model, location[:-1], raw))
    if location and location[-1] == _KEY:
        annotation, metadata = unwrap(get_args(_type_at(model, location[:-2], raw)[0])[0])
        choices = _choices(annotation)
        otherwise = "use one of these." if choices else "rename it: names become directories of results."
        return ConfigError(
            join(location[:-1]),
            _describe_type(annotation, metadata),
            shorten(location[-2]),
            suggest(location[-2], choices, otherwise),
        )
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        tags = list(_sections(_type_at(model, location, raw)[0]))
        tag = given.get(_TAG) if isinstance(given, Mapping) else None
        hint = suggest(tag, tags, f'write "{_TAG}: {tags[0]}", for example.')
        return ConfigError(f"{where}.{_TAG}", f"one of {listing(tags)}", describe_value(tag), hint)
    annotation, metadata, description = _type_at(model, location, raw)
    expected = _describe_type(annotation, metadata, given)
    if kind == "missing":
        _, sections, tag = _section_at(model, location[:-1], raw)
        if any(location[-1] not in section.model_fields for section in sections.values()):
            expected = f"a value (kind {tag})"
    got = "nothing" if kind == "missing" else describe_value(given)
    hint = _hint(kind, given, annotation, _meaning(location, description))
    return ConfigError(where, expected, got, hint)


def _describe_extra(
    where: str, key: str, section: type[BaseModel], sections: Mapping[Any, type[BaseModel]], tag: Any
) -> ConfigError:
    expected = f"one of the keys {listing(section.model_fields)}" + (f" (kind {tag})" if sections else "")
    owners = [other for other in sections if key in sections[other].model_fields]
    if owners:
        hint = f"the key belongs to {listing(owners)}: remove it, or change the kind."
        return ConfigError(where, expected, f'"{key}"', hint)
    if RENAMED.get(key) in section.model_fields:
        return ConfigError(where, expected, f'the unknown key "{key}"', f"it is called {RENAMED[key]} now.")
    hint = suggest(key, section.model_fields, "remove it, or look the keys up in schemas/config.schema.json.")
    return ConfigError(where, expected, f'the unknown key "{key}"', hint)


def _hint(kind: str, given: Any, annotation: Any, meaning: str) -> str:
    choices = _choices(annotation)
    if isinstance(given, str) and (near := did_you_mean(given, choices)):
        return f'did you mean "{near}"?'
    if isinstance(given, bool) or (isinstance(given, str) and given.lower() in ("yes", "no")):
        return "true, false, yes and no are truth values in YAML; write a number or a word."
    if isinstance(given, int | float) and annotation is str:
        return f'write it in quotes: "{shorten(given)}".'
    if isinstance(given, str) and not choices and annotation in (int, float):
        return "write the number without quotes or units."
    if isinstance(given, float) and given.is_integer() and annotation is int:
        return f"write {int(given)}."
    if kind == "missing":
        return f"add {meaning}"
    if given is None:
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


def unwrap(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """Takes Annotated, `| None` and words beside a list off a type; returns what is left, and what Annotated held."""
    metadata: tuple[Any, ...] = ()
    while True:
        if get_origin(annotation) is Annotated:
            metadata += _flat(annotation.__metadata__)
            annotation = get_args(annotation)[0]
            continue
        if get_origin(annotation) in (Union, types.UnionType):
            members = [member for member in get_args(annotation) if member is not type(None)]
            lists = [member for member in members if get_origin(unwrap(member)[0]) is list]
            if len(members) == 1 or lists:
                annotation = (lists or members)[0]
                continue
        return annotation, metadata


def _flat(metadata: Iterable[Any]) -> tuple[Any, ...]:
    flat: tuple[Any, ...] = ()
    for item in metadata:
        flat += tuple(item.metadata) if isinstance(item, FieldInfo) else (item,)
    return flat


def _alternative(annotation: Any, metadata: tuple[Any, ...], node: Any) -> tuple[Any, tuple[Any, ...]]:
    """Of a value or a mapping, of values or of set keys, the one that is meant; other types as they are."""
    union = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else ()
    members = [unwrap(member) for member in union]
    mappings = [
        get_origin(kind) is dict or (_is_section(kind) and _TAG not in kind.model_fields) for kind, _ in members
    ]
    if not any(mappings):
        return annotation, metadata
    return members[mappings.index(isinstance(node, Mapping))]


def _type_at(
    model: type[BaseModel], location: Location, raw: Mapping[str, Any]
) -> tuple[Any, tuple[Any, ...], str | None]:
    """The type, its constraints and its description at a place of the configuration."""
    annotation: Any = model
    metadata: tuple[Any, ...] = ()
    description: str | None = None
    node: Any = raw
    for part in location:
        sections = _sections(annotation)
        annotation = sections[node[_TAG]] if sections else annotation
        node = _child(node, part)
        members = get_args(annotation)
        if _is_section(annotation):
            field = annotation.model_fields[str(part)]
            annotation, metadata = unwrap(field.annotation)
            metadata = tuple(field.metadata) + metadata
            # A section says itself what it is for.
            description = field.description or getattr(annotation, "__doc__", None)
        elif get_origin(annotation) is dict:
            annotation, metadata = unwrap(members[1])
        elif get_origin(annotation) is list:
            annotation, metadata = unwrap(members[0])
        annotation, metadata = _alternative(annotation, metadata, node)
    return annotation, metadata, description


def _child(node: Any, part: str | int) -> Any:
    if isinstance(node, Mapping):
        return node.get(part)
    if isinstance(node, list) and isinstance(part, int) and part < len(node):
        return node[part]
    return None


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _sections(annotation: Any) -> dict[Any, type[BaseModel]]:
    """The sections that a tagged union is of, by tag; none for other types."""
    union = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else ()
    sections = [member for member in union if _is_section(member)]
    return {tag: section for section in sections for tag in get_args(section.model_fields[_TAG].annotation)}


def _section_at(
    model: type[BaseModel], location: Location, raw: Mapping[str, Any]
) -> tuple[type[BaseModel], dict[Any, type[BaseModel]], Any]:
    """The section at a place; if it is of a tagged union also the union's sections by tag, and its own tag."""
    annotation = _type_at(model, location, raw)[0]
    sections = _sections(annotation)
    tag = reduce(_child, location, raw)[_TAG] if sections else None
    return sections[tag] if sections else annotation, sections, tag


def _choices(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _describe_type(annotation: Any, metadata: tuple[Any, ...], given: Any = None) -> str:
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
        return ("an integer" if annotation is int else "a number") + _bounds(metadata, given)
    if get_origin(annotation) is list:
        inner, constraints = unwrap(get_args(annotation)[0])
        least = max((item.min_length for item in metadata if isinstance(item, MinLen)), default=0)
        entries = "entries" if least == 0 else "at least one entry" if least == 1 else f"{least} entries"
        return f"a list with {entries}, each {_describe_type(inner, constraints)}"
    if get_origin(annotation) is dict:
        return "a mapping with at least one name" if metadata else "a mapping of names to values"
    if get_origin(annotation) in (Union, types.UnionType) and not _sections(annotation):
        return "a number, a text, true, false or null"
    return "a mapping of keys to values"


# Bounds of values in words. The order is that of a sentence.
_BOUNDS = {Gt: "above {gt}", Ge: "of at least {ge}", Lt: "below {lt}", Le: "of at most {le}"}
_FAR = (LEAST, -MOST, MOST, MOST_COUNTED)


def _bounds(metadata: tuple[Any, ...], given: Any) -> str:
    """What limits a number, but for far bounds that a given one keeps to."""
    narrowest = {type(item): dataclasses.asdict(item) for item in metadata if type(item) in _BOUNDS}
    texts = []
    for kind, words in _BOUNDS.items():
        (limit,) = narrowest.get(kind, {"": None}).values()
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        beyond = is_number and limit is not None and (given < limit if kind is Ge else given > limit)
        if limit is not None and (limit not in _FAR or beyond):
            texts.append(words.format(**narrowest[kind]))
    return " " + " and ".join(texts) if texts else ""
