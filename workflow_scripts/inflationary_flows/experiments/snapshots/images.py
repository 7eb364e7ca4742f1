r"""Frames of image animations, from pixels to latents and from latents to pixels.

Scaled coordinates z(t) = A(t) u(t) are rotated back to pixels, p = W z. They begin as data with their mean, and end
like the latents of figure 5: without the mean, and with the same contrast for all schedules,

    shown(t) = sqrt(1 - m) mean + c p / std(p),   c^2 = (1 - m) std(x)^2 + m / s^2,

with m the share of noise, stretched to run from 0 to 1, and s = `SHOWN_DEVIATIONS`.
"""

from __future__ import annotations

import numpy as np

from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.experiments.images.choice import choose_images
from inflationary_flows.experiments.images.generation import as_images
from inflationary_flows.experiments.images.pictures import SHOWN_DEVIATIONS
from inflationary_flows.experiments.snapshots.trajectory import record_both_ways
from inflationary_flows.mathematics.eigenbasis import Rows
from inflationary_flows.mathematics.flow import Flow


def record_images(
    flow: Flow, images: Rows, image: ImageFormat, *, pictures: int, frames: int, seed: int
) -> dict[str, np.ndarray]:
    """Traces held-out images to latents, and as many prior latents to images.

    Arguments:
        flow: Trained flow.
        images: Held-out images as rows, shape (n, D), [-1, 1].
        image: Their format.
        pictures: How many.
        frames: Number k of times, see `spread_times`.
        seed: Seed of the choice, and of the prior.

    Returns:
        `times` and `noise_share` (k,); `inflation` at these times and `generation` at these times reversed, uint8 of
        shape (k, pictures, C, H, W); `levels` ().
    """
    x = np.asarray(images[choose_images(len(images), pictures, seed)], dtype=np.float64)
    traced = record_both_ways(flow, x, frames=frames, seed=seed)
    share = traced["noise_share"]
    mixed = (share - share[0]) / (share[-1] - share[0])
    shown = {
        "inflation": _as_pixels(flow, traced["inflation"], mixed),
        "generation": _as_pixels(flow, traced["generation"][::-1], mixed)[::-1],
    }
    return {
        "times": traced["times"],
        "noise_share": share,
        **{way: np.stack([as_images(points, image) for points in frames]) for way, frames in shown.items()},
        "levels": np.array(image.levels),
    }


def _as_pixels(flow: Flow, frames: np.ndarray, mixed: np.ndarray) -> np.ndarray:
    """Scaled eigen coordinates, shape (k, n, D), as pixels; the first ones are data, the last ones latents."""
    pixels = frames @ flow.basis.vectors.cpu().numpy().T
    spread = np.maximum(pixels.std(axis=(1, 2)), np.finfo(np.float64).tiny)
    schedule = flow.schedule
    data_spread = spread[0] / float(schedule.scale(schedule.t_min))
    contrast = np.sqrt((1 - mixed) * data_spread**2 + mixed / SHOWN_DEVIATIONS**2)
    mean = np.sqrt(1 - mixed)[:, None, None] * flow.basis.mean.cpu().numpy()
    return mean + (contrast / spread)[:, None, None] * pixels
