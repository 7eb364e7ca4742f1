"""Inputs that no job made: where the user's files and folders lie on this machine, and whether they have changed."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from inflationary_flows.audit.sidecars import Input
from inflationary_flows.errors import ArtifactError
from inflationary_flows.files.files import read_json, sha256_of
from inflationary_flows.files.portable import portable
from inflationary_flows.runtime.provenance import LOCAL


class Outside:
    """Finds inputs from outside of the results again.

    Sidecars name them by their path below the working directory or the workflow's, or by their last name alone.  Where
    one of the latter lies is known from a file beside the results, which never leaves the machine.

    Arguments:
        results: The folder of results; its parent is the working directory.
        repository: Folder of the workflow, if it is known.
    """

    def __init__(self, results: Path, repository: Path | None) -> None:
        self.results = results
        self.working = Path(os.path.abspath(results)).parent
        self.folders = [self.working, *([repository.resolve()] if repository is not None else [])]
        self._digests: dict[Path, str | None] = {}

    def has_changed(self, item: Input) -> bool | None:
        """Whether an input is another one than a job read; None where it cannot be found, as on another machine."""
        found = {digest for path in self._places(item.path) if (digest := self._digest(path)) is not None}
        return item.sha256 not in found if found else None

    def _places(self, name: str) -> Iterator[Path]:
        # Another file of that name, where the configuration names one, is not meant.
        yield from self._given.get(name, ()) or self._below(name)

    def _below(self, name: str) -> Iterator[Path]:
        # Sidecars of others may name anything; nothing but what lies below these folders is looked at.
        if not os.path.isabs(name) and ".." not in name.split("/"):
            yield from (folder / name for folder in self.folders)

    def _digest(self, path: Path) -> str | None:
        if path not in self._digests:
            try:
                self._digests[path] = sha256_of(path)
            except (ArtifactError, ValueError):
                self._digests[path] = None
        return self._digests[path]

    @cached_property
    def _given(self) -> dict[str, list[Path]]:
        """Paths in the configuration, by the names that sidecars have for them."""
        given: dict[str, list[Path]] = defaultdict(list)
        try:
            texts = _texts(read_json(self.results / LOCAL))
            for text in texts:
                name = portable(text, self.folders[-1], self.working)
                given[name].extend(self._below(text) if name == text else [self.working / text])
        except (ArtifactError, OSError, ValueError, RecursionError):
            pass
        return given


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from _texts(entry)
