"""How good a model of any method is: generated against held-out points, and what comes back of these.

Generated points are judged as those of our flows are (`quality`): in standardised units, by the energy distance and by
a classifier.  Directions along which the training data do not vary at all are left out, because any noise along them,
however small, would tell points apart.

Held-out points come back in two ways.  Reconstructed from d numbers each, they miss what d dimensions cannot hold; the
round trip goes through all latents that a method has, and what it misses is the error of the map.

Samples of D random numbers have something that samples of d have not. Both are drawn of every method.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from inflationary_flows.baselines.method import RANDOM_NUMBERS, Model, RandomNumbers
from inflationary_flows.mathematics.eigenbasis import Eigenbasis, Rows
from inflationary_flows.mathematics.schedules import NULL_VARIANCE
from inflationary_flows.metrics.two_sample import c2st_accuracy, energy_distance, standardise
from inflationary_flows.seeding import derive_seed

METHOD_COLUMNS = ("metric", "random", "value", "n")

# A coordinate with a smaller share in the directions that vary is constant but for rounding.
_ROUNDING = 1e-9


def standardise_varying(points: np.ndarray, basis: Eigenbasis) -> np.ndarray:
    """Standardises points and drops their parts along directions in which the training data do not vary.

    Arguments:
        points: Shape (n, D), data units.
        basis: Basis of the training split.

    Returns:
        Shape (n, D), units of the basis; exactly zero in constant coordinates.
    """
    z = standardise(points, basis)
    varies = (basis.eigenvalues > NULL_VARIANCE * basis.eigenvalues.max()).cpu().numpy()
    if varies.all():
        return z
    vectors = basis.vectors.cpu().numpy()[:, varies]
    kept = np.square(vectors).sum(1) > _ROUNDING
    # The classifier scales each coordinate to unit variance, that of rounding errors too if there were any.
    return np.where(kept, z @ vectors @ vectors.T, 0.0)


def measure_method_quality(
    model: Model, *, test: Rows, basis: Eigenbasis, samples: int = 5_000, shown: int = 1_000, seed: int = 0
) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Measures what `baselines.csv` holds about one model, Frechet numbers and costs aside.

    Arguments:
        model: Trained model.
        test: Held-out points, shape (n, D), data units.
        basis: Basis of the training split.
        samples: Points of each set, the first ones of the split, or all of it.
        shown: Most points of each kind to return.
        seed: Seed of the generated points and of the classifier.

    Returns:
        Rows of `METHOD_COLUMNS`: energy_distance (units of the basis) and c2st_accuracy, of points from D and from d
        random numbers; reconstruction_mse and roundtrip_mse (means over points and coordinates, data units squared),
        which have none. And points, shape (<= shown, D), float64,
        data units, as `generated`, `held_out` and, in the same order, `reconstructed`.

    Raises:
        DataError: if generated points are not finite.
    """
    fresh = np.asarray(test[: min(samples, len(test))], dtype=np.float64)
    drawing = derive_seed("method samples", seed)
    rows: list[dict[str, Any]] = []
    for random in RANDOM_NUMBERS:
        rows += measure_generated(model.sample(len(fresh), drawing, random), fresh, basis, random, seed)
    reconstructed = model.reconstruct(fresh)
    errors = {"reconstruction_mse": reconstructed, "roundtrip_mse": model.round_trip(fresh)}
    rows += [
        {"metric": metric, "random": None, "value": mean_square(found, fresh), "n": len(fresh)}
        for metric, found in errors.items()
    ]
    points = {"generated": model.sample(len(fresh), drawing), "held_out": fresh, "reconstructed": reconstructed}
    return rows, {name: np.asarray(array[:shown], dtype=np.float64) for name, array in points.items()}


def measure_generated(
    generated: np.ndarray, fresh: np.ndarray, basis: Eigenbasis, random: RandomNumbers, seed: int
) -> list[dict[str, Any]]:
    """Rows of `METHOD_COLUMNS` on how far generated points are from held-out ones.

    Arguments:
        generated, fresh: Points, shape (n, D), data units.
        basis: Basis of the training split.
        random: How many random numbers a generated point has.
        seed: Seed of the classifier.

    Raises:
        DataError: if generated points are not finite.
    """
    compared = standardise_varying(generated, basis), standardise_varying(fresh, basis)
    values = {"energy_distance": energy_distance(*compared), "c2st_accuracy": c2st_accuracy(*compared, seed=seed)}
    return [{"metric": metric, "random": random, "value": value, "n": len(fresh)} for metric, value in values.items()]


def mean_square(found: np.ndarray, points: np.ndarray) -> float:
    """Mean squared difference over points and coordinates."""
    return float(np.square(np.asarray(found, dtype=np.float64) - points).mean())
