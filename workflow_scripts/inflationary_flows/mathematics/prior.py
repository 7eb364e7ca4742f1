"""The prior of latents: Gaussian with the flow's exact variances, and three ways to treat compressed directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.errors import DataError
from inflationary_flows.mathematics.points import numbered_normal, standard_normal
from inflationary_flows.mathematics.schedules import Schedule
from inflationary_flows.seeding import derive_seed

CompressedPrior = Literal["gaussian", "empirical", "zero"]


@dataclass(frozen=True, eq=False)
class LatentPrior:
    """The distribution of latents.

    Attributes:
        schedule: Kernel, whose latent variances are exact.
        kind: Compressed directions: `gaussian` with the exact variances, `empirical` rows of `compressed_latents`, or
            `zero`.
        compressed_latents: Compressed coordinates of inflated training data, shape (m, D - d), latent units.
    """

    schedule: Schedule
    kind: CompressedPrior
    compressed_latents: Tensor | None

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
            z[:, kept:] = self.compressed_latents[torch.from_numpy(chosen)].double()
        return z
