"""Words of a Workflow Run RO-Crate: profiles, terms, units, media types, kinds of values, and names of files."""

from __future__ import annotations

import json
import math
from pathlib import PurePosixPath
from typing import Any

METADATA = "ro-crate-metadata.json"
RESULTS = "results"
CONFIGURATION_FILE = "config.yaml"
# The profile is an extension of this version.
CRATE_VERSION = "1.1"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
# Terms of the profile that the context of RO-Crate lacks; given by value, so that one remote file less is needed.
_RUN_TERMS = "https://w3id.org/ro/terms/workflow-run#"
TERMS = {
    **{
        name: _RUN_TERMS + name
        for name in ("ParameterConnection", "connection", "sourceParameter", "targetParameter", "resourceUsage")
    },
    "buildInstructions": "https://codemeta.github.io/terms/buildInstructions",
}
PARAMETER_PROFILE = "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"
WORKFLOW_PROFILE = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
REQUIREMENTS_FORMAT = "https://pip.pypa.io/en/stable/reference/requirements-file-format/"
COMPLETED = "http://schema.org/CompletedActionStatus"
MEGABYTE = "https://qudt.org/vocab/unit/MegaBYTE"
MEMORY = {
    "peak_memory_mb": "https://w3id.org/ro/terms/nf-trace#peakRSS",
    "peak_gpu_memory_mb": "https://pytorch.org/docs/stable/generated/torch.cuda.memory.max_memory_allocated.html",
}
FOLDERS = {
    "rules/": "Rules of the workflow",
    "workflow_scripts/": "Scripts of the rules, and the library that does the work",
    "configs/": "Published numbers to compare with",
    "envs/": "Conda environments of the rules",
    f"{RESULTS}/provenance/": "A sidecar for each artifact: what made it, from what, and its sha256",
    f"{RESULTS}/benchmarks/": "Time and memory of the jobs",
}
_ENCODINGS = {
    ".cff": "application/yaml",
    ".csv": "text/csv",
    ".gif": "image/gif",
    ".gz": "application/gzip",
    ".html": "text/html",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".lock": "text/plain",
    ".log": "text/plain",
    ".md": "text/markdown",
    ".mp4": "video/mp4",
    ".nc": "application/x-netcdf",
    ".npy": "application/octet-stream",
    ".npz": "application/zip",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".py": "text/x-python",
    ".smk": "text/plain",
    ".svg": "image/svg+xml",
    ".tsv": "text/tab-separated-values",
    ".txt": "text/plain",
    ".webp": "image/webp",
    ".yaml": "application/yaml",
    ".zip": "application/zip",
}


def encoding_of(path: str) -> str:
    """Media type of a file, by its suffix; of a Snakefile and the like, plain text."""
    suffix = PurePosixPath(path).suffix.lower()
    return _ENCODINGS.get(suffix, "application/octet-stream" if suffix else "text/plain")


def literal_of(value: Any) -> str | bool | int | float:
    """A value of JSON as JSON-LD keeps it: what is nested, missing or infinite is written out."""
    if isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def kind_of(literal: str | bool | int | float) -> str:
    return {bool: "Boolean", int: "Integer", float: "Float"}.get(type(literal), "Text")


def kind_of_all(kinds: set[str]) -> str:
    """The kind of a parameter with values of several kinds."""
    if len(kinds) == 1:
        return next(iter(kinds))
    return "Number" if kinds <= {"Integer", "Float"} else "PropertyValue"
