"""Where the files are that a configuration names, and where its results go."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from inflationary_flows.errors import shorten

# The folder of the Snakefile, where this library lies.
REPOSITORY = Path(__file__).resolve().parents[3]


def folder_of_run(configurations: Sequence[Path]) -> Path | None:
    """The folder that has the results of a configuration, absolute; None if that is the working directory.

    Results of `config.yaml` of this project are those of the working directory.  Any other configuration has a folder
    beside it, named like it, so that it touches no results but its own: `my` of my.yaml, `my_yml` of my.yml, and with
    `_run` behind it where there is a folder of this name that is no run's. A `config.resolved.yaml` in a folder of
    results, where every run writes one, belongs to these.

    Arguments:
        configurations: Files that are given, the last of which wins.
    """
    others = [path.absolute() for path in configurations if path.resolve() != REPOSITORY / "config.yaml"]
    if not others:
        return None
    last = others[-1]
    if last.name == "config.resolved.yaml" and last.parent.name == "results":
        return last.parent.parent
    kind = "" if last.suffix in ("", ".yaml") else f"_{last.suffix[1:]}"
    folder = last.with_name(f"{last.stem}{kind}")
    # Its results would lie among those of config.yaml, it would hide the file itself, or it holds something else.
    # A dry run leaves .snakemake there.
    holds = {entry.name for entry in folder.iterdir()} - {".snakemake"} if folder.is_dir() else set()
    foreign = bool(holds) and "results" not in holds
    taken = folder in (last, REPOSITORY / "results") or foreign
    return folder.with_name(f"{folder.name}_run") if taken else folder


def located(
    raw: dict[str, Any],
    beside: Sequence[Path],
    say: Callable[[str], None],
    started_in: Path = Path(),
    absolute: bool = False,
) -> dict[str, Any]:
    """Looks for own tables, images and weights beside the configuration, where a run was started, beside the workflow.

    Arguments:
        raw: A configuration that was not checked; its relative paths are replaced in place, by ones that start at the
            working directory if they are below it, and by absolute ones elsewhere. Those of missing files stay.
        beside: The folder of the configuration; none if it comes from no file.
        say: Told of files that another one of the same name, where the run was started, may be mistaken for.
        started_in: Where the run was started; by default the working directory.
        absolute: Whether all paths are to be absolute.
    """
    for entry, key in _named(raw):
        path = entry.get(key)
        if isinstance(path, str) and not os.path.isabs(path):
            entry[key] = _locate(path, beside, say, started_in, absolute)
    return raw


def _named(raw: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Parts of a configuration that name files, each with the key that does."""
    seen: set[int] = set()
    for *keys, key in (
        ("datasets", "path"),
        ("extractors", "path"),
        ("experiments", "propagation", "examples", "file"),
    ):
        section: Any = raw
        for name in keys:
            section = section.get(name) if isinstance(section, dict) else None
        for entry in section.values() if isinstance(section, dict) else ():
            # An entry that an alias repeats is one and the same.
            if isinstance(entry, dict) and id(entry) not in seen:
                seen.add(id(entry))
                yield entry, key


def _locate(path: str, beside: Sequence[Path], say: Callable[[str], None], started_in: Path, absolute: bool) -> str:
    for folder in (*beside, started_in, REPOSITORY):
        found = os.path.join(folder, path)
        if not os.path.exists(found):
            continue
        if os.path.samefile(folder, os.curdir) and not absolute:
            return path
        if folder in beside and _are_different(found, os.path.join(started_in, path)):
            say(f"{shorten(path)}: read beside the configuration; that of the working directory is another one.")
        # The working directory may be known by a link, and a folder above a link is not the one that is written there.
        whole = os.path.realpath(found)
        names = [os.path.abspath(found), os.path.abspath(os.path.join(os.path.realpath(folder), path)), whole]
        names = [name for name in names if os.path.realpath(name) == whole]
        below = filter(lambda name: not name.startswith(os.pardir), map(os.path.relpath, names))
        return names[0] if absolute else next(below, names[0])
    return path


def _are_different(found: str, other: str) -> bool:
    if not os.path.exists(other) or os.path.samefile(found, other):
        return False
    return not (os.path.isfile(found) and os.path.isfile(other) and filecmp.cmp(found, other, shallow=False))
