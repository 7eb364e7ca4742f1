r"""Five things that may be observed of a point, and exact draws of their posteriors.

    denoising    x + noise
    missing      all coordinates but the first, exactly
    linear       x_1 + x_2 + noise
    radius       |x| + noise: posteriors lie around rings
    product      x_1 x_2 + noise: posteriors have two branches or four

Exact draws are those of the exact density that the likelihood accepts: each is kept with probability L(x) / max L.  Of
a missing coordinate the posterior is a mixture in closed form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.mathematics.gaussian_mixtures import GaussianMixture

# Draws of the density at a time, and how often: a posterior of less than a millionth of it has no exact draws.
_POOL, _POOLS = 40_000, 25


@dataclass(frozen=True)
class Task:
    """What is observed.

    Attributes:
        seen: Points, shape (n, D), to what is observed of them, shape (n, m).
        noise: Standard deviation of the noise; 0 for none.
        given: What `infer` is told beside the observations.
        unit: Size of a residual that counts as one, for guidance.
        hidden: Coordinates that are not known, the first ones; none for all.
    """

    seen: Callable[[Tensor], Tensor]
    noise: float
    given: dict[str, Any]
    unit: float
    hidden: int | None = None

    def observe(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Observations of points, shape (n, D) to (n, m)."""
        clean = self.seen(x)
        return clean + self.noise * torch.randn(clean.shape, generator=generator, dtype=clean.dtype)

    def rows(self, y: Tensor) -> np.ndarray:
        """Observations as `infer` takes them, a missing coordinate as NaN."""
        return y.numpy() if self.noise else np.concatenate([np.full((len(y), 1), np.nan), y.numpy()], 1)

    def misfit(self, y: Tensor) -> Callable[[Tensor], Tensor]:
        """Squared residuals of points of each observation, shape (n, k, D) to (n, k)."""

        def squares(x: Tensor) -> Tensor:
            seen = self.seen(x.flatten(0, 1)).unflatten(0, x.shape[:2])
            return ((seen - y[:, None]) / self.unit).square().sum(-1)

        return squares

    def exact(self, law: GaussianMixture, y: Tensor, draws: int, generator: torch.Generator) -> Tensor:
        """Independent draws of the posteriors of observations, shape (n, draws, D)."""
        if not self.noise:
            seen_ones = torch.eye(law.means.shape[1], dtype=torch.float64)[1:]
            drawn = law.given(y, seen_ones).sample(draws, generator)
            # To the last bit: the root of a singular covariance is good to half of the digits.
            return torch.cat([drawn[..., :1], y[:, None].expand(-1, draws, -1)], 2)
        found: list[list[Tensor]] = [[] for _ in y]
        left = list(range(len(y)))
        for _ in range(_POOLS):
            pool = law.sample(_POOL, generator)
            seen = self.seen(pool)
            for row in left:
                likelihood = torch.exp(-((seen - y[row]) / self.noise).square().sum(1) / 2)
                kept = torch.rand(_POOL, generator=generator, dtype=torch.float64) < likelihood
                # Each row begins at a place of its own: otherwise all would take the same points of the pool.
                start = int(torch.randint(_POOL, (1,), generator=generator))
                places = torch.cat([kept[start:].nonzero() + start, kept[:start].nonzero()])[:draws, 0]
                found[row].append(pool[places])
            left = [row for row in left if sum(map(len, found[row])) < draws]
            if not left:
                break
        # Of observations that hardly occur there may be fewer: they are drawn again.
        whole = [torch.cat(parts) for parts in found]
        return torch.stack([points[torch.arange(draws) % len(points)] for points in whole])


def make_tasks(dimension: int, noises: Mapping[str, float]) -> dict[str, Task]:
    """The tasks for data of D coordinates, with standard deviations of their noise."""
    summed = torch.zeros(1, dimension, dtype=torch.float64)
    summed[0, :2] = 1.0

    def radius(x: Tensor) -> Tensor:
        return x.square().sum(1, keepdim=True).sqrt()

    def product(x: Tensor) -> Tensor:
        return x[:, :1] * x[:, 1:2]

    def noisy(name: str, seen: Callable[[Tensor], Tensor], operator: Any) -> Task:
        return Task(seen, noises[name], {"noise_std": noises[name], "operator": operator}, noises[name])

    return {
        "denoising": noisy("denoising", lambda x: x, None),
        "missing": Task(lambda x: x[:, 1:], 0.0, {}, 0.1, hidden=1),
        "linear": noisy("linear", lambda x: x @ summed.T, summed.numpy()),
        "radius": noisy("radius", radius, radius),
        "product": noisy("product", product, product),
    }
