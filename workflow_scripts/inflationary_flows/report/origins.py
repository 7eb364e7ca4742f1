"""Where each thing in the page comes from, as one table: rule, sha256, seeds of all that it was made from, times."""

from __future__ import annotations

from typing import Any

from inflationary_flows.audit.sidecars import Ledger, Sidecar

ORIGIN_COLUMNS = ("path", "title", "rule", "sha256", "bytes", "seeds", "sample_seeds", "commit", "started", "ended")


def origin_row(ledger: Ledger, artifact: str, title: str) -> dict[str, Any]:
    """Says where an artifact comes from.

    Arguments:
        ledger: All sidecars.
        artifact: Its path below the results.
        title: What it is called.

    Returns:
        A row of `ORIGIN_COLUMNS`: numbers of `seeds` and `sample_seeds` are of all jobs on the way from the data to the
        artifact.  Without a sidecar only path and title are known.
    """
    sidecar = ledger.sidecars.get(artifact)
    if sidecar is None:
        return {"path": artifact, "title": title}
    used = {"seeds": set[str](), "sample_seeds": set[str]()}
    for job in ancestors(ledger, artifact):
        for place, value in job.seeds.items():
            # A wildcard may be a seed with the variant of a network: 0-early.
            values = value if isinstance(value, list) else [str(value).partition("-")[0]]
            used["sample_seeds" if place.endswith(".sample_seed") else "seeds"].update(map(str, values))
    return {
        "path": artifact,
        "title": title,
        "rule": sidecar.rule,
        "sha256": sidecar.sha256,
        "bytes": sidecar.size,
        **{name: ", ".join(sorted(values, key=lambda seed: (len(seed), seed))) for name, values in used.items()},
        "commit": sidecar.source["commit"],
        "started": sidecar.started.isoformat(timespec="seconds"),
        "ended": sidecar.ended.isoformat(timespec="seconds"),
    }


def ancestors(ledger: Ledger, artifact: str) -> list[Sidecar]:
    """Sidecars of an artifact and of all that it was made from, each once, as far as there are any."""
    found: dict[str, Sidecar] = {}
    waiting = [artifact]
    while waiting:
        name = waiting.pop()
        if name in ledger.sidecars and name not in found:
            found[name] = ledger.sidecars[name]
            waiting += [item.path for item in found[name].inputs if not item.outside]
    return list(found.values())
