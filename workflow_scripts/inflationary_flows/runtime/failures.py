"""What failed jobs wrote down."""

from __future__ import annotations

from pathlib import Path

_LONGEST = 2_000


def failures_since(started: float) -> list[str]:
    """Errors that jobs logged, each with its log, and the logs that SLURM keeps of failed jobs.

    Arguments:
        started: Time of the first log that counts, seconds since the epoch.
    """
    found = []
    for path in sorted(Path("results/logs").rglob("*.log")):
        if path.stat().st_mtime >= started:
            _, error, what = path.read_text(encoding="utf-8", errors="replace").partition(" ERROR ")
            found += [f"{path}: {what[:_LONGEST].rstrip()}"] if error else []
    # Logs of jobs that ended well are deleted.
    submitted = Path(".snakemake/slurm_logs").rglob("*.log")
    kept = [str(path) for path in submitted if path.stat().st_mtime >= started]
    return found + (["What SLURM says of failed jobs:", *sorted(kept)] if kept else [])
