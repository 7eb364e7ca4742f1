"""What figures show: points on their way to the latents and back, samples, round trips."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import cKDTree

from inflationary_flows.mathematics.eigenbasis import Rows
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.schedules import Schedule


def spread_times(schedule: Schedule, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Times between which points visibly move, more of them early, where fine structure goes.

    The angle arctan sqrt(gamma_* / xi_max) grows with the square of the frame's number.

    Arguments:
        schedule: Kernel.
        frames: Number k of times, the first and the last one of the schedule included.

    Returns:
        Times (k,), ascending, and the share of noise gamma_* / (xi_max + gamma_*) in the variance
        at each, (k,).
    """
    start, end = schedule.clock_range
    first, last = (float(np.arctan(np.exp(ratio / 2))) for ratio in (start, end))
    angles = first + (last - first) * np.linspace(0, 1, frames) ** 2
    clock = (2 * np.log(np.tan(angles)) - start) / (end - start)
    times = schedule.time_at(torch.from_numpy(np.clip(clock, 0, 1))).numpy()
    return np.clip(times, schedule.t_min, schedule.t_max), np.sin(angles) ** 2


def nearest_labels(points: np.ndarray, known: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Labels points, shape (m, D), like the nearest known one, shapes (n, D) and (n,)."""
    _, nearest = cKDTree(known).query(points)
    return np.asarray(labels)[nearest]


def record_both_ways(flow: Flow, x: np.ndarray, *, frames: int, seed: int) -> dict[str, np.ndarray]:
    """Traces points from data to latents, and as many Gaussian latents from there to data.

    Arguments:
        flow: Trained flow.
        x: Points, shape (n, D), data units.
        frames: Number k of times, see `spread_times`.
        seed: Seed of the prior.

    Returns:
        `times` and `noise_share` (k,); `inflation` (k, n, D) at these times and `generation` (k, n,
        D) at these times reversed, both in scaled coordinates A(t) u of the eigenbasis.
    """
    when, noise_share = spread_times(flow.schedule, frames)
    times = when.tolist()
    return {
        "times": when,
        "noise_share": noise_share,
        "inflation": flow.inflate(x, times=times),
        "generation": flow.generate(flow.sample_latents(len(x), seed, "gaussian").numpy(), times=times[::-1]),
    }


def record_points(
    flow: Flow, points: Rows, labels: np.ndarray, *, samples: int, frames: int, seed: int
) -> dict[str, np.ndarray]:
    """Traces held-out points and prior latents with their labels.

    A prior latent has no label of its own: it takes that of the nearest inflated point (in whitened
    latents), so that colours show what becomes of neighbourhoods on the way back.

    Arguments:
        flow: Trained flow.
        points: Held-out points, shape (n, D), data units.
        labels: A number for each, shape (n,).
        samples: Points traced, the first ones.
        frames, seed: As of `record_both_ways`.

    Returns:
        What `record_both_ways` returns, and `inflation_labels`, `generation_labels` (n,).
    """
    labels = np.asarray(labels[:samples])
    traced = record_both_ways(flow, np.asarray(points[:samples], dtype=np.float64), frames=frames, seed=seed)
    std = flow.schedule.latent_std.numpy()
    latents, prior = traced["inflation"][-1] / std, traced["generation"][0] / std
    return {**traced, "inflation_labels": labels, "generation_labels": nearest_labels(prior, latents, labels)}


def record_trajectory(
    flow: Flow,
    points: Rows,
    labels: np.ndarray,
    *,
    samples: int = 1_500,
    frames: int = 5,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Traces held-out points and prior latents.

    Arguments:
        flow, points, labels, samples, frames: As of `record_points`.
        seed: Seed of the prior.

    Returns:
        What `record_points` returns. Where dimensions are compressed and the flow holds inflated training data, also
        `generated_empirical` (n, D), in scaled coordinates of the eigenbasis as the frames, and `empirical_labels`
        (n,): what the flow makes of latents whose compressed directions are drawn from these data.
    """
    traced = record_points(flow, points, labels, samples=samples, frames=frames, seed=seed)
    if flow.compressed_latents is not None and flow.schedule.kept_dims < flow.dimension:
        latents = traced["inflation"][-1]
        empirical = flow.sample_latents(len(latents), seed, "empirical").numpy()
        std, times = flow.schedule.latent_std.numpy(), traced["times"][[-1, 0]].tolist()
        traced["generated_empirical"] = flow.generate(empirical, times=times)[-1]
        traced["empirical_labels"] = nearest_labels(empirical / std, latents / std, labels[:samples])
    return traced


def reproduce(flow: Flow, points: Rows, *, samples: int, seed: int) -> dict[str, np.ndarray]:
    """What a flow makes of held-out points and of as many latents.

    Arguments:
        flow: Trained flow.
        points: Held-out points, shape (n, D), data units.
        samples: Points taken, the first ones.
        seed: Seed of the prior and of the kernel noise.

    Returns:
        `original`, `roundtrip`, `generated_prior`, `generated_true_pt` (n, D), data units.
    """
    x = np.asarray(points[:samples], dtype=np.float64)
    return {
        "original": x,
        "roundtrip": flow.round_trip(x),
        "generated_prior": flow.sample(len(x), seed),
        "generated_true_pt": flow.generate(flow.noised_latents(x, seed)),
    }
