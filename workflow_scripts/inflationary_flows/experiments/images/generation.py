"""Images that a flow generates, and the two baselines they are held against."""

from __future__ import annotations

import numpy as np
import torch

from inflationary_flows.checkpoint import Checkpoint, in_batches
from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.points import numbered_normal


def as_images(points: np.ndarray, image: ImageFormat) -> np.ndarray:
    """Points, shape (n, D), as grey levels, uint8 of shape (n, C, H, W)."""
    return image.to_levels(points).reshape(len(points), *image.shape)


@torch.no_grad()
def generate_images(
    flow: Flow,
    image: ImageFormat,
    *,
    first: int,
    count: int,
    sample_seed: int,
    settings: SolverSettings | None = None,
    checkpoint: Checkpoint | None = None,
) -> tuple[np.ndarray, int]:
    """Generates the images number `first` ... `first + count - 1` of a draw.

    Each image has a latent from a seed of its own, so that parts and batches do not matter.

    Arguments:
        flow: Trained flow.
        image: Format of its images.
        first, count: Which ones.
        sample_seed: Seed of the set of images.
        settings: Integration other than the flow's own.
        checkpoint: Where images are kept meanwhile.

    Returns:
        Images, uint8 of shape (count, C, H, W), and network evaluations of each.

    Raises:
        Interrupted: if it was asked to stop; what was done is kept.
    """
    chosen = settings or flow.settings()

    def batch(begin: int, end: int) -> dict[str, np.ndarray]:
        y = flow.prior().sample_numbered(first + begin, end - begin, sample_seed) / flow.schedule.latent_std
        y, _, evaluations = flow.carry(y, "generate", chosen)
        images = as_images(flow.unwhiten_data(y).numpy(), image)
        return {"images": images, "evaluations": np.full(len(images), evaluations)}

    rows = in_batches(batch, count, flow.batch_size, checkpoint or Checkpoint.unkept(), "images")
    return rows["images"], int(rows["evaluations"][-1])


def sample_gaussian(basis: Eigenbasis, image: ImageFormat, *, first: int, count: int, sample_seed: int) -> np.ndarray:
    """Draws images from the Gaussian with the mean and covariance of the data.

    A flow with an untrained network generates this Gaussian: a trained one has to be better.

    Arguments:
        basis: Eigenbasis of the data.
        image: Format of its images.
        first, count: Which ones of the set.
        sample_seed: Seed of the set of images.

    Returns:
        Images, uint8 of shape (count, C, H, W).
    """
    u = numbered_normal(first, count, basis.dimension, "gaussian image", sample_seed) * basis.eigenvalues.sqrt()
    return as_images(basis.from_eigen(u).numpy(), image)
