"""The origin of an artifact in data and seeds, as a tree."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from inflationary_flows.audit.outside import Outside
from inflationary_flows.audit.sidecars import Input, Sidecar, read_sidecar
from inflationary_flows.errors import ArtifactError
from inflationary_flows.files.files import sha256_of
from inflationary_flows.runtime.provenance import PROVENANCE, sidecar_of

_SHORT = 12


def find_results(path: Path) -> Path:
    """The folder of results that holds a file.

    Raises:
        ArtifactError: if no folder above the file has sidecars.
    """
    for folder in path.absolute().parents:
        if (folder / PROVENANCE).is_dir():
            return folder
    hint = "give the path of a file below results/."
    raise ArtifactError(str(path), f"a file in a folder with {PROVENANCE}/", "another one", hint)


def trace(path: Path, scripts: Path | None = None) -> Iterator[str]:
    """Follows a file back to data and seeds.

    Each line names a file, the job that wrote it, its seeds and the beginning of its sha256, and marks a file that has
    changed since it was written or read. Files that were shown before are not followed again.

    Arguments:
        path: A file below a folder of results.
        scripts: Folder of the rules' scripts, if it is known: files of the user may lie beside it.

    Returns:
        The lines of the tree.

    Raises:
        ArtifactError: if the file has no sidecar, or is in no folder of results.
    """
    path = Path(os.path.abspath(path))
    if not path.exists():
        raise ArtifactError(str(path), "an existing file", "none", "give the path of a file below results/.")
    results = find_results(path)
    artifact = path.relative_to(results).as_posix()
    sidecar = read_sidecar(sidecar_of(artifact, results), artifact)
    outside = Outside(results, scripts.parent if scripts is not None else None)
    seen = {artifact}
    yield _describe(results, sidecar, sidecar.sha256)
    # What is left to show, the next last: chains are longer than Python's stack.
    waiting = _branches(sidecar, "")
    while waiting:
        item, first, indent = waiting.pop()
        sha256 = f"sha256 {item.sha256[:_SHORT]}"
        if item.outside:
            yield f"{first}{item.path}  [given]  {sha256}{'  CHANGED' if outside.has_changed(item) else ''}"
            continue
        try:
            sidecar = read_sidecar(sidecar_of(item.path, results), item.path)
        except ArtifactError:
            yield f"{first}{item.path}  [no sidecar]  {sha256}"
            continue
        again = item.path in seen
        above = bool(sidecar.inputs) and again
        yield f"{first}{_describe(results, sidecar, item.sha256)}{'  (see above)' if above else ''}"
        if not again:
            seen.add(item.path)
            waiting += _branches(sidecar, indent)


def _branches(sidecar: Sidecar, indent: str) -> list[tuple[Input, str, str]]:
    """What a file was made from, the last first, and what stands before it and below it."""
    last, *others = reversed(sidecar.inputs) if sidecar.inputs else [None]
    ends = [] if last is None else [(last, f"{indent}└── ", f"{indent}    ")]
    return ends + [(item, f"{indent}├── ", f"{indent}│   ") for item in others if item is not None]


def _describe(results: Path, sidecar: Sidecar, used: str) -> str:
    named = (f"{place.partition('.')[2]} {value}" for place, value in sidecar.seeds.items())
    # A seed that is a wildcard is often a setting, too.
    seeds = ", ".join(dict.fromkeys(named))
    made = f"[{sidecar.rule}{f'; {seeds}' if seeds else ''}]"
    path = results / sidecar.artifact
    state = ""
    if not path.is_file():
        state = "  MISSING"
    elif sha256_of(path) != sidecar.sha256:
        state = "  CHANGED"
    elif used != sidecar.sha256:
        state = f"  REMADE (was {used[:_SHORT]})"
    return f"{sidecar.artifact}  {made}  sha256 {sidecar.sha256[:_SHORT]}{state}"
