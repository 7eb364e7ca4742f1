"""Trajectories of points and images for figures 2 and 3, for those of digits, and for animations."""

from __future__ import annotations

from inflationary_flows.data.splits import Splits
from inflationary_flows.experiments.measured import Measured
from inflationary_flows.experiments.snapshots.images import record_images
from inflationary_flows.experiments.snapshots.trajectory import record_points, record_trajectory, reproduce
from inflationary_flows.mathematics.flow import Flow

# Digits of each kind in figures, and as many other held-out ones.
_DIGITS = 96


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
    """Arrays of figures and of animations, which have more frames.

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
    return Measured(arrays={"snapshots": snapshots, "animation": animation})
