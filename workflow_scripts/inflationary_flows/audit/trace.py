"""The origin of an artifact in data and seeds, as a tree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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


def trace(path: Path) -> Iterator[str]:
    """Follows a file back to data and seeds.

    Each line names a file, the job that wrote it, its seeds and the beginning of its sha256, and marks a file that has
    changed since it was written or read. Files that were shown before are not followed again.

    Arguments:
        path: A file below a folder of results.

    Returns:
        The lines of the tree.

    Raises:
        ArtifactError: if the file has no sidecar, or is in no folder of results.
    """
    results = find_results(path)
    artifact = path.absolute().relative_to(results).as_posix()
    sidecar = read_sidecar(sidecar_of(artifact, results), artifact)
    tree = _Tree(results)
    yield tree.describe(sidecar, sidecar.sha256)
    yield from tree.inputs_of(sidecar, "")


class _Tree:
    def __init__(self, results: Path) -> None:
        self.results = results
        self.seen: set[str] = set()

    def inputs_of(self, sidecar: Sidecar, indent: str) -> Iterator[str]:
        self.seen.add(sidecar.artifact)
        for number, item in enumerate(sidecar.inputs, start=1):
            last = number == len(sidecar.inputs)
            branch, further = ("└── ", "    ") if last else ("├── ", "│   ")
            yield from self._follow(item, indent + branch, indent + further)

    def _follow(self, item: Input, first: str, indent: str) -> Iterator[str]:
        if item.outside:
            yield f"{first}{item.path}  [given]  sha256 {item.sha256[:_SHORT]}"
            return
        try:
            sidecar = read_sidecar(sidecar_of(item.path, self.results), item.path)
        except ArtifactError:
            yield f"{first}{item.path}  [no sidecar]  sha256 {item.sha256[:_SHORT]}"
            return
        again = item.path in self.seen
        above = bool(sidecar.inputs) and again
        yield f"{first}{self.describe(sidecar, item.sha256)}{'  (see above)' if above else ''}"
        if not again:
            yield from self.inputs_of(sidecar, indent)

    def describe(self, sidecar: Sidecar, used: str) -> str:
        named = (f"{place.partition('.')[2]} {value}" for place, value in sidecar.seeds.items())
        # A seed that is a wildcard is often a setting, too.
        seeds = ", ".join(dict.fromkeys(named))
        made = f"[{sidecar.rule}{f'; {seeds}' if seeds else ''}]"
        path = self.results / sidecar.artifact
        state = ""
        if not path.is_file():
            state = "  MISSING"
        elif sha256_of(path) != sidecar.sha256:
            state = "  CHANGED"
        elif used != sidecar.sha256:
            state = f"  REMADE (was {used[:_SHORT]})"
        return f"{sidecar.artifact}  {made}  sha256 {sidecar.sha256[:_SHORT]}{state}"
