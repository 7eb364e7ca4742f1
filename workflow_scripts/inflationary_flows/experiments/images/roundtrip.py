"""The round trip of images, in 8-bit grey levels: the true error, and the one that has been published.

    true       mean (x' - x)^2, with 127.5 grey levels a unit of x
    wrapped    mean ((a' - a)^2 mod 256), a and a' cast to 8 bits before the difference, which is taken in 8 bits too

The second is how the published code of de Albuquerque and Pearson (2024) measures: every error of 16 grey levels or
more is folded back below 256, and every error below half a grey level is lost.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from inflationary_flows.checkpoint import Checkpoint, in_batches
from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.experiments.images.choice import choose_images
from inflationary_flows.mathematics.eigenbasis import Rows
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.metrics.integration import carry_data, carry_latents

# Grey levels of 8 bits in a unit of x, whose range is [-1, 1].
GREY_LEVELS = 127.5
IMAGE_ROUNDTRIP_COLUMNS = ("mse", "mse_uint8_wrapped", "max_error", "n", "evaluations")


def wrapped_mse(original: np.ndarray, recovered: np.ndarray) -> float:
    """Mean squared difference of 8-bit images, computed in 8 bits as published.

    Arguments:
        original, recovered: uint8, equal shapes.
    """
    with np.errstate(over="ignore"):
        difference = original - recovered
        return float((difference * difference).mean(dtype=np.float64))


def measure_image_roundtrip(
    flow: Flow,
    images: Rows,
    *,
    samples: int,
    sample_seed: int,
    settings: SolverSettings | None = None,
    checkpoint: Checkpoint | None = None,
) -> dict[str, Any]:
    """Carries images to latents and back.

    Arguments:
        flow: Trained flow; its network runs in its own precision.
        images: Images as rows, shape (n, D), [-1, 1].
        samples: How many to carry, chosen at random.
        sample_seed: Seed of the choice.
        settings: Integration other than the flow's own.
        checkpoint: Where errors of images are kept meanwhile.

    Returns:
        `mse`, `mse_uint8_wrapped` (grey levels squared), `max_error` (grey levels), over pixels and images; `n`; and
        `evaluations` of the network, one way.

    Raises:
        Interrupted: if it was asked to stop; what was done is kept.
    """
    chosen = settings or flow.settings()
    numbers = choose_images(len(images), samples, sample_seed)
    eight_bits = ImageFormat(1, 1, 1)

    def batch(begin: int, end: int) -> dict[str, np.ndarray]:
        x = images[numbers[begin:end]]
        latents, evaluations = carry_data(flow, x, chosen)
        back = carry_latents(flow, latents, chosen)[0]
        error = (back - x) * GREY_LEVELS
        levels = zip(eight_bits.to_levels(x), eight_bits.to_levels(back), strict=True)
        return {
            "mse": (error**2).mean(axis=1, dtype=np.float64),
            "mse_uint8_wrapped": np.array([wrapped_mse(*pair) for pair in levels]),
            "max_error": np.abs(error).max(axis=1).astype(np.float64),
            "evaluations": np.full(len(x), evaluations),
        }

    rows = in_batches(batch, len(numbers), flow.batch_size, checkpoint or Checkpoint.unkept(), "round trips")
    return {
        "mse": float(rows["mse"].mean()),
        "mse_uint8_wrapped": float(rows["mse_uint8_wrapped"].mean()),
        "max_error": float(rows["max_error"].max()),
        "n": len(numbers),
        "evaluations": int(rows["evaluations"][-1]),
    }
