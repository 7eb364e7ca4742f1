"""Images that a model of any method generates, and how far several sets of them are from real ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from inflationary_flows.baselines.method import Model
from inflationary_flows.checkpoint import Checkpoint, in_batches
from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.errors import DataError
from inflationary_flows.experiments.images.generation import as_images

# What the metric is called of the set of images that comes nearest, as the paper's table 4 has it.
BEST = "_best"
# Images in memory as points at once: 100 MB in colour at 32 x 32.
_BATCH = 2**12


def generate_method_images(
    model: Model,
    image: ImageFormat,
    *,
    count: int,
    sample_seed: int,
    batch_size: int | None = None,
    checkpoint: Checkpoint | None = None,
) -> np.ndarray:
    """Generates the images of a draw.

    Arguments:
        model: Trained model of images.
        image: Their format.
        count: How many.
        sample_seed: Seed of the set of images; each image has a latent of its own, so that batches do not matter.
        batch_size: Images at once.
        checkpoint: Where images are kept meanwhile.

    Returns:
        Grey levels, uint8, shape (count, C, H, W).

    Raises:
        DataError: if a point is not finite.
        Interrupted: if it was asked to stop; what was done is kept.
    """

    def batch(begin: int, end: int) -> dict[str, np.ndarray]:
        points = model.sample_numbered(begin, end - begin, sample_seed)
        # As a grey level, NaN would be some number.
        if not np.isfinite(points).all():
            raise DataError("generated images", "finite numbers", "others", "look at the model's training curve")
        return {"images": as_images(points, image)}

    return in_batches(batch, count, batch_size or _BATCH, checkpoint or Checkpoint.unkept(), "images")["images"]


def frechet_rows(metric: str, distances: Sequence[float], n: int) -> list[dict[str, Any]]:
    """Sums up the Frechet distances of several sets of images by one model.

    Arguments:
        metric: Name of the distance.
        distances: One for each set.
        n: Images in a set.

    Returns:
        Rows of metric, random (none), value and n: the mean over sets, and the smallest as `<metric>_best`.
    """
    values = {metric: float(np.mean(distances)), f"{metric}{BEST}": float(np.min(distances))}
    return [{"metric": name, "random": None, "value": value, "n": n} for name, value in values.items()]
