"""What a job would be given now, held against what it was given when it wrote its files, by their sidecars."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from inflationary_flows.errors import shorten
from inflationary_flows.files.portable import portable
from inflationary_flows.runtime.provenance import input_of, recorded_content, sidecar_of

# What one of two has nothing for.
NOTHING = "nothing"
_LONGEST = 90


def differences(then: Any, now: Any, place: str) -> Iterator[tuple[str, str, str]]:
    """Single values that differ between two nested settings.

    Arguments:
        then, now: Values as JSON has them; mappings are gone through by key.
        place: What the values are called; keys are joined to it by dots.

    Returns:
        Triples of place and both values, as text.
    """
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys((*then, *now)):
            yield from differences(then.get(key, NOTHING), now.get(key, NOTHING), f"{place}.{key}" if place else key)
    elif then != now or isinstance(then, bool) != isinstance(now, bool):
        yield place, _shown(then), _shown(now)


def _shown(value: Any) -> str:
    return NOTHING if value is NOTHING else shorten(value, _LONGEST)


def as_recorded(params: Mapping[str, Any], repository: Path) -> Any:
    """Params of a job as its sidecars would have them."""
    return json.loads(json.dumps(portable(params, repository)))


def changes_since(
    outputs: Iterable[str], params: Mapping[str, Any], inputs: Iterable[str | os.PathLike[str]], repository: Path
) -> tuple[set[str], set[str]]:
    """Compares a job with the one that wrote its outputs.

    Arguments:
        outputs: Files that the job makes; those without a sidecar that can be read say nothing.
        params: What it would be given, by name.
        inputs: What it would read.
        repository: Folder of the workflow.

    Returns:
        Values then and values now that differ, as text: none if the job would do the same.
    """
    then_and_now: tuple[set[str], set[str]] = (set(), set())
    found = (recorded_content(sidecar_of(input_of(output, repository)["path"])) for output in outputs)
    contents = [content for content in found if content]
    # Nothing to compare with, as of all jobs before a first run.
    read = {input_of(file, repository)["path"] for file in inputs} if contents else set()
    for content in contents:
        known = {item["path"] for item in content["inputs"]}
        changes = [
            *differences(content["params"], as_recorded(params, repository), ""),
            *(("input", path, NOTHING) for path in known - read),
            *(("input", NOTHING, path) for path in read - known),
        ]
        for place, *values in changes:
            for texts, value in zip(then_and_now, values, strict=True):
                texts.add(f"{place} {value}")
    return then_and_now
