"""Provenance of artifacts: a sidecar for every file that a job writes below `results`.

The sidecar of `results/{path}` is `results/provenance/{path}.json`.  `atomic_write` shows each finished file to the
job's `Recorder` just before it renames it, so that a file that exists has its sidecar.  A sidecar names no user, no
machine and no folder outside (`files/portable.py`): it can be shared.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import resource
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from inflationary_flows.errors import ArtifactError
from inflationary_flows.files.files import sha256_of, witnessed, write_json
from inflationary_flows.files.portable import portable

FORMAT = 2
RESULTS = Path("results")
PROVENANCE = "provenance"
# The configuration beside the results as it may be handed on, made by no rule but by the start of a run; and as given.
RESOLVED, CONFIGURATION, LOCAL = "config.resolved.yaml", "configuration", ".config.json"
# Packages whose versions are recorded: those that a lock file of this name pins.
LOCK = "requirements.lock"
_INSTALLED = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+)\.dist-info")
_GIT_SECONDS = 10


def sidecar_of(artifact: str | PurePosixPath, results: Path = RESULTS) -> Path:
    """Path of the sidecar of an artifact, which is named by its path below the folder of results."""
    return results / PROVENANCE / f"{artifact}.json"


def recorded_content(sidecar: Path) -> dict[str, Any]:
    """Content of a sidecar, unchecked: empty if there is none of today's format, or none that can be read."""
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    sound = isinstance(content, dict) and content.get("format") == FORMAT and content.get("seal") == seal(content)
    return content if sound else {}


def input_of(file: str | os.PathLike[str], repository: Path) -> dict[str, Any]:
    """What sidecars call a file: by its path below the results, or else by a portable one, and as from outside."""
    artifact = _artifact(Path(file))
    return {"path": portable(file, repository), "outside": True} if artifact is None else {"path": str(artifact)}


def _artifact(path: Path) -> PurePosixPath | None:
    """Path of an artifact below the results; None for other files."""
    relative = PurePosixPath(os.path.relpath(path, RESULTS))
    hidden = any(part.startswith(".") for part in relative.parts)
    outside = hidden or not relative.parts
    return None if outside or relative.parts[0] == PROVENANCE else relative


