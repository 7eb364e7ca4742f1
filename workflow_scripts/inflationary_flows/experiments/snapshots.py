"""What figures show: points on their way to the latents and back, samples, round trips."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import cKDTree

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
    start, end = schedule.clock_range()
    first, last = (float(np.arctan(np.exp(ratio / 2))) for ratio in (start, end))
    angles = first + (last - first) * np.linspace(0, 1, frames) ** 2
    clock = (2 * np.log(np.tan(angles)) - start) / (end - start)
    times = schedule.time_at(torch.from_numpy(np.clip(clock, 0, 1))).numpy()
    return np.clip(times, schedule.t_min, schedule.t_max), np.sin(angles) ** 2


def nearest_labels(points: np.ndarray, known: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Labels points, shape (m, D), like the nearest known one, shapes (n, D) and (n,)."""
    _, nearest = cKDTree(known).query(points)
    return np.asarray(labels)[nearest]


def trace_flow(
    flow: Flow,
    points: np.ndarray,
    labels: np.ndarray,
    *,
    samples: int = 1_500,
    frames: int = 5,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Traces held-out points from data to latents, and prior latents from there to data.

    A prior latent has no label of its own: it takes that of the nearest inflated point (in whitened
    latents), so that colours show what becomes of neighbourhoods on the way back.

    Arguments:
        flow: Trained flow.
        points: Held-out points, shape (n, D), data units.
        labels: A number for each, shape (n,).
        samples: Points traced, the first ones.
        frames: Number k of times, see `spread_times`.
        seed: Seed of the prior and of the kernel noise.

    Returns:
        `times` and `noise_share` (k,); `inflation` (k, n, D) at these times and `generation` (k, n,
        D) at these times reversed, both in scaled coordinates A(t) u of the eigenbasis;
        `inflation_labels`, `generation_labels` (n,); `original`, `roundtrip`, `generated_prior`,
        `generated_true_pt` (n, D) in data units; `kept_dims` ().
    """
    x = np.asarray(points[:samples], dtype=np.float64)
    labels = np.asarray(labels[:samples])
    schedule = flow.schedule
    when, noise_share = spread_times(schedule, frames)
    times = when.tolist()
    whitened_latents = flow.inflate(x) / schedule.latent_std.numpy()
    prior = flow.sample_latents(len(x), seed).numpy()
    return {
        "times": when,
        "noise_share": noise_share,
        "inflation": flow.inflate(x, times=times),
        "inflation_labels": labels,
        "generation": flow.generate(prior, times=times[::-1]),
        "generation_labels": nearest_labels(prior / schedule.latent_std.numpy(), whitened_latents, labels),
        "original": x,
        "roundtrip": flow.round_trip(x),
        "generated_prior": flow.generate(prior),
        "generated_true_pt": flow.generate(flow.noised_latents(x, seed)),
        "kept_dims": np.array(schedule.kept_dims),
    }
