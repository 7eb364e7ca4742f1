r"""Is the map unique? Latents of the same points under networks of other seeds and architectures.

Given schedule and score, the probability-flow ODE has one solution through every point: networks that have learned the
same score must send a point to the same latent, and to that of the exact score where the density is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np

from inflationary_flows.data.splits import Splits
from inflationary_flows.data.toys import Mixture
from inflationary_flows.experiments.measured import Measured
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.oracles import exact_denoiser

EXACT = "exact"


def compare_latents(members: Mapping[str, Flow], points: np.ndarray, seed: int) -> list[dict[str, Any]]:
    """Compares the latents of all pairs of flows.

    Arguments:
        members: Flows of one data set and schedule, by name: seed0, seed1, seed0-narrow, ..., and `exact`.
        points: Points, shape (n, D), data units. They get the noise of the first kernel, once for all flows: that is
            where the densities that the flows carry begin.
        seed: Seed of this noise.

    Returns:
        Rows of member_a, member_b, kind (seed, architecture or exact), rms_latent_difference (over points and
        coordinates, units of the latent standard deviation), median_difference and q99_difference (of the points'
        distances), n.
    """
    first = next(iter(members.values()))
    start = first.noised_data(points, seed)
    whitened = {name: flow.inflate(start) / flow.schedule.latent_std.numpy() for name, flow in members.items()}
    rows = []
    for a, b in combinations(members, 2):
        difference = whitened[a] - whitened[b]
        distance = np.linalg.norm(difference, axis=1)
        rows.append(
            {
                "member_a": a,
                "member_b": b,
                "kind": _kind(a, b),
                "rms_latent_difference": float(np.sqrt(np.square(difference).mean())),
                "median_difference": float(np.median(distance)),
                "q99_difference": float(np.quantile(distance, 0.99)),
                "n": len(points),
            }
        )
    return rows


def _kind(a: str, b: str) -> str:
    if EXACT in (a, b):
        return "exact"
    return "architecture" if a.partition("-")[2] != b.partition("-")[2] else "seed"


def measure(
    flows: Mapping[tuple[str, str], Flow],
    *,
    splits: Splits,
    mixture: Mixture | None,
    samples: int,
    seed: int,
) -> Measured:
    """Rows of `compare_latents` for each schedule of a data set, the exact flow among the members where it is known.

    Arguments:
        flows: Flows by schedule and member, such as ("prp", "0-narrow").
        splits: Held-out points are the first ones of the test split.
        mixture: The exact density, if it is known.
        samples: Number of these points.
        seed: As of `compare_latents`.
    """
    rows = []
    for schedule in dict.fromkeys(schedule for schedule, _ in flows):
        members = {f"seed{member}": flow for (name, member), flow in flows.items() if name == schedule}
        first = next(iter(members.values()))
        if mixture is not None:
            denoiser = exact_denoiser(first.schedule, first.basis, *mixture)
            members[EXACT] = Flow(denoiser, first.basis, solver=first.solver)
        compared = compare_latents(members, splits.test[:samples], seed)
        rows += [{"schedule": schedule, **row} for row in compared]
    return Measured({"identifiability": rows})
