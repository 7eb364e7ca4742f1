"""Priors that nobody has trained, beside the compared methods: what a number is if all is known, and if little is.

`exact` draws from the true density of a toy: the floor of every measure.  `gaussian` has the mean and the covariance of
the training data; from d random numbers, or d principal components, it is PCA.  `box` is flat on the box that holds
them: it knows no more than their range.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from inflationary_flows.baselines.method import RandomNumbers
from inflationary_flows.data.oracles import draw_fresh
from inflationary_flows.mathematics.eigenbasis import Eigenbasis, Rows
from inflationary_flows.mathematics.points import checked, standard_normal
from inflationary_flows.seeding import derive_seed

EXACT, GAUSSIAN, BOX = "exact", "gaussian", "box"
REFERENCES = (EXACT, GAUSSIAN, BOX)


@dataclass(frozen=True)
class Reference:
    """A prior that is sampled, and what it makes of a point from d numbers.

    Attributes:
        draw: Draws n points, shape (n, D), data units, by a number of points, a seed, and how many random numbers.
        random: How many random numbers a point may have.
        reconstruct: Points from d numbers each; None if it has no such numbers.
    """

    draw: Callable[[int, int, RandomNumbers], np.ndarray]
    random: tuple[RandomNumbers, ...] = ("D",)
    reconstruct: Callable[[np.ndarray], np.ndarray] | None = None


def gaussian_reference(basis: Eigenbasis, kept_dims: int) -> Reference:
    """The Gaussian of the data, and its first principal components."""

    def draw(n: int, seed: int, random: RandomNumbers) -> np.ndarray:
        u = standard_normal(n, basis.dimension, derive_seed("gaussian reference", seed)) * basis.eigenvalues.sqrt()
        if random == "d":
            u[:, kept_dims:] = 0
        return basis.from_eigen(u).numpy()

    def reconstruct(x: np.ndarray) -> np.ndarray:
        u = basis.to_eigen(checked(x, basis.dimension, "x"))
        u[:, kept_dims:] = 0
        return basis.from_eigen(u).numpy()

    return Reference(draw, ("D", "d"), reconstruct)


def make_references(dataset: dict[str, Any], train: Rows, basis: Eigenbasis, kept_dims: int) -> dict[str, Reference]:
    """The references of a data set, by name; `exact` and `box` of toys alone.

    Arguments:
        dataset: Its settings, as for `find_toy`.
        train: Training split, shape (n, D), data units.
        basis: Its eigenbasis.
        kept_dims: Number of dimensions d that methods keep.
    """
    references = {GAUSSIAN: gaussian_reference(basis, kept_dims)}

    def exact(n: int, seed: int, random: RandomNumbers) -> np.ndarray:
        points = draw_fresh(dataset, n, derive_seed("exact reference", seed))
        assert points is not None
        return points

    if draw_fresh(dataset, 1, 0) is None:
        return references
    low, high = np.asarray(train).min(0), np.asarray(train).max(0)

    def box(n: int, seed: int, random: RandomNumbers) -> np.ndarray:
        uniform = np.random.default_rng(derive_seed("box reference", seed)).random((n, basis.dimension))
        return low + (high - low) * uniform

    return {EXACT: Reference(exact), **references, BOX: Reference(box)}
