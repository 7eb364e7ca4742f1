"""Seconds and memory of the mathematics without the network, by points and dimensions.

The denoiser is F(y, t) = tanh y, coordinate by coordinate: nonlinear, and of negligible cost relative to rotations,
whitening and solver.  Each combination runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.experiments.measured import Measured
from inflationary_flows.mathematics.denoisers import Denoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.schedules import make_schedule


class FreeDenoiser(Denoiser):
    """A nonlinear denoiser of negligible cost."""

    def raw(self, y: Tensor, t: float | Tensor) -> Tensor:
        """tanh of each coordinate."""
        return torch.tanh(y)


def make_free_flow(dimension: int, steps: int) -> Flow:
    """A PRP flow with `FreeDenoiser` in a random basis, integrated by `rk4`."""
    generator = np.random.default_rng(0)
    vectors, _ = np.linalg.qr(generator.standard_normal((dimension, dimension)))
    eigenvalues = torch.from_numpy(1.0 / np.arange(1, dimension + 1))
    zeros, ones = torch.zeros(dimension), torch.ones(dimension)
    basis = Eigenbasis(zeros.double(), ones.double(), torch.from_numpy(vectors), eigenvalues)
    schedule = make_schedule(eigenvalues, signal_left=1e-3)
    return Flow(FreeDenoiser(schedule), basis, solver=SolverSettings("rk4", steps))


def peak_memory_mb() -> float:
    """Largest resident size of this process so far, in megabytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage starts from the size of the parent process on Linux; the kernel's own mark does
        # not.
        line = next(row for row in status.read_text(encoding="utf-8").splitlines() if row.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)


def measure_one(n: int, dimension: int, steps: int) -> dict[str, Any]:
    """Inflates n random points in this process; returns one row of `measure_complexity`."""
    flow = make_free_flow(dimension, steps)
    flow.inflate(np.zeros((2, dimension)))
    base = peak_memory_mb()
    x = np.random.default_rng(1).standard_normal((n, dimension))
    start = time.perf_counter()
    flow.inflate(x)
    return {
        "n": n,
        "dimension": dimension,
        "steps": steps,
        "evaluations": flow.evaluations(),
        "seconds": time.perf_counter() - start,
        "peak_memory_mb": peak_memory_mb(),
        "base_memory_mb": base,
    }


def measure_complexity(
    *,
    points: Sequence[int] = (1_000, 10_000, 100_000, 1_000_000),
    dimensions: Sequence[int] = (2, 8, 64, 512, 3_072),
    steps: int = 16,
    budget: int = 200_000_000,
) -> list[dict[str, Any]]:
    """Times the inflation of n points of dimension D.

    Arguments:
        points: Numbers of points n.
        dimensions: Numbers of dimensions D.
        steps: Steps of `rk4`.
        budget: Combinations with n D above this number are left out.

    Returns:
        Rows of n, dimension, steps, evaluations, seconds, peak_memory_mb (of the process, the
        points included) and base_memory_mb (the same before there were points).
    """
    rows = []
    for dimension in dimensions:
        for n in points:
            if n * dimension > budget:
                continue
            arguments = [str(number) for number in (n, dimension, steps)]
            command = [sys.executable, "-m", "inflationary_flows.experiments.complexity.measure", *arguments]
            finished = subprocess.run(command, capture_output=True, text=True, check=True)
            rows.append(json.loads(finished.stdout))
    return rows


if __name__ == "__main__":
    print(json.dumps(measure_one(*(int(argument) for argument in sys.argv[1:4]))))


def measure(**settings: Any) -> Measured:
    """Rows of `measure_complexity`."""
    return Measured({"complexity": measure_complexity(**settings)})
