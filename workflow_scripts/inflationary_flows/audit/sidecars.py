"""Sidecars as they are read: what each artifact was when it was written, and what it was made from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from inflationary_flows.errors import ArtifactError, shorten
from inflationary_flows.files.folders import files_below
from inflationary_flows.runtime.provenance import FORMAT, PROVENANCE, seal

_SUFFIX = ".json"
_DEEPEST = 64
_SHA256 = re.compile(r"[0-9a-f]{64}")
# What is read of a sidecar: types, a pattern of text, a list of equal items, or a mapping by name (`...`: any name).
_TEXT_OR_NONE, _NUMBER_OR_NONE = (str, type(None)), (int, float, type(None))
_SHAPE: dict[Any, Any] = {
    "sha256": _SHA256,
    "bytes": int,
    "rule": str,
    "wildcards": dict,
    "params": dict,
    "seeds": dict,
    "inputs": [{"path": str, "sha256": _SHA256}],
    "source": {
        "library": {...: str},
        "commit": _TEXT_OR_NONE,
        "dirty": (bool, type(None)),
        "lock": _TEXT_OR_NONE,
    },
    "software": {"python": str, "packages": {...: str}},
    "host": {"system": str, "machine": str, "cpu": _TEXT_OR_NONE, "gpu": _TEXT_OR_NONE},
    "job": {
        "started": str,
        "ended": str,
        "threads": int,
        "peak_memory_mb": _NUMBER_OR_NONE,
        "peak_gpu_memory_mb": _NUMBER_OR_NONE,
    },
}


@dataclass(frozen=True)
class Input:
    """A file that a job read.

    Attributes:
        path: Below the results; of a file from outside, below the working directory or its name alone.
        sha256: Of its content then.
        outside: Whether it is no result but was given by the user, or written by Snakemake.
    """

    path: str
    sha256: str
    outside: bool = False


@dataclass(frozen=True)
class Sidecar:
    """Provenance of one artifact.

    Attributes:
        artifact: Its path below the results.
        sha256, size: Of its content.
        rule, wildcards, params, seeds: The job that wrote it.
        inputs: Files that the job read.
        source: Digests by path below `workflow_scripts`, the script's first (`library`), and of the lock file (`lock`);
            git `commit`, whether it was `dirty`.
        software: Version of Python (`python`), versions of `packages`.
        host: `system`, `machine`, models of `cpu` and `gpu`.
        started, ended: Of the job, until it wrote the artifact.
        threads: Of the job.
        peak_memory_mb, peak_gpu_memory_mb: Highest memory until then, megabytes.
    """

    artifact: str
    sha256: str
    size: int
    rule: str
    wildcards: Mapping[str, Any]
    params: Mapping[str, Any]
    seeds: Mapping[str, Any]
    inputs: tuple[Input, ...]
    source: Mapping[str, Any]
    software: Mapping[str, Any]
    host: Mapping[str, Any]
    started: datetime
    ended: datetime
    threads: int
    peak_memory_mb: float | None
    peak_gpu_memory_mb: float | None

    @property
    def scripts(self) -> list[str]:
        """What made it, by path in the repository, the script first; the workflow itself where no rule did."""
        return [f"workflow_scripts/{path}" for path in self.source["library"]] or ["rules/common.smk"]

    @property
    def job(self) -> tuple[str, str, datetime]:
        """Identity of the job: artifacts of one job share it."""
        return self.rule, json.dumps(self.wildcards, sort_keys=True), self.started


def read_sidecar(path: Path, artifact: str) -> Sidecar:
    """Reads the sidecar of an artifact.

    Raises:
        ArtifactError: if it is missing, altered, malformed, or that of another artifact.
    """
    hint = "delete the artifact and run the workflow again."
    try:
        if path.exists() and not path.is_file():
            raise OSError("no file")
        content = json.loads(path.read_text(encoding="utf-8"))
        _require_flat(content)
        # What no sidecar holds, and no output could: halves of characters, numbers that are none.
        json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
        sealed, found = content["seal"], seal(content)
    except FileNotFoundError:
        raise ArtifactError(str(path), "a sidecar", "none", hint) from None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as problem:
        raise ArtifactError(str(path), "a sidecar", f"other content ({shorten(str(problem))})", hint) from problem
    if sealed != found:
        raise ArtifactError(str(path), "the content that was sealed", "another one", hint)
    if content.get("format") != FORMAT:
        known = f"a sidecar of format {FORMAT}"
        raise ArtifactError(
            str(path), known, f"format {shorten(content.get('format'))}", "use the version that wrote it."
        )
    if content.get("artifact") != artifact:
        raise ArtifactError(
            str(path), f"the sidecar of {artifact}", f"that of {shorten(content.get('artifact'))}", hint
        )
    try:
        _require(content, _SHAPE, "sidecar")
        return _read_content(content)
    except (ValueError, OverflowError) as problem:
        raise ArtifactError(str(path), "a sidecar", f"a malformed one ({problem})", hint) from problem


def _require_flat(value: Any, left: int = _DEEPEST) -> None:
    """Raises `ValueError` if a value of JSON nests deeper than settings do."""
    if not left:
        raise ValueError(f"it nests deeper than {_DEEPEST} levels")
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _require_flat(inner, left - 1)


def _require(value: Any, shape: Any, place: str) -> None:
    """Raises `ValueError` where a value of JSON has another shape."""
    if isinstance(shape, dict):
        _require(value, dict, place)
        for name, inner in shape.items():
            for key in value if name is ... else [name]:
                if key not in value:
                    raise ValueError(f"{place} has no {key}")
                _require(value[key], inner, f"{place}.{key}")
    elif isinstance(shape, list):
        _require(value, list, place)
        for index, entry in enumerate(value):
            _require(entry, shape[0], f"{place}[{index}]")
    elif isinstance(shape, re.Pattern):
        if not isinstance(value, str) or not shape.fullmatch(value):
            raise ValueError(f"{place} is {shorten(value)}")
    # Whether something is true is no number.
    elif not isinstance(value, shape) or (isinstance(value, bool) and shape is int):
        raise ValueError(f"{place} is {shorten(value)}")


def _read_content(content: Mapping[str, Any]) -> Sidecar:
    same = ("artifact", "sha256", "rule", "wildcards", "params", "seeds", "source", "software", "host")
    job = content["job"]
    return Sidecar(
        **{name: content[name] for name in same},
        size=content["bytes"],
        inputs=tuple(
            Input(item["path"], item["sha256"], outside=item.get("outside") is True) for item in content["inputs"]
        ),
        started=_moment(job["started"]),
        ended=_moment(job["ended"]),
        threads=job["threads"],
        peak_memory_mb=job["peak_memory_mb"],
        peak_gpu_memory_mb=job["peak_gpu_memory_mb"],
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() is None:
        raise ValueError(f"{shorten(text)} has no time zone")
    return moment


@dataclass
class Ledger:
    """All sidecars of a folder of results.

    Attributes:
        results: The folder.
        sidecars: By artifact, in alphabetical order.
        damaged: Sidecars that cannot be trusted, by artifact, and why.
    """

    results: Path
    sidecars: dict[str, Sidecar] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, results: Path) -> Ledger:
        """Reads the sidecars below a folder of results.

        Raises:
            ArtifactError: if it has none.
        """
        folder, ledger = results / PROVENANCE, cls(results)
        for name, path in files_below(folder):
            if not name.endswith(_SUFFIX):
                continue
            artifact = name.removesuffix(_SUFFIX)
            try:
                ledger.sidecars[artifact] = read_sidecar(path, artifact)
            except ArtifactError as problem:
                ledger.damaged[artifact] = f"expected {problem.expected}, got {problem.got}"
        for path in folder.rglob(f"*{_SUFFIX}"):
            inner = path.relative_to(folder)
            if path.is_dir() and not (results / inner).is_dir():
                ledger.damaged[inner.as_posix().removesuffix(_SUFFIX)] = "expected a sidecar, got a folder"
        if not ledger.sidecars and not ledger.damaged:
            hint = "give the folder `results` of a run, such as results/."
            raise ArtifactError(str(results), f"a folder with sidecars in {PROVENANCE}/", "none", hint)
        return ledger

    def users_of(self) -> dict[str, list[str]]:
        """For each input, the artifacts that were made from it."""
        users: dict[str, list[str]] = {}
        for sidecar in self.sidecars.values():
            for item in sidecar.inputs:
                users.setdefault(item.path, []).append(sidecar.artifact)
        return users
