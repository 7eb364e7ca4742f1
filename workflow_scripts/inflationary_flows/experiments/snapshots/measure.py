"""What figures 2 and 3, those of digits, and animations show: points and images on their way to latents and back."""

from __future__ import annotations

from inflationary_flows.data.splits import Splits
from inflationary_flows.experiments.measured import Measured
from inflationary_flows.experiments.snapshots.images import trace_images
from inflationary_flows.experiments.snapshots.trajectory import trace_flow, trace_points
from inflationary_flows.mathematics.flow import Flow


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
    """Arrays of figures and animations: what `trace_flow` keeps, and many small steps on the way.

    Arguments:
        flow: Trained flow.
        splits: Held-out points or images are those of the test split.
        samples, frames, seed: As of `trace_flow`.
        animation_frames, animation_seed: Times of animations, and their seed.
        pictures: Images that animations of images show.
    """
    snapshots = trace_flow(flow, splits.test, splits.test_labels, samples=samples, frames=frames, seed=seed)
    chosen = {"frames": animation_frames, "seed": animation_seed}
    if splits.image is None:
        # As many points as in figures, so that both are seen from the same side.
        animation = trace_points(flow, splits.test, splits.test_labels, samples=samples, **chosen)
    else:
        animation = trace_images(flow, splits.test, splits.image, pictures=pictures, **chosen)
    return Measured(arrays={"snapshots": snapshots, "animation": animation})
