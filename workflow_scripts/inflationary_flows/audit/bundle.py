"""A finished run in one file: results, provenance, sources and configuration as a zipped RO-Crate.

Equal results and sources give equal bytes on every machine.  Names are sorted, times and permissions fixed, and the
description (`audit/crate.py`) holds no time.  Nothing is compressed: versions of zlib write different bytes, and most
numbers hardly compress. `python -m inflationary_flows.audit results/` checks the unzipped bundle.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from inflationary_flows.audit.crate import describe_run
from inflationary_flows.audit.sidecars import Ledger
from inflationary_flows.audit.vocabulary import CONFIGURATION_FILE, METADATA, RESULTS
from inflationary_flows.errors import ArtifactError
from inflationary_flows.files.files import atomic_write
from inflationary_flows.files.folders import files_below
from inflationary_flows.files.portable import portable
from inflationary_flows.runtime.provenance import PROVENANCE, RESOLVED

# What is needed to run the workflow again, below the folder of the Snakefile.  Of configurations a bundle holds that of
# the run, as it may be handed on, in place of `config.yaml`: others may name folders and credentials.
SOURCES = (
    "CITATION.cff",
    "LICENSE",
    "Makefile",
    "README.md",
    "Snakefile",
    "configs/paper_tables.csv",
    "envs",
    "profiles",
    "pyproject.toml",
    "requirements.lock",
    "rules",
    "schemas",
    "workflow_scripts",
)
# Logs are for people, on this machine: they name nodes and paths. Times are measured anew by every run.
_LOGS, _TIMES = "logs", "benchmarks"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_PERMISSIONS = 0o100644
_UNIX = 3
_CHUNK = 1 << 20
_AUDIT = "python -m inflationary_flows.audit results/ says more."


def write_bundle(path: Path, results: Path, sources: Path) -> None:
    """Writes a run as one zip file.

    Arguments:
        path: Output file, replaced atomically.
        results: Folder of the results, with sidecars.
        sources: Folder of the Snakefile that made them.

    Raises:
        ArtifactError: if a sidecar is damaged, an artifact is missing or altered, or a source is missing.
    """
    ledger = Ledger.read(results)
    for artifact, problem in ledger.damaged.items():
        raise ArtifactError(str(results / artifact), "a sidecar in good order", f"a damaged one ({problem})", _AUDIT)
    members = collect(ledger, sources, path)
    expected = {f"{RESULTS}/{artifact}": sidecar.sha256 for artifact, sidecar in ledger.sidecars.items()}
    description = describe_run(ledger, members)
    text = json.dumps(description, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in sorted([*members, METADATA]):
            if name == METADATA:
                archive.writestr(_entry(name), f"{text}\n")
            else:
                digest = _pack(archive, name, members[name])
                if digest != expected.get(name, digest):
                    got = f"one whose sha256 begins with {digest[:12]}"
                    raise ArtifactError(str(members[name]), "the file that its sidecar describes", got, _AUDIT)


def collect(ledger: Ledger, sources: Path, bundle: Path | None = None) -> dict[str, Path]:
    """Finds the files of a bundle.

    Hidden files, such as checkpoints, are excluded, and so are logs, and benchmarks of rules that made none of the
    artifacts: audits and earlier bundles must not change a bundle.

    Arguments:
        ledger: Sidecars of the results.
        sources: Folder of the Snakefile.
        bundle: The bundle itself, if it is among the results.

    Returns:
        Each file by its path in the bundle.

    Raises:
        ArtifactError: if an artifact, a source or the script of a rule is missing, or a sidecar names folders outside.
    """
    rules = {sidecar.rule for sidecar in ledger.sidecars.values()}
    members: dict[str, Path] = {}
    for name, file in _files(ledger.results):
        folder, _, inner = name.partition("/")
        of_other_rule = folder == _TIMES and re.split(r"[./]", inner)[0] not in rules
        of_nobody = folder == PROVENANCE and inner.removesuffix(".json") not in ledger.sidecars
        left_out = folder == _LOGS or of_nobody or (of_other_rule and name not in ledger.sidecars)
        if not left_out and (bundle is None or file.resolve() != bundle.resolve()):
            members[f"{RESULTS}/{name}"] = file
    for name in SOURCES:
        found = dict(_files(sources / name)) if (sources / name).is_dir() else {"": sources / name}
        if not all(file.is_file() for file in found.values()) or not found:
            raise ArtifactError(str(sources / name), "a part of the sources", "none", "use a whole checkout.")
        members |= {f"{name}/{inner}".rstrip("/"): file for inner, file in found.items()}
    resolved = ledger.results / RESOLVED
    if not resolved.is_file():
        raise ArtifactError(str(resolved), "the configuration of the run", "none", "run the workflow again.")
    members[CONFIGURATION_FILE] = resolved
    for artifact, sidecar in ledger.sidecars.items():
        told = [sidecar.wildcards, sidecar.params, [item.path for item in sidecar.inputs]]
        if portable(told, sources, ledger.results.parent) != told:
            hint = "an earlier version wrote it: delete the artifact and run the workflow again."
            raise ArtifactError(str(ledger.results / artifact), "a sidecar without folders outside", "one with", hint)
        if f"{RESULTS}/{artifact}" not in members:
            raise ArtifactError(str(ledger.results / artifact), "the artifact of a sidecar", "none", _AUDIT)
        for script in sidecar.scripts:
            if script not in members:
                hint = "bundle results with the sources that made them."
                raise ArtifactError(str(sources / script), f"the script of {sidecar.rule}", "none", hint)
    return members


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """All files below a folder by name, except caches of Python."""
    for name, path in files_below(folder):
        skipped = any(part == "__pycache__" or part.endswith(".egg-info") for part in name.split("/"))
        if path.is_file() and not skipped:
            yield name, path


def _entry(name: str) -> zipfile.ZipInfo:
    """A member's header, which is the same on every machine."""
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.create_system = _UNIX
    entry.external_attr = _PERMISSIONS << 16
    entry.compress_type = zipfile.ZIP_STORED
    return entry


def _pack(archive: zipfile.ZipFile, name: str, file: Path) -> str:
    """Adds a file to an archive, piece by piece; returns its sha256."""
    entry, digest = _entry(name), hashlib.sha256()
    # Larger files get longer headers, and so they must be known in advance.
    entry.file_size = file.stat().st_size
    with open(file, "rb") as source, archive.open(entry, "w") as target:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            target.write(chunk)
    return digest.hexdigest()
