r"""Posteriors of clean points given noisy observations, as importance weights over samples of the prior.

    x_obs = x + N(0, C)

For few dimensions, and for any prior that can be sampled, the exact density of a toy among them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inflationary_flows.errors import InferenceError
from inflationary_flows.mathematics.noise import NoiseLevel, noise_of
from inflationary_flows.seeding import derive_seed

_MOST_DIMENSIONS = 3


@dataclass(frozen=True)
class WeightedPool:
    """Posteriors of several observations as weights over the same samples of the prior.

    Attributes:
        points: Samples of the prior, shape (m, D).
        weights: Weights, rows adding up to 1, shape (n, m).
        ess: Effective sample sizes 1 / sum of squared weights, shape (n,).
    """

    points: np.ndarray
    weights: np.ndarray
    ess: np.ndarray

    def mean(self) -> np.ndarray:
        """Posterior means, shape (n, D)."""
        return self.weights @ self.points

    def covariance(self) -> np.ndarray:
        """Posterior covariances, shape (n, D, D)."""
        mean = self.mean()
        second = np.einsum("nm,mi,mj->nij", self.weights, self.points, self.points, optimize=True)
        return second - mean[:, :, None] * mean[:, None, :]

    def resample(self, draws: int, seed: int) -> np.ndarray:
        """Draws from each posterior with replacement, shape (n, draws, D)."""
        chosen = [
            np.random.default_rng(derive_seed("resampling", seed, row)).choice(len(self.points), draws, p=weights)
            for row, weights in enumerate(self.weights)
        ]
        return self.points[np.stack(chosen)]


def weigh_pool(
    points: np.ndarray, x_obs: np.ndarray, noise_std: NoiseLevel, *, minimum_ess: float = 50.0
) -> WeightedPool:
    """Weighs samples of the prior by the likelihood of each observation.

    Arguments:
        points: Samples of the prior, shape (m, D), data units.
        x_obs: Observations, shape (n, D), data units.
        noise_std: Their noise, data units, as of `noise_of`.
        minimum_ess: Fewer effective samples are refused.

    Raises:
        InferenceError: if shapes disagree, D is above 3, or the weights collapse onto too few samples.
        DataError: if the noise is none.
    """
    if points.ndim != 2 or x_obs.ndim != 2 or points.shape[1] != x_obs.shape[1]:
        raise InferenceError(
            "x_obs", f"shape (n, {points.shape[-1]})", f"shape {x_obs.shape}", "pass one row per observation"
        )
    if points.shape[1] > _MOST_DIMENSIONS:
        raise InferenceError("x_obs", f"at most {_MOST_DIMENSIONS} dimensions", str(points.shape[1]), "use Flow.infer")
    noise = noise_of(noise_std, points.shape[1])
    # Whitened, and up to what is the same for all samples of a row, -|x_obs - x|^2 / 2 is (x_obs - c) . (x - c) -
    # |x - c|^2 / 2: one product of matrices, and around the samples' own centre c it keeps its digits.
    centre = points.mean(0)
    away, seen = noise.whiten(points - centre), noise.whiten(x_obs - centre)
    weights: np.ndarray = seen @ away.T - np.square(away).sum(1) / 2
    weights -= weights.max(1, keepdims=True)
    np.exp(weights, out=weights)
    weights /= weights.sum(1, keepdims=True)
    ess = 1 / np.einsum("nm,nm->n", weights, weights)
    if len(ess) and ess.min() < minimum_ess:
        raise InferenceError(
            f"posterior of observation {int(ess.argmin())}",
            f"an effective sample size of at least {minimum_ess:g}",
            f"{ess.min():.1f} of {len(points)} samples",
            "draw a larger pool, or check that the observation can come from these data at this noise",
        )
    return WeightedPool(points, weights, ess)
