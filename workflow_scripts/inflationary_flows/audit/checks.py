"""Checks a folder of results against its sidecars: every file is rehashed, every input traced to its origin.

Kinds of findings:

    missing     a sidecar or another artifact speaks of a file that is not there
    changed     a file is not what its job wrote
    swapped     two files have each other's content
    orphaned    a file of unknown origin
    sidecar     a sidecar was altered, damaged, or belongs elsewhere
    stale       an artifact was made from an input, with a setting, or by a source, that has changed since
    untraced    a number that is not in the tables that it claims to come from (`origins`)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from inflationary_flows.audit.origins import untraced_numbers
from inflationary_flows.audit.outside import Outside
from inflationary_flows.audit.settings import Settings
from inflationary_flows.audit.sidecars import Ledger, Sidecar
from inflationary_flows.errors import ArtifactError
from inflationary_flows.files.files import sha256_of
from inflationary_flows.files.folders import files_below
from inflationary_flows.runtime.digest import source_digest
from inflationary_flows.runtime.provenance import CONFIGURATION, PROVENANCE

# Files next to artifacts that are not artifacts: text for people.
NO_ARTIFACTS = frozenset({PROVENANCE, "logs", "README.md"})
# Snakemake itself writes times of jobs here; tables of times next to them are artifacts.
BENCHMARKS = "benchmarks"
_TIMES = (".tsv", ".jsonl")
# Hashing is bound by reading.
_READERS = 4


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with one file.

    Attributes:
        kind: As above.
        path: Below the results.
        detail: Expected and found content.
    """

    kind: str
    path: str
    detail: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.kind:9} {self.path}: {self.detail}"


@dataclass(frozen=True)
class Audit:
    """Result of an audit.

    Attributes:
        findings: Faults, sorted by path.
        ledger: The sidecars that were checked.
        bytes: Size of all that was hashed.
        notes: Remarks that are no findings.
    """

    findings: list[Finding]
    ledger: Ledger
    bytes: int
    notes: list[str]

    @property
    def artifacts(self) -> int:
        """Number of artifacts with a sidecar."""
        return len(self.ledger.sidecars)

    @property
    def jobs(self) -> int:
        """Number of jobs that wrote them."""
        return len({sidecar.job for sidecar in self.ledger.sidecars.values()})


def printable(line: str) -> str:
    """A line with line breaks, control characters and halves of characters written out."""
    if line.isprintable():
        return line
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line)


def audit(results: Path, scripts: Path | None = None, *, ignore: frozenset[str] = frozenset()) -> Audit:
    """Checks every file below a folder of results.

    Arguments:
        results: The folder.
        scripts: Folder of the rules' scripts and of the library, if their digests are to be compared with those
            recorded in the sidecars.
        ignore: Artifacts to skip, because they are about to be rewritten.

    Returns:
        All findings; none if every file is what its job wrote, from inputs that are still there.

    Raises:
        ArtifactError: if there are no sidecars.
    """
    ledger = Ledger.read(results)
    for artifact in ignore:
        ledger.sidecars.pop(artifact, None)
        ledger.damaged.pop(artifact, None)
    files = {name: path for name, path in _files(results) if name not in ignore}
    with ThreadPoolExecutor(_READERS) as readers:
        digests = dict(zip(files, readers.map(_digest, files.values()), strict=True))
    outside = Outside(results, scripts.parent if scripts is not None else None)
    settings = Settings(results)
    findings = [
        *_damaged_sidecars(ledger, digests),
        *_against_sidecars(ledger, files, digests),
        *_orphans(ledger, digests),
        *_stale_inputs(ledger, digests, outside),
        *(Finding("stale", *difference) for difference in settings.differences(ledger)),
        *(_stale_sources(ledger, scripts) if scripts is not None else ()),
    ]
    known = {finding.path for finding in findings}
    findings += [Finding("untraced", *number) for number in untraced_numbers(ledger, known)]
    # Names of files may hold anything.
    findings = [Finding(found.kind, printable(found.path), printable(found.detail)) for found in findings]
    return Audit(
        sorted(findings, key=lambda finding: (finding.path, finding.kind)),
        ledger=ledger,
        bytes=sum(path.stat().st_size for path in files.values()),
        notes=_notes(ledger, outside, settings),
    )


def _files(results: Path) -> Iterator[tuple[str, Path]]:
    """Files that need a sidecar."""
    for name, path in files_below(results):
        top = name.partition("/")[0]
        times = top == BENCHMARKS and path.suffix in _TIMES
        if path.is_file() and not times and top not in NO_ARTIFACTS:
            yield name, path


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except ArtifactError:
        # It is there, and is not what its job wrote.
        return "unreadable"


