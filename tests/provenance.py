"""A small folder of results with true sidecars, made in an instant."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inflationary_flows.files.files import atomic_write
from inflationary_flows.runtime.provenance import Recorder, recorded
from repository import REPOSITORY


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Works in a folder for a while."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def write(outputs: dict[str, str | bytes], rule: str, *inputs: str, wildcards: Any = None, **params: Any) -> None:
    """Does a job that writes files below the results of the working directory."""
    recorder = Recorder(rule, wildcards=wildcards, params=params, inputs=inputs, repository=REPOSITORY)
    with recorded(recorder):
        for path, content in outputs.items():
            with atomic_write(path) as temporary:
                temporary.write_bytes(content if isinstance(content, bytes) else content.encode())


def make_results(folder: Path) -> Path:
    """Data, flows of two seeds, their tables, the merged table and a figure."""
    folder.mkdir(parents=True, exist_ok=True)
    with inside(folder):
        Path("given.csv").write_text("1,2\n3,4\n", encoding="utf-8")
        write(
            {"results/data/points.csv": "1,2\n3,4\n", "results/data/points.json": "{}\n"},
            "prepare",
            "given.csv",
            seed=7,
        )
        for seed in (0, 1):
            flow, table = f"results/flows/seed{seed}/flow.txt", f"results/metrics/seed{seed}/error.csv"
            write(
                {flow: f"flow {seed}\n"}, "train", "results/data/points.csv", wildcards={"seed": str(seed)}, seed=seed
            )
            write({table: f"seed,error\n{seed},0.{seed}25\n"}, "measure", flow, "results/data/points.csv", samples=10)
        merged = "results/tables/error.csv"
        write(
            {merged: "seed,error\n0,0.025\n1,0.125\n"},
            "plot_error",
            *(f"results/metrics/seed{n}/error.csv" for n in (0, 1)),
        )
        write({"results/figures/error.png": "a picture"}, "plot", merged, labels="results/config.resolved.yaml")
    return folder / "results"
