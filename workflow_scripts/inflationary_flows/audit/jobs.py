"""Jobs of a run, reconstructed from the sidecars of their artifacts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from inflationary_flows.audit.sidecars import Input, Ledger, Sidecar


@dataclass(frozen=True)
class Job:
    """One job, as its artifacts describe it.

    Attributes:
        sidecars: Of its artifacts, in alphabetical order; at least one.
    """

    sidecars: tuple[Sidecar, ...]

    @property
    def name(self) -> str:
        """Its first artifact, which no other job has made."""
        return self.sidecars[0].artifact

    @property
    def rule(self) -> str:
        return self.sidecars[0].rule

    @property
    def artifacts(self) -> tuple[str, ...]:
        return tuple(sidecar.artifact for sidecar in self.sidecars)

    @property
    def wildcards(self) -> Mapping[str, Any]:
        return self.sidecars[0].wildcards

    @property
    def values(self) -> dict[str, Any]:
        """All but files that the result depends on, by its place: wildcards, params, nested seeds, the commit."""
        first = self.sidecars[0]
        values = {f"wildcards.{name}": value for name, value in first.wildcards.items()}
        values |= {f"params.{name}": value for name, value in first.params.items()}
        values |= self.seeds
        return values | ({"source.commit": self.commit} if self.commit else {})

    @property
    def seeds(self) -> Mapping[str, Any]:
        return self.sidecars[0].seeds

    @property
    def inputs(self) -> tuple[Input, ...]:
        """Files that it read; one that it read late is known to its later artifacts alone."""
        return tuple(dict.fromkeys(item for sidecar in self.sidecars for item in sidecar.inputs))

    @property
    def scripts(self) -> list[str]:
        return self.sidecars[0].scripts

    @property
    def version(self) -> str | None:
        """Digest of its sources and of the modules that these import."""
        digests = list(self.sidecars[0].source["library"].values())
        if len(digests) > 1:
            return hashlib.sha256("".join(digests).encode()).hexdigest()
        return digests[0] if digests else None

    @property
    def commit(self) -> str | None:
        """The git commit of its sources, marked if they had uncommitted changes."""
        source = self.sidecars[0].source
        return f"{source['commit']}-dirty" if source["commit"] and source["dirty"] else source["commit"]

    @property
    def python(self) -> str:
        return str(self.sidecars[0].software["python"])

    @property
    def packages(self) -> Mapping[str, str]:
        packages: Mapping[str, str] = self.sidecars[0].software["packages"]
        return packages

    @property
    def environment(self) -> str:
        """Python and packages as one text: equal for jobs that ran with the same ones."""
        return json.dumps(self.sidecars[0].software, sort_keys=True)

    @property
    def started(self) -> datetime:
        return self.sidecars[0].started

    @property
    def ended(self) -> datetime:
        return max(sidecar.ended for sidecar in self.sidecars)

    @property
    def memory(self) -> dict[str, float | None]:
        """Highest memory, and that of its GPU, megabytes."""
        peaks: dict[str, float | None] = {}
        for name in ("peak_memory_mb", "peak_gpu_memory_mb"):
            known = [value for sidecar in self.sidecars if (value := getattr(sidecar, name)) is not None]
            peaks[name] = max(known, default=None)
        return peaks


def jobs_of(ledger: Ledger) -> list[Job]:
    """All jobs whose artifacts a ledger knows, in the order of their names."""
    found: dict[tuple[str, str, datetime], list[Sidecar]] = {}
    for sidecar in ledger.sidecars.values():
        found.setdefault(sidecar.job, []).append(sidecar)
    jobs = [Job(tuple(sorted(sidecars, key=lambda sidecar: sidecar.artifact))) for sidecars in found.values()]
    return sorted(jobs, key=lambda job: job.name)


def names_of_outputs(jobs: Iterable[Job]) -> dict[str, str]:
    """Names each artifact as an output of its rule.

    It is the name of the file if every job of the rule makes one of that name, such as `network.safetensors`; else
    the name depends on wildcards, and its suffix is left: `*.csv`.
    """
    shared: dict[str, set[str]] = {}
    listed = list(jobs)
    for job in listed:
        names = {PurePosixPath(artifact).name for artifact in job.artifacts}
        shared[job.rule] = shared.get(job.rule, names) & names
    named = {}
    for job in listed:
        for artifact in job.artifacts:
            path = PurePosixPath(artifact)
            named[artifact] = path.name if path.name in shared[job.rule] else f"*{path.suffix}"
    return named
