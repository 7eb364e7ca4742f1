"""Trajectories of points and images for figures 2 and 3, for those of digits, and for animations, and their spread."""

from __future__ import annotations

from typing import Any

import numpy as np

from inflationary_flows.data.splits import Splits
from inflationary_flows.experiments.measured import Measured
from inflationary_flows.experiments.snapshots.images import record_images
from inflationary_flows.experiments.snapshots.trajectory import record_points, record_trajectory, reproduce
from inflationary_flows.mathematics.eigenbasis import Rows, participation_ratio_of
from inflationary_flows.mathematics.flow import Flow

# Digits of each kind in figures, and as many other held-out ones.
_DIGITS = 96
# Times at which the participation ratio of points on their way is taken.
_TIMES = 25


def spread_of_points(flow: Flow, points: Rows, *, samples: int, seed: int) -> list[dict[str, Any]]:
    """Follows the participation ratio of held-out points that a trained flow inflates.

    Arguments:
        flow: Trained flow.
        points: Held-out points, shape (n, D), data units.
        samples: Points taken, the first ones.
        seed: Seed of the first kernel's noise, which flows start with.

    Returns:
        Rows of kernel (that of the flow's schedule), of (`points`), t, t_fraction, participation_ratio.
    """
    schedule, x = flow.schedule, np.asarray(points[:samples], dtype=np.float64)
    fractions = np.linspace(0, 1, _TIMES)
    times = np.clip(schedule.t_min + fractions * (schedule.t_max - schedule.t_min), schedule.t_min, schedule.t_max)
    frames = flow.inflate(flow.noised_data(x, seed), times=times.tolist())
    found = zip(times.tolist(), fractions.tolist(), map(participation_ratio_of, frames), strict=True)
    own = {"kernel": schedule.kernel, "of": "points"}
    return [{**own, "t": t, "t_fraction": share, "participation_ratio": ratio} for t, share, ratio in found]


def measure(
    flow: Flow,
    *,
    splits: Splits,
    samples: int,
    frames: int,
    seed: int,
    animation_frames: int,
    animation_seed: int,
    pictures: int,
) -> Measured:
    """Arrays of figures and of animations, which have more frames; table `pr_of_points`, see `spread_of_points`.

    Arguments:
        flow: Trained flow.
        splits: Held-out points or images are those of the test split.
        samples, frames, seed: As of `record_trajectory`; of images as of `reproduce`.
        animation_frames, animation_seed: Times of animations, and their seed.
        pictures: Images that animations of images show.
    """
    chosen = {"frames": animation_frames, "seed": animation_seed}
    if splits.image is not None:
        snapshots = reproduce(flow, splits.test, samples=min(samples, _DIGITS), seed=seed)
        animation = record_images(flow, splits.test, splits.image, pictures=pictures, **chosen)
    else:
        points, labels = splits.test, splits.test_labels
        snapshots = record_trajectory(flow, points, labels, samples=samples, frames=frames, seed=seed)
        # As many points as in figures, so that both have the same view.
        animation = record_points(flow, points, labels, samples=samples, **chosen)
    spread = spread_of_points(flow, splits.test, samples=samples, seed=seed)
    return Measured({"pr_of_points": spread}, {"snapshots": snapshots, "animation": animation})
