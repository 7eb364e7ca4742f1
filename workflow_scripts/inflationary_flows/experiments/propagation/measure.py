"""Uncertainty of examples carried to the latents: balls, their images along the flow, intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from inflationary_flows.data.splits import Splits
from inflationary_flows.errors import DataError
from inflationary_flows.experiments.measured import Measured
from inflationary_flows.mathematics.eigenbasis import Rows
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.noise import NoiseLevel, noise_of
from inflationary_flows.seeding import derive_seed

_CONTEXT = 1_000
# Images along the flow are for drawing; latents and intervals come from all samples.
_DRAWN = 500


def choose_examples(points: Rows, indices: Sequence[int]) -> np.ndarray:
    """Rows of a split, shape (len(indices), D).

    Raises:
        DataError: if an index is out of range.
    """
    for index in indices:
        if not 0 <= index < len(points):
            raise DataError(
                "experiments.propagation: index of an example",
                f"an integer from 0 to {len(points) - 1}, a row of the test split",
                str(index),
                "choose another row",
            )
    return np.asarray(points, dtype=np.float64)[list(indices)]


def propagate(
    flow: Flow,
    examples: np.ndarray,
    *,
    context: Rows,
    noise_std: NoiseLevel,
    samples: int,
    levels: Sequence[float],
    frames: int,
    seed: int,
) -> xr.Dataset:
    """Carries a ball around every example.

    Arguments:
        flow: Flow.
        examples: Centres of the balls, shape (m, D), data units.
        context: Held-out points to show the data by, shape (n, D).
        noise_std: Standard deviation of the balls, data units; as of `noise_of`, by name if the flow has names.
        samples: Points of a ball.
        levels: Levels of the intervals.
        frames: Times at which images of a ball are kept, the ends included.
        seed: Seed of the balls.

    Returns:
        Data set over chain (one), draw, example, coordinate, level, frame: x and z (samples), mean, covariance, lower,
        upper, center; ball_path and context_path (scaled coordinates at `time`, some samples), latent_std, kept.
    """
    noise = noise_of(noise_std, flow.dimension, columns=flow.columns)
    times = np.linspace(flow.schedule.t_min, flow.schedule.t_max, frames)
    balls = [
        flow.propagate(example, noise, samples, derive_seed("example", seed, number), levels=levels)
        for number, example in enumerate(examples)
    ]
    paths = [flow.inflate(ball.x[:_DRAWN], times=times.tolist()) for ball in balls]
    background = np.asarray(context[:_CONTEXT], dtype=np.float64)
    kept = np.arange(flow.dimension) < flow.schedule.kept_dims
    variables = {
        "z": (("chain", "draw", "example", "coordinate"), np.stack([b.z for b in balls], 1)[None]),
        "x": (("chain", "draw", "example", "coordinate"), np.stack([b.x for b in balls], 1)[None]),
        "center": (("example", "coordinate"), examples),
        "mean": (("example", "coordinate"), np.stack([b.mean for b in balls])),
        "covariance": (("example", "coordinate", "coordinate_b"), np.stack([b.covariance for b in balls])),
        "lower": (("example", "level", "coordinate"), np.stack([b.intervals[..., 0] for b in balls])),
        "upper": (("example", "level", "coordinate"), np.stack([b.intervals[..., 1] for b in balls])),
        "ball_path": (("example", "frame", "drawn", "coordinate"), np.stack(paths)),
        "context_path": (("frame", "context", "coordinate"), flow.inflate(background, times=times.tolist())),
        "context_x": (("context", "coordinate"), background),
        "latent_std": (("coordinate",), flow.schedule.latent_std.numpy()),
        "kept": (("coordinate",), kept),
    }
    coordinates = {"level": np.asarray(levels, dtype=float), "frame": times}
    return xr.Dataset(variables, coordinates, attrs={"noise_std": noise.std})


def interval_rows(posterior: xr.Dataset) -> list[dict[str, Any]]:
    """Intervals as rows of example, coordinate (from 1), kept, mean, sd, level, lower, upper."""
    rows = []
    for example in range(posterior.sizes["example"]):
        for i in range(posterior.sizes["coordinate"]):
            deviation = float(np.sqrt(posterior["covariance"].values[example, i, i]))
            rows += [
                {
                    "example": example,
                    "coordinate": i + 1,
                    "kept": bool(posterior["kept"].values[i]),
                    "mean": float(posterior["mean"].values[example, i]),
                    "sd": deviation,
                    "level": float(level),
                    "lower": float(posterior["lower"].values[example, k, i]),
                    "upper": float(posterior["upper"].values[example, k, i]),
                }
                for k, level in enumerate(posterior["level"].values)
            ]
    return rows


def measure(
    flow: Flow,
    *,
    splits: Splits,
    indices: list[int],
    own: np.ndarray | None = None,
    **settings: Any,
) -> Measured:
    """Posterior of `propagate`, of rows of the test split and perhaps of a user's own points, and its intervals.

    Arguments:
        flow: Trained flow.
        splits: The test split has the examples and their context.
        indices: Rows of the test split.
        own: A user's own points, shape (m, D), data units.
        settings: As of `propagate`.
    """
    examples = choose_examples(splits.test, indices)
    if own is not None:
        examples = np.concatenate([examples, own])
    posterior = propagate(flow, examples, context=splits.test, **settings)
    return Measured({"propagation": interval_rows(posterior)}, posteriors={"propagation": posterior})
