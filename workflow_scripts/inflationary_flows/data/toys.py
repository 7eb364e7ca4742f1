r"""Toy data sets, each a curve or sheet with Gaussian noise, so that the density is known.

A toy is a skeleton m(theta), theta uniform, plus noise: raw = m(theta) + N(0, diag(noise^2)), then
standardised per coordinate by its exact mean and standard deviation, so that every split and the
exact density share one scale. Its density

    p(x) = int N(x; m(theta), S) dtheta

is a Gaussian mixture once the integral is a quadrature sum over the skeleton; the sum converges
geometrically as soon as the nodes lie closer than the noise is wide.

The shapes are those of de Albuquerque and Pearson (2024), section 3: scikit-learn's circles, moons,
S curve and Swiss roll, with independent parameters in place of evenly spaced ones, and a noisy
sine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from inflationary_flows.errors import DataError

Array = np.ndarray
Mixture = tuple[Array, Array, Array]

# Ample for exact moments: Gauss's rule with this many nodes is exact to rounding for every skeleton
# below.
_MOMENT_NODES = 256


@dataclass(frozen=True)
class Patch:
    """One smooth piece of a skeleton.

    Arguments:
        bounds: Lower and upper end of each parameter.
        embed: Maps parameters, shape (n, p), to raw points, shape (n, D).
        weight: Probability of the piece.
        periodic: Whether the (single) parameter runs around a closed curve.
    """

    bounds: tuple[tuple[float, float], ...]
    embed: Callable[[Array], Array]
    weight: float = 1.0
    periodic: bool = False

    def nodes(self, counts: tuple[int, ...], midpoints: bool) -> tuple[Array, Array]:
        """Returns quadrature parameters (K, p), and their weights (K,), which sum to `weight`."""
        rules = [
            _midpoint(count, *ends) if midpoints or self.periodic else _gauss(count, *ends)
            for count, ends in zip(counts, self.bounds, strict=True)
        ]
        parameters = np.array(list(product(*(nodes for nodes, _ in rules))))
        weights = np.array([np.prod(pair) for pair in product(*(weights for _, weights in rules))])
        return parameters, self.weight * weights


@dataclass(frozen=True)
class Toy:
    """A toy data set; points are in standardised units.

    Arguments:
        name: As in the configuration.
        patches: The pieces of the skeleton, in the order of their colours.
        noise: Standard deviation of the noise per raw coordinate, length D.
        standardised: Which coordinates are standardised; the others keep their raw units.
        resolution: Default number of quadrature nodes along the curve.
    """

    name: str
    patches: tuple[Patch, ...]
    noise: tuple[float, ...]
    standardised: tuple[bool, ...]
    resolution: int = 128

    @property
    def dimension(self) -> int:
        """D, the number of coordinates."""
        return len(self.noise)

    @cached_property
    def location_and_scale(self) -> tuple[Array, Array]:
        """Exact mean and standard deviation of raw coordinates, each (D,); else 0 and 1."""
        points, weights = self._quadrature(_MOMENT_NODES, 16, midpoints=False)
        mean = weights @ points
        variance = weights @ (points - mean) ** 2 + np.square(self.noise)
        keep = np.array(self.standardised)
        return np.where(keep, mean, 0.0), np.where(keep, np.sqrt(variance), 1.0)

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draws independent points.

        Arguments:
            n: How many.
            rng: Source of randomness.

        Returns:
            Points, shape (n, D), standardised units; and their place along the skeleton, shape
            (n,), in [0, 1], for colouring.
        """
        piece = rng.choice(len(self.patches), size=n, p=[patch.weight for patch in self.patches])
        raw = np.empty((n, self.dimension))
        label = np.empty(n)
        uniform = rng.random((n, len(self.patches[0].bounds)))
        for index, patch in enumerate(self.patches):
            chosen = piece == index
            low, high = np.array(patch.bounds).T
            raw[chosen] = patch.embed(low + uniform[chosen] * (high - low))
            label[chosen] = (index + uniform[chosen, 0]) / len(self.patches)
        raw += rng.standard_normal((n, self.dimension)) * np.array(self.noise)
        return self.standardise(raw), label

    def standardise(self, raw: Array) -> Array:
        """Maps raw points to standardised units, shape (n, D)."""
        location, scale = self.location_and_scale
        return (raw - location) / scale

    def mixture(self, resolution: int | None = None) -> Mixture:
        """Returns the density as a Gaussian mixture with a common covariance.

        A coordinate without noise of its own (x of `sine`) would leave spikes; there the midpoint
        rule is used, and each node gets the variance h^2 / 12 of the cell of width h it stands for.
        Mean and variance of that coordinate are then exact, and the density is right at every scale
        coarser than h (under a kernel wider than h, to many digits).

        Arguments:
            resolution: Nodes along the curve; a sheet gets a quarter of that across.

        Returns:
            Means (K, D), weights (K,) summing to 1, covariance (D, D), standardised units.
        """
        resolution = resolution or self.resolution
        if resolution < 8:
            raise DataError(
                f"mixture of {self.name}",
                "a resolution of at least 8",
                str(resolution),
                "ask for more nodes.",
            )
        bare = np.array(self.noise) == 0.0
        points, weights = self._quadrature(resolution, max(8, resolution // 4), midpoints=bool(bare.any()))
        _, scale = self.location_and_scale
        (low, high), *_ = self.patches[0].bounds
        within_cell = np.where(bare, ((high - low) / resolution) ** 2 / 12.0, 0.0)
        covariance = np.diag((np.square(self.noise) + within_cell) / scale**2)
        return self.standardise(points), weights, covariance

    def _quadrature(self, along: int, across: int, *, midpoints: bool) -> tuple[Array, Array]:
        points, weights = [], []
        for patch in self.patches:
            counts = (along, across)[: len(patch.bounds)]
            parameters, patch_weights = patch.nodes(counts, midpoints)
            points.append(patch.embed(parameters))
            weights.append(patch_weights)
        total = np.concatenate(weights)
        return np.concatenate(points), total / total.sum()


@dataclass(frozen=True)
class EmbeddedToy:
    """A toy put linearly into a space of higher dimension: x = Q y with orthonormal columns of Q.

    The covariance of the result has rank `base.dimension`: its other eigenvalues are zero.

    Arguments:
        base: The toy to embed.
        dimension: D, above the base's.
        seed: Fixes Q.
    """

    base: Toy
    dimension: int
    seed: int

    @property
    def name(self) -> str:
        """The base's name and the dimension, for messages."""
        return f"{self.base.name} in {self.dimension} dimensions"

    @cached_property
    def frame(self) -> Array:
        """Q of the QR of a seeded Gaussian matrix, shape (D, base D), R with positive diagonal."""
        if self.dimension <= self.base.dimension:
            raise DataError(
                f"embedding of {self.base.name}",
                f"a dimension above {self.base.dimension}",
                str(self.dimension),
                "raise `dimension`, or use the toy itself.",
            )
        rng = np.random.default_rng([self.seed, _FRAME_STREAM])
        q, r = np.linalg.qr(rng.standard_normal((self.dimension, self.base.dimension)))
        return q * np.sign(np.diag(r))

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draws points, shape (n, D), and colours, shape (n,); see `Toy.sample`."""
        points, label = self.base.sample(n, rng)
        return points @ self.frame.T, label

    def mixture(self, resolution: int | None = None) -> Mixture:
        """Returns the density as `Toy.mixture` does, with the singular covariance Q S Q^T."""
        means, weights, covariance = self.base.mixture(resolution)
        return means @ self.frame.T, weights, self.frame @ covariance @ self.frame.T


# Streams of random numbers of one data seed: 0, 1, 2 are the splits'.
_FRAME_STREAM = 3


def _gauss(count: int, low: float, high: float) -> tuple[Array, Array]:
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return low + (high - low) * (nodes + 1.0) / 2.0, weights / 2.0


def _midpoint(count: int, low: float, high: float) -> tuple[Array, Array]:
    return low + (high - low) * (np.arange(count) + 0.5) / count, np.full(count, 1.0 / count)


def _stack(*coordinates: Array) -> Array:
    return np.stack(coordinates, axis=1)


def _ring(radius: float) -> Callable[[Array], Array]:
    return lambda p: radius * _stack(np.cos(p[:, 0]), np.sin(p[:, 0]))


def _upper_moon(p: Array) -> Array:
    return _stack(np.cos(p[:, 0]), np.sin(p[:, 0]))


def _lower_moon(p: Array) -> Array:
    return _stack(1.0 - np.cos(p[:, 0]), 0.5 - np.sin(p[:, 0]))


def _sine(p: Array) -> Array:
    return _stack(p[:, 0], np.sin(4.0 * np.pi * p[:, 0]) / 4.0)


def _s_curve(p: Array) -> Array:
    t = p[:, 0]
    return _stack(np.sin(t), 2.0 * p[:, 1], np.sign(t) * (np.cos(t) - 1.0))


def _swirl(p: Array) -> Array:
    t = p[:, 0]
    return _stack(t * np.cos(t), 21.0 * p[:, 1], t * np.sin(t))


def _without_width(sheet: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Turns a sheet into its curve, second coordinate zero."""

    def curve(p: Array) -> Array:
        points = sheet(np.column_stack([p[:, 0], np.zeros(len(p))]))
        points[:, 1] = 0.0
        return points

    return curve


_TURN = (0.0, 2.0 * np.pi)
_HALF_TURN = (0.0, np.pi)
_UNIT = (0.0, 1.0)
# The S curve's curvature jumps at t = 0: two pieces, so that Gauss's rule meets smooth ones only.
_S_HALVES = ((-1.5 * np.pi, 0.0), (0.0, 1.5 * np.pi))
_ROLL = (1.5 * np.pi, 4.5 * np.pi)

TOYS: dict[str, Toy] = {
    toy.name: toy
    for toy in (
        Toy(
            name="circles",
            patches=(
                Patch((_TURN,), _ring(1.0), 0.5, periodic=True),
                Patch((_TURN,), _ring(0.5), 0.5, periodic=True),
            ),
            noise=(0.08, 0.08),
            standardised=(True, True),
        ),
        Toy(
            name="moons",
            patches=(
                Patch((_HALF_TURN,), _upper_moon, 0.5),
                Patch((_HALF_TURN,), _lower_moon, 0.5),
            ),
            noise=(0.08, 0.08),
            standardised=(True, True),
        ),
        Toy(
            name="sine",
            patches=(Patch(((-1.0, 1.0),), _sine),),
            noise=(0.0, 0.15),
            standardised=(True, True),
            resolution=512,
        ),
        Toy(
            name="s_curve",
            patches=tuple(Patch((half, _UNIT), _s_curve, 0.5) for half in _S_HALVES),
            noise=(0.2, 0.2, 0.2),
            standardised=(True, True, True),
            resolution=64,
        ),
        Toy(
            name="swirl",
            patches=(Patch((_ROLL, _UNIT), _swirl),),
            noise=(1.25, 1.25, 1.25),
            standardised=(True, True, True),
        ),
        # The scaling study's variants: the second coordinate is N(0, .5^2) in the units of the
        # standardised set.
        Toy(
            name="alt_s_curve",
            patches=tuple(Patch((half,), _without_width(_s_curve), 0.5) for half in _S_HALVES),
            noise=(0.2, 0.5, 0.2),
            standardised=(True, False, True),
            resolution=64,
        ),
        Toy(
            name="alt_swirl",
            patches=(Patch((_ROLL,), _without_width(_swirl)),),
            noise=(1.25, 0.5, 1.25),
            standardised=(True, False, True),
        ),
    )
}