def seal(content: Mapping[str, Any]) -> str:
    """Returns the sha256 of a sidecar's content without its own `seal`: it reveals edits."""
    bare = {key: value for key, value in content.items() if key != "seal"}
    return hashlib.sha256(json.dumps(bare, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class Recorder:
    """Writes the sidecars of one job.

    Arguments:
        rule: Name of the rule.
        wildcards: Wildcards of the job.
        params: All that the result depends on besides inputs; `source` has the digest of each source by its path below
            `workflow_scripts`, the script's first.
        inputs: Files and folders that the job reads, hashed now.
        repository: Folder of the workflow, with its lock file and its git history.
        threads: Threads of the job.
    """

    def __init__(
        self,
        rule: str,
        *,
        wildcards: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        inputs: Iterable[str | os.PathLike[str]] = (),
        repository: Path,
        threads: int = 1,
    ) -> None:
        self.repository = repository.resolve()
        self.threads = threads
        self.started = datetime.now(UTC)
        self.written: list[Path] = []
        self.absent: set[Path] = set()
        wildcards, params = (portable(dict(given or {}), self.repository) for given in (wildcards, params))
        lock = self.repository / LOCK
        self.description = {
            "rule": rule,
            "wildcards": wildcards,
            "params": params,
            "seeds": {**find_seeds(wildcards, "wildcards"), **find_seeds(params, "params")},
            "source": {
                "library": params.get("source", {}),
                **git_state(self.repository),
                "lock": sha256_of(lock) if lock.is_file() else None,
            },
            "software": {"python": platform.python_version(), "packages": installed_packages(lock)},
        }
        self.inputs: list[dict[str, Any]] = []
        self.read(*inputs)

    def read(self, *files: str | os.PathLike[str]) -> None:
        """Notes files and folders that the job reads."""
        for file in files:
            self.inputs.append({**input_of(file, self.repository), "sha256": sha256_of(file)})

    def witness(self, temporary: Path, path: Path) -> None:
        """Writes the sidecar of a file that is about to get its name.

        Files outside of the results, and hidden ones such as checkpoints, have none.

        Raises:
            ArtifactError: if a job that began later has made the file meanwhile: this one is an orphan of another run.
        """
        artifact = _artifact(path)
        if artifact is None:
            return
        started = self.started.isoformat(timespec="milliseconds")
        if path in self.absent and path.exists():
            later = recorded_content(sidecar_of(artifact)).get("job", {}).get("started", "")
            if later > started:
                hint = "its run was killed, and a later one has made the file: nothing is lost."
                raise ArtifactError(str(path), "this job to be the last to make it", "one that began later", hint)
        content = {
            "format": FORMAT,
            "artifact": str(artifact),
            "sha256": sha256_of(temporary),
            "bytes": temporary.stat().st_size,
            **self.description,
            "inputs": self.inputs,
            "host": describe_hardware(),
            "job": {
                "started": started,
                "ended": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "threads": self.threads,
                **peak_memory(),
            },
        }
        write_json(sidecar_of(artifact), {**content, "seal": seal(content)})
        self.written.append(path)

    def expect(self, *outputs: str | os.PathLike[str]) -> None:
        """Notes which files of a job are not there yet, and removes the sidecars of earlier ones."""
        self.absent.update(path for path in map(Path, outputs) if not path.exists())
        self.forget(*self.absent)

    def forget(self, *artifacts: str | os.PathLike[str]) -> None:
        """Removes the sidecars of artifacts that do not exist."""
        for path in map(Path, artifacts):
            artifact = _artifact(path)
            if artifact is not None:
                sidecar_of(artifact).unlink(missing_ok=True)


# Recorders of the jobs that run in this process, the innermost last.
_RECORDERS: list[Recorder] = []


@contextmanager
def recorded(recorder: Recorder) -> Iterator[Recorder]:
    """Records every file that a block writes, and forgets those of a block that fails."""
    _RECORDERS.append(recorder)
    try:
        with witnessed(recorder.witness):
            yield recorder
    except Exception:
        recorder.forget(*recorder.written)
        raise
    finally:
        _RECORDERS.pop()


def note_read(*files: str | os.PathLike[str]) -> None:
    """Notes that the running job reads files that its rule does not name, such as benchmarks."""
    for recorder in _RECORDERS[-1:]:
        recorder.read(*files)


def find_seeds(value: Any, name: str) -> dict[str, int | list[int]]:
    """All seeds within nested settings, by their place, such as `params.dataset.seed`."""
    found: dict[str, int | list[int]] = {}
    if isinstance(value, Mapping):
        for key, entry in value.items():
            place = f"{name}.{key}"
            if key in ("seed", "seeds", "sample_seed") and not isinstance(entry, Mapping):
                found[place] = entry
            else:
                found |= find_seeds(entry, place)
    return found


def git_state(repository: Path) -> dict[str, Any]:
    """Commit of a repository, and whether tracked files differ from it; None for both without git."""
    # Many jobs ask at once: none of them may lock the index.
    command = ["git", "--no-optional-locks", "-C", str(repository)]
    command += ["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=_GIT_SECONDS, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return {"commit": None, "dirty": None}
    return {"commit": answer.removesuffix("-dirty"), "dirty": answer.endswith("-dirty")}


def installed_packages(lock: Path) -> dict[str, str]:
    """Installed versions of the packages that a lock file names, by names of folders: this takes milliseconds."""

    def canonical(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    text = lock.read_text(encoding="utf-8") if lock.is_file() else ""
    pinned = {canonical(line.partition("==")[0]) for line in text.splitlines() if "==" in line}
    found: dict[str, str] = {}
    for folder in filter(os.path.isdir, sys.path):
        for entry in os.listdir(folder):
            match = _INSTALLED.fullmatch(entry)
            if match and canonical(match["name"]) in pinned:
                found.setdefault(canonical(match["name"]), match["version"])
    return dict(sorted(found.items()))


def describe_hardware() -> dict[str, Any]:
    """Models of the processor and of the GPU, if this process uses one."""
    torch = sys.modules.get("torch")
    gpu = torch.cuda.get_device_name() if torch is not None and torch.cuda.is_initialized() else None
    return {"system": platform.system(), "machine": platform.machine(), "cpu": _processor(), "gpu": gpu}


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def peak_memory() -> dict[str, float | None]:
    """Highest memory of this process so far, in megabytes, and of its GPU."""
    # Linux counts in kilobytes, macOS in bytes.
    unit = 1e6 if sys.platform == "darwin" else 1e3
    torch = sys.modules.get("torch")
    on_gpu = torch is not None and torch.cuda.is_initialized()
    return {
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1),
        "peak_gpu_memory_mb": round(torch.cuda.max_memory_allocated() / 1e6, 1) if on_gpu and torch else None,
    }
