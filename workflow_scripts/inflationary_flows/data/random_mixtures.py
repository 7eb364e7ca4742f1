r"""Mixtures of Gaussians of any dimension: data whose density and posteriors are known in closed form.

Component k is N(s Q L g_k, Q L B_k L Q^T): L is diagonal with the standard deviations i^(-decay / 2) of a decaying
spectrum, Q a random rotation, g_k standard normal, and B_k a Wishart matrix of mean one and 2 D degrees of freedom.
Components therefore differ in place and in the correlations of all their coordinates, while variances fall as i^-decay.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

# The stream of random numbers of one data seed: 0 to 2 are the splits', 3 that of embeddings, 5 that of fresh points.
_SHAPE_STREAM = 7


@dataclass(frozen=True)
class RandomMixture:
    """A mixture of Gaussians with equal weights.

    Arguments:
        dimension: Number of coordinates D.
        components: Number K of Gaussians.
        decay: Exponent of the spectrum's decay.
        separation: Spread s of the means, in standard deviations of a component.
        seed: Fixes rotation, means and correlations.
    """

    dimension: int
    components: int
    decay: float
    separation: float
    seed: int

    @property
    def name(self) -> str:
        """What it is, for messages."""
        return f"mixture of {self.components} Gaussians in {self.dimension} dimensions"

    @cached_property
    def _shape(self) -> tuple[np.ndarray, np.ndarray]:
        """Means, shape (K, D), and roots of covariances, shape (K, D, 2 D)."""
        d, rng = self.dimension, np.random.default_rng([self.seed, _SHAPE_STREAM])
        rotation, triangle = np.linalg.qr(rng.standard_normal((d, d)))
        spread = rotation * np.sign(np.diag(triangle)) * np.arange(1, d + 1) ** (-self.decay / 2)
        means = self.separation * rng.standard_normal((self.components, d)) @ spread.T
        roots = spread @ rng.standard_normal((self.components, d, 2 * d)) / np.sqrt(2 * d)
        return means, roots

    def sample(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draws points, shape (n, D), and the place of their component in [0, 1), shape (n,), for colouring."""
        means, roots = self._shape
        component = rng.integers(self.components, size=n)
        noise = rng.standard_normal((n, 2 * self.dimension))
        points = means[component]
        for k, root in enumerate(roots):
            points[component == k] += noise[component == k] @ root.T
        return points, component / self.components

    def mixture(self, resolution: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Means (K, D), weights (K,) and covariances (K, D, D), whatever the resolution: nothing is approximated."""
        means, roots = self._shape
        weights = np.full(self.components, 1 / self.components)
        return means, weights, roots @ roots.transpose(0, 2, 1)
