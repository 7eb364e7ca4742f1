"""The sources that tests run, and what a copy of them leaves behind."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
SMOKE = REPOSITORY / "tests/configs/smoke.yaml"
NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv", ".snakemake", "results", "quick", "__pycache__", "*.egg-info", ".*_cache", ".hypothesis"
)


def compare_images(content: dict[str, Any]) -> None:
    """Has a smoke run compare methods on images too, which it does on a toy alone, to be short."""
    images = {"samples": 20, "sample_seeds": [0, 1]}
    content["baselines"]["datasets"]["digits"] = {"schedules": {"prr2": "few"}, "images": images}


def digest_of_smoke_run() -> str:
    """Names a smoke run by all files that decide its results."""
    folders = (("rules", "*.smk"), ("workflow_scripts", "**/*.py"), ("tests/data", "**/*"))
    files = [path for folder, pattern in folders for path in (REPOSITORY / folder).glob(pattern) if path.is_file()]
    digest = hashlib.sha256()
    for path in sorted([*files, SMOKE, REPOSITORY / "Snakefile", REPOSITORY / "requirements.lock"]):
        digest.update(f"{path.relative_to(REPOSITORY)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def numbers_of(results: Path) -> dict[str, str]:
    """The sha256 of all tables, networks and tensors of a run, by their names; of times, which differ, nothing."""
    tables = ("tables/*.csv", "metrics/**/*.csv", "baselines/**/quality.csv")
    patterns = (*tables, "networks/**/*", "[!.]*/**/*.safetensors")
    files = [path for pattern in patterns for path in results.glob(pattern) if path.is_file()]
    return {str(path.relative_to(results)): hashlib.sha256(without_times(path)).hexdigest() for path in sorted(files)}


def without_times(path: Path) -> bytes:
    """What a file holds, without the rows of times in the table of compared methods."""
    lines = path.read_bytes().splitlines(keepends=True)
    return b"".join(line for line in lines if path.name != "baselines.csv" or b"_seconds," not in line)
