r"""Is the map unique? Latents of the same points under networks of other seeds and architectures.

Given schedule and score, the probability-flow ODE has one solution through every point: networks that have learned the
same score must send a point to the same latent, and to that of the exact score where the density is known.  The
schedule is given in the eigenbasis of a sample: exact flows in the bases of other samples tell what that leaves open.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import torch

from inflationary_flows.data.splits import Splits
from inflationary_flows.data.toys import Mixture
from inflationary_flows.experiments.measured import Measured
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.oracles import exact_denoiser
from inflationary_flows.seeding import derive_seed

EXACT = "exact"
# Followed by a number: the exact flow of another sample.
SAMPLE = "sample"


def compare_latents(members: Mapping[str, Flow], points: np.ndarray, seed: int) -> list[dict[str, Any]]:
    """Compares the latents of all pairs of flows.

    Arguments:
        members: Flows of one data set and schedule, by name: seed0, seed1, seed0-narrow, ..., and `exact`.
        points: Points, shape (n, D), data units. They get the noise of the first kernel, once for all flows: that is
            where the densities that the flows carry begin.
        seed: Seed of this noise.

    Returns:
        Rows of member_a, member_b, kind (seed, architecture, exact or sample), rms_latent_difference (over points and
        coordinates, units of the latent standard deviation), rms_after_rotation (the same once the whitened latents of
        one are turned to those of the other, by orthogonal Procrustes), median_difference and q99_difference (of the
        points' distances), kept_angle (largest angle between the kept directions of both, degrees), n.
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
                "rms_after_rotation": float(np.sqrt(np.square(_turned(whitened[a], whitened[b])).mean())),
                "median_difference": float(np.median(distance)),
                "q99_difference": float(np.quantile(distance, 0.99)),
                "kept_angle": _kept_angle(members[a], members[b]),
                "n": len(points),
            }
        )
    return rows


def _turned(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Differences of two sets of latents, shape (n, D), after the rotation of the first that makes them least."""
    u, _, v = np.linalg.svd(a.T @ b)
    return a @ u @ v - b


def _kept_angle(a: Flow, b: Flow) -> float:
    """The largest principal angle between the kept directions of two flows, degrees; 0 if all are kept."""
    kept = a.schedule.kept_dims
    # By the sine, whose digits do not cancel where the directions agree.
    across = b.basis.vectors[:, kept:].T @ a.basis.vectors[:, :kept]
    return math.degrees(math.asin(min(1.0, float(torch.linalg.matrix_norm(across, 2))))) if len(across) else 0.0


def of_other_sample(flow: Flow, mixture: Mixture, rows: int, seed: int) -> Flow:
    """The exact flow of a known density, in the eigenbasis of another sample of it.

    Arguments:
        flow: Its schedule and units are taken.
        mixture: The density: means (K, D), weights (K,), common covariance (D, D), data units.
        rows: Size of the sample.
        seed: Its seed.
    """
    means, weights, covariance = mixture
    random = np.random.default_rng(seed)
    x = means[random.choice(len(weights), rows, p=weights / weights.sum())]
    x = x + random.multivariate_normal(np.zeros(len(covariance)), covariance, rows)
    basis = Eigenbasis.fit(x, flow.basis.scale, flow.basis.transforms)
    # The sign of a direction is a convention.
    basis = replace(basis, vectors=basis.vectors * torch.sign((basis.vectors * flow.basis.vectors).sum(0)))
    schedule = replace(flow.schedule, eigenvalues=basis.eigenvalues)
    return Flow(exact_denoiser(schedule, basis, *mixture), basis, solver=flow.solver)


def _kind(a: str, b: str) -> str:
    if b.startswith(SAMPLE):
        return "sample"
    if EXACT in (a, b):
        return "exact"
    return "architecture" if a.partition("-")[2] != b.partition("-")[2] else "seed"


def measure(
    flows: Mapping[tuple[str, str], Flow],
    *,
    splits: Splits,
    mixture: Mixture | None,
    samples: int,
    data_samples: int,
    seed: int,
) -> Measured:
    """Rows of `compare_latents` for each schedule of a data set, the exact flow among the members where it is known.

    That one is compared with exact flows of other samples of the data, too.

    Arguments:
        flows: Flows by schedule and member, such as ("prp", "0-narrow").
        splits: Held-out points are the first ones of the test split.
        mixture: The exact density, if it is known.
        samples: Number of these points.
        data_samples: Number of other samples of the data, as large as the training split.
        seed: As of `compare_latents`; of the samples, too.
    """
    rows = []
    for schedule in dict.fromkeys(schedule for schedule, _ in flows):
        members = {f"seed{member}": flow for (name, member), flow in flows.items() if name == schedule}
        first = next(iter(members.values()))
        if mixture is not None:
            denoiser = exact_denoiser(first.schedule, first.basis, *mixture)
            members[EXACT] = Flow(denoiser, first.basis, solver=first.solver)
        points = splits.test[:samples]
        compared = compare_latents(members, points, seed)
        if mixture is not None:
            for number in range(data_samples):
                drawn = derive_seed("another sample", seed, number)
                other = of_other_sample(first, mixture, len(splits.train), drawn)
                compared += compare_latents({EXACT: members[EXACT], f"{SAMPLE}{number}": other}, points, seed)
        rows += [{"schedule": schedule, **row} for row in compared]
    return Measured({"identifiability": rows})
