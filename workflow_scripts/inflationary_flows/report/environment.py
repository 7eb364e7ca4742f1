"""What results were made with: versions, commits, machines and times, by their sidecars; and what their audit found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from inflationary_flows.audit.checks import Audit
from inflationary_flows.audit.sidecars import Ledger, Sidecar

ENVIRONMENT_COLUMNS = ("item", "value", "artifacts")
AUDIT_COLUMNS = ("item", "count")
FINDING_COLUMNS = ("kind", "path", "detail")
# Packages that numbers go through; sidecars have all others.
PACKAGES = (
    *("numpy", "scipy", "torch", "torchdiffeq", "scikit-learn", "pandas", "diffusers", "arviz-stats"),
    *("kornia", "torch-fidelity", "matplotlib", "safetensors", "snakemake"),
)
CLEAN, DIRTY, UNKNOWN = "clean", "uncommitted changes", "unknown"


def environment_rows(ledger: Ledger) -> list[dict[str, Any]]:
    """What the artifacts were made with.

    Arguments:
        ledger: All sidecars.

    Returns:
        Rows of `ENVIRONMENT_COLUMNS`: where artifacts differ, an item has a row for each value, that of most artifacts
        first; `artifacts` is the number of them.
    """
    counts: dict[str, Counter[str]] = {}
    for sidecar in ledger.sidecars.values():
        for item, value in _described(sidecar):
            counts.setdefault(item, Counter())[value] += 1
    rows = [
        dict(zip(ENVIRONMENT_COLUMNS, (item, value, count), strict=True))
        for item, values in counts.items()
        for value, count in values.most_common()
    ]
    sidecars = list(ledger.sidecars.values())
    if sidecars:
        first, last = min(s.started for s in sidecars), max(s.ended for s in sidecars)
        for item, moment in (("first start", first), ("last end", last)):
            ours = sum(moment in (s.started, s.ended) for s in sidecars)
            rows.append(dict(zip(ENVIRONMENT_COLUMNS, (item, _moment(moment), ours), strict=True)))
    return rows


def audit_rows(found: Audit) -> list[dict[str, Any]]:
    """What an audit checked and found, in numbers: rows of `AUDIT_COLUMNS`."""
    counts = {"artifacts": found.artifacts, "jobs": found.jobs, "bytes": found.bytes, "findings": len(found.findings)}
    kinds = Counter(finding.kind for finding in found.findings)
    counts |= {f"findings: {kind}": count for kind, count in sorted(kinds.items())}
    return [dict(zip(AUDIT_COLUMNS, pair, strict=True)) for pair in counts.items()]


def finding_rows(found: Audit) -> list[dict[str, str]]:
    """What an audit found: rows of `FINDING_COLUMNS`, none if nothing is wrong."""
    return [{name: getattr(finding, name) for name in FINDING_COLUMNS} for finding in found.findings]


def _described(sidecar: Sidecar) -> Iterator[tuple[str, str]]:
    source, software, host = sidecar.source, sidecar.software, sidecar.host
    dirty = source["dirty"]
    yield "commit", str(source["commit"] or UNKNOWN)
    yield "working tree", UNKNOWN if dirty is None else DIRTY if dirty else CLEAN
    yield "requirements.lock", str(source["lock"] or UNKNOWN)
    yield "system", f"{host['system']} {host['machine']}"
    yield "processor", str(host["cpu"] or UNKNOWN)
    if host["gpu"]:
        yield "GPU", str(host["gpu"])
    yield "Python", str(software["python"])
    for package in PACKAGES:
        if package in software["packages"]:
            yield package, str(software["packages"][package])


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
