"""Which images of a data set an experiment takes."""

from __future__ import annotations

import numpy as np

from inflationary_flows.data.pixels import Pixels
from inflationary_flows.data.references import Reference, reference_images
from inflationary_flows.data.splits import Splits
from inflationary_flows.seeding import derive_seed


def choose_images(available: int, wanted: int, sample_seed: int) -> np.ndarray:
    """Numbers of the images of a draw, ascending: a random choice, or all if no more are there."""
    order = np.random.default_rng(derive_seed("roundtrip images", sample_seed)).permutation(available)
    return np.sort(order[:wanted])


def images_of_split(splits: Splits, split: Reference) -> Pixels:
    """Images as points of one split; `train` has those of validation too.

    Raises:
        DataError: if the data set has no images.
    """
    chosen = reference_images(splits, split)
    assert splits.image is not None
    return Pixels(chosen.reshape(len(chosen), -1), splits.image)
