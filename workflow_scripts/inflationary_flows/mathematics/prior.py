r"""The prior of latents: Gaussian with the flow's exact variances, and three ways to treat compressed directions.

`empirical` resamples compressed latents c of training data. Where these are many and of few directions, draws have
kernel noise, so that the prior has a density,

    p(c) = 1/m sum_k N(c; c_k, h^2 S),        h = m^(-1 / (k + 4)) / 2,

with the covariance S of the m rows and half of Scott's bandwidth for k directions: compressed latents keep edges and
gaps of the data, which the whole of it, made for Gaussians, would blur.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.errors import DataError, shorten
from inflationary_flows.mathematics.gaussian_mixtures import GaussianMixture
from inflationary_flows.mathematics.points import numbered_normal, standard_normal
from inflationary_flows.mathematics.schedules import Schedule
from inflationary_flows.seeding import derive_seed

CompressedPrior = Literal["gaussian", "empirical", "zero"]

# Kernel estimates of a density are good in few directions, from many rows.
_SMOOTHED_DIRECTIONS, _SMOOTHED_ROWS = 3, 500


def require_prior(chosen: Any) -> CompressedPrior:
    """A way to treat compressed directions; DataError if there is none of that name."""
    if chosen not in get_args(CompressedPrior):
        known = ", ".join(get_args(CompressedPrior))
        raise DataError("compressed_prior", f"one of {known}", shorten(chosen), "check the spelling")
    result: CompressedPrior = chosen
    return result


def can_be_smoothed(rows: int, directions: int) -> bool:
    """Whether so many rows of compressed latents, of so many directions, tell their density."""
    return 0 < directions <= _SMOOTHED_DIRECTIONS and rows >= _SMOOTHED_ROWS


@dataclass(frozen=True, eq=False)
class LatentPrior:
    """The distribution of latents.

    Attributes:
        schedule: Kernel, whose latent variances are exact.
        kind: Compressed directions: `gaussian` with the exact variances, `empirical` rows of `compressed_latents`, with
            kernel noise where they have a `bandwidth`, or `zero`.
        compressed_latents: Compressed coordinates of inflated training data, shape (m, D - d), latent units.
    """

    schedule: Schedule
    kind: CompressedPrior
    compressed_latents: Tensor | None

    @cached_property
    def bandwidth(self) -> Tensor | None:
        """Root of the kernel's covariance h^2 S, lower triangular, shape (D - d, D - d); none without kernel noise."""
        rows = self.compressed_latents
        if self.kind != "empirical" or rows is None or not can_be_smoothed(*rows.shape):
            return None
        directions = rows.shape[1]
        root, failed = torch.linalg.cholesky_ex(torch.cov(rows.double().T).reshape(directions, directions))
        return None if failed else root * len(rows) ** (-1 / (directions + 4)) / 2

    def log_density(self, y: Tensor) -> Tensor:
        """Log density of whitened latents y = z / std, shape (n, D) to (n,), nats.

        That of draws. Without kernel noise, resampled rows and zeros have no density: it is the Gaussian's then.
        """
        kept = self.schedule.kept_dims if self.bandwidth is not None else self.schedule.dimension
        value = -y[:, :kept].square().sum(1) / 2 - kept * math.log(2 * math.pi) / 2
        if self.bandwidth is None or self.compressed_latents is None:
            return value
        std = self.schedule.latent_std[kept:]
        rows, root = self.compressed_latents.double() / std, self.bandwidth / std[:, None]
        kernels = GaussianMixture(rows, rows.new_full((len(rows),), -math.log(len(rows))), (root @ root.T)[None])
        return value + kernels.log_density(y[:, kept:].double().to(rows.device)).to(y)

    def sample(self, n: int, seed: int) -> Tensor:
        """Draws latents, shape (n, D), float64; the same seed gives the same first latents for any n.

        Raises:
            DataError: if `empirical` is asked for without inflated training data.
        """
        normal = standard_normal(n, self.schedule.dimension, derive_seed("latents", seed))
        rows = np.random.default_rng(derive_seed("compressed", seed))
        return self._latents(normal, [rows])

    def sample_numbered(self, first: int, count: int, seed: int) -> Tensor:
        """Draws the latents number `first` ... `first + count - 1` of a seed, shape (count, D), float64.

        Each has its own stream: results do not depend on how latents are batched.

        Raises:
            DataError: if `empirical` is asked for without inflated training data.
        """
        normal = numbered_normal(first, count, self.schedule.dimension, "image", seed)
        numbers = range(first, first + count)
        rows = [np.random.default_rng(derive_seed("compressed image", seed, number)) for number in numbers]
        return self._latents(normal, rows)

    def _latents(self, normal: Tensor, rows: list[np.random.Generator]) -> Tensor:
        """Scales standard normal rows; `rows` are one generator for all, or one for each."""
        kept = self.schedule.kept_dims
        z = normal * self.schedule.latent_std
        if self.kind == "zero":
            z[:, kept:] = 0.0
        if self.kind == "empirical" and kept < self.schedule.dimension:
            if self.compressed_latents is None:
                raise DataError(
                    "compressed_prior",
                    "a flow with the compressed latents of its training data",
                    "none",
                    "make it with the rule assemble_flow, or use compressed_prior gaussian",
                )
            known = len(self.compressed_latents)
            if len(rows) == 1:
                chosen = rows[0].integers(known, size=len(z))
            else:
                chosen = np.array([row.integers(known) for row in rows], dtype=np.int64)
            drawn = self.compressed_latents[torch.from_numpy(chosen)].double()
            if self.bandwidth is not None:
                drawn = drawn + normal[:, kept:] @ self.bandwidth.T
            z[:, kept:] = drawn
        return z