def _damaged_sidecars(ledger: Ledger, digests: Mapping[str, str]) -> Iterator[Finding]:
    for artifact, why in ledger.damaged.items():
        yield Finding("sidecar", f"{PROVENANCE}/{artifact}.json", why)
        if artifact not in digests:
            yield Finding("missing", artifact, "only its sidecar is there, which is damaged")


def _against_sidecars(ledger: Ledger, files: Mapping[str, Path], digests: Mapping[str, str]) -> Iterator[Finding]:
    owners = defaultdict(list)
    for sidecar in ledger.sidecars.values():
        owners[sidecar.sha256].append(sidecar.artifact)
    for artifact, sidecar in ledger.sidecars.items():
        if artifact not in digests:
            yield Finding("missing", artifact, f"{sidecar.rule} wrote it, and it is not there")
        elif digests[artifact] != sidecar.sha256:
            others = owners[digests[artifact]]
            exchanged = [other for other in others if digests.get(other) == sidecar.sha256]
            if exchanged:
                yield Finding("swapped", artifact, f"has the content of {exchanged[0]}, and the other way round")
            else:
                yield Finding("changed", artifact, _difference(sidecar, files[artifact].stat().st_size, others))


def _difference(sidecar: Sidecar, size: int, others: list[str]) -> str:
    if others:
        return f"has the content of {others[0]}"
    if size < sidecar.size:
        return f"truncated or rewritten: {size} bytes where {sidecar.rule} wrote {sidecar.size}"
    if size > sidecar.size:
        return f"extended or rewritten: {size} bytes where {sidecar.rule} wrote {sidecar.size}"
    return f"{size} bytes as written by {sidecar.rule}, but not the same ones"


def _orphans(ledger: Ledger, digests: Mapping[str, str]) -> Iterator[Finding]:
    for artifact in digests:
        if artifact not in ledger.sidecars and artifact not in ledger.damaged:
            yield Finding("orphaned", artifact, "no sidecar says where it comes from")
    known = {*ledger.sidecars, *ledger.damaged, *digests}
    for path, users in ledger.users_of().items():
        inside = any(not item.outside for item in ledger.sidecars[users[0]].inputs if item.path == path)
        if inside and path not in known and not _is_time(path):
            yield Finding("missing", path, f"{users[0]} was made from it, and neither it nor its sidecar is there")


def _is_time(path: str) -> bool:
    return path.startswith(f"{BENCHMARKS}/") and path.endswith(_TIMES)


def _stale_inputs(ledger: Ledger, digests: Mapping[str, str], outside: Outside) -> Iterator[Finding]:
    for artifact, sidecar in ledger.sidecars.items():
        changed = [
            item.path
            for item in sidecar.inputs
            if (
                # What the text of a configuration comes to is compared, not the text.
                sidecar.rule != CONFIGURATION and outside.has_changed(item)
                if item.outside
                else digests.get(item.path, item.sha256) != item.sha256
            )
        ]
        if changed:
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            yield Finding("stale", artifact, f"{changed[0]}{more}, which it was made from, changed after it")


def _stale_sources(ledger: Ledger, scripts: Path) -> Iterator[Finding]:
    @cache
    def digest(source: str) -> str | None:
        try:
            return source_digest(scripts / source, scripts) if (scripts / source).is_file() else None
        except (OSError, SyntaxError, ValueError, RecursionError):
            return None

    for artifact, sidecar in ledger.sidecars.items():
        for source, known in sidecar.source["library"].items():
            found = digest(source)
            if found != known:
                what = "changed after it" if found else "is gone"
                yield Finding("stale", artifact, f"the source of {source} {what}")
                break


def _notes(ledger: Ledger, outside: Outside, settings: Settings) -> list[str]:
    sources = {(str(s.source["commit"])[:12], s.source["dirty"]) for s in ledger.sidecars.values()}
    notes = [
        f"made from commit {commit}{' with uncommitted changes' if dirty else ''}"
        for commit, dirty in sorted(sources, key=str)
    ]
    locks = {sidecar.source["lock"] for sidecar in ledger.sidecars.values()}
    if len(locks) > 1:
        notes.append(f"made with {len(locks)} versions of the lock file")
    if settings.unknown is not None:
        notes.append(f"not compared with the configuration: {settings.unknown}")
    unknown = {
        item.path
        for sidecar in ledger.sidecars.values()
        for item in sidecar.inputs
        if item.outside and sidecar.rule != CONFIGURATION and outside.has_changed(item) is None
    }
    if unknown:
        notes.append(f"not found here, so not checked: {', '.join(sorted(unknown))}")
    return notes
