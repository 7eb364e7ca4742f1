"""Data sets whose density is known: what trained networks are measured against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from inflationary_flows.data.random_mixtures import RandomMixture
from inflationary_flows.data.toys import TOYS, EmbeddedToy, Mixture, Toy

# Coordinates up to which a pool of samples holds enough of them near any observation.
MOST_WEIGHED = 3


def find_toy(dataset: Mapping[str, Any]) -> Toy | EmbeddedToy | RandomMixture | None:
    """Returns what points are drawn from (`kind`; of embedded toys and mixtures all that they are made of), or None."""
    if dataset["kind"] == "embedded":
        return EmbeddedToy(TOYS[dataset["base"]], int(dataset["dimension"]), int(dataset["seed"]))
    if dataset["kind"] == "gaussian_mixture":
        return RandomMixture(**{name: dataset[name] for name in RandomMixture.__dataclass_fields__})
    return TOYS.get(dataset["kind"])


def exact_mixture(dataset: Mapping[str, Any], resolution: int | None = None) -> Mixture | None:
    """Returns the density of a data set as a Gaussian mixture, where it is known.

    Arguments:
        dataset: Its settings, as for `find_toy`.
        resolution: Quadrature nodes along the curve; by default enough for five digits of the
            log-density (three for sine, under kernels of variance 5e-4 or more).

    Returns:
        Means (K, D), weights (K,), common covariance (D, D) or one of each component (K, D, D), in the units of the
        splits; None for digits and tables.
    """
    toy = find_toy(dataset)
    return None if toy is None else toy.mixture(resolution)


def draw_fresh(dataset: Mapping[str, Any], n: int, seed: int) -> np.ndarray | None:
    """Returns n new points of a toy, shape (n, D), from a stream no split uses; else None."""
    toy = find_toy(dataset)
    if toy is None:
        return None
    return toy.sample(n, np.random.default_rng([int(dataset["seed"]), _FRESH_STREAM, seed]))[0]


_FRESH_STREAM = 5
