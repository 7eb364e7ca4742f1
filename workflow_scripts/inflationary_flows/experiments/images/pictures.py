"""What figure 5 shows: images, their latents as images, images recovered from these, and new ones."""

from __future__ import annotations

import numpy as np
import torch

from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.experiments.images.choice import choose_images
from inflationary_flows.experiments.images.generation import as_images, generate_images
from inflationary_flows.mathematics.eigenbasis import Rows
from inflationary_flows.mathematics.flow import Flow

# Latents are shown from minus to plus as many standard deviations over all their pixels.
SHOWN_DEVIATIONS = 2.5


def take_pictures(
    flow: Flow, images: Rows, image: ImageFormat, *, pictures: int, sample_seed: int
) -> dict[str, np.ndarray]:
    """Takes pictures of a flow.

    A latent is rotated from the eigenbasis back to pixels, where a reduced one shows the few patterns that are left of
    its image, and a preserved one something that looks like noise.

    Arguments:
        flow: Trained flow.
        images: Held-out images as rows, shape (n, D), [-1, 1].
        image: Their format.
        pictures: How many of each kind.
        sample_seed: Seed of the choice, and of the new images.

    Returns:
        `original`, `latent`, `recovered`, `samples`: uint8, shape (pictures, C, H, W); `levels`: shape ().
    """
    x = images[choose_images(len(images), pictures, sample_seed)]
    z = flow.inflate(x)
    pixels = z @ flow.basis.vectors.cpu().numpy().T
    shown = pixels / (SHOWN_DEVIATIONS * max(float(pixels.std()), np.finfo(np.float64).tiny))
    samples, _ = generate_images(flow, image, first=0, count=pictures, sample_seed=sample_seed)
    return {
        "original": as_images(x, image),
        "latent": as_images(shown, image),
        "recovered": as_images(flow.generate(torch.from_numpy(z)).numpy(), image),
        "samples": samples,
        "levels": np.array(image.levels),
    }
