r"""Two-sample statistics: distances of two point sets, and of two independent sets of one distribution.

    energy distance      2 E|X - Y| - E|X - X'| - E|Y - Y'|              (Szekely and Rizzo, 2013)
    sliced Wasserstein   (E_theta W_2^2(theta.X, theta.Y))^1/2           (Bonneel et al., 2015)
    C2ST                 held-out accuracy of a classifier, X or Y       (Lopez-Paz and Oquab, 2017)

The estimate of the energy distance is unbiased (no point is compared with itself) and may be slightly negative.  Its
null distribution comes from random halves of one pool of 2n points: with signs s = +1 on one half and -1 on the other,
every sum of distances within and between the halves follows from s' D s and the total of D, so that one pass over the
distance matrix serves all splits at once.

Distances are taken coordinate by coordinate in float64: matrix products would lose half of the
digits exactly where two good sets differ.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_approximation import RBFSampler
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from inflationary_flows.errors import DataError
from inflationary_flows.mathematics.eigenbasis import Eigenbasis, Rows
from inflationary_flows.seeding import derive_seed

FLOOR_COLUMNS = ("metric", "mean", "sd", "q95", "n")

# Rows of the distance matrix held at a time; two such blocks of doubles are about 30 MB.
BLOCK = 1_400


def standardise(points: Rows, basis: Eigenbasis) -> np.ndarray:
    """Centres points and divides them by the basis's units, in which distances make sense.

    Arguments:
        points: Shape (n, D), data units.
        basis: Basis of the training split; its scale is one for toys and images.
    """
    mean, scale = (value.cpu().numpy() for value in (basis.mean, basis.scale))
    return (np.asarray(points, dtype=np.float64) - mean) / scale


def _checked(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both sets as float64, or a DataError if they cannot be compared."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    for name, points in (("first set", x), ("second set", y)):
        if points.ndim != 2 or len(points) < 2 or not np.isfinite(points).all():
            raise DataError(
                f"two-sample test, {name}",
                "a finite array of shape (n, D) with n > 1",
                f"shape {points.shape}, {np.count_nonzero(~np.isfinite(points))} values not finite",
                "look for a flow that diverged, or ask for more samples",
            )
    if x.shape[1] != y.shape[1]:
        raise DataError(
            "two-sample test",
            "two sets of equal dimension",
            f"{x.shape[1]} and {y.shape[1]} coordinates",
            "compare points of the same data set",
        )
    return x, y


def _sum_of_distances(x: np.ndarray, y: np.ndarray) -> float:
    """Sum of |x_i - y_j| over all pairs, block by block."""
    return sum(
        float(cdist(x[start : start + BLOCK], y[column : column + BLOCK]).sum())
        for start in range(0, len(x), BLOCK)
        for column in range(0, len(y), BLOCK)
    )


def energy_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Unbiased energy distance between two point sets.

    Arguments:
        x, y: Shapes (n, D) and (m, D), the same units; the result has these units (not squared).

    Raises:
        DataError: if a set is not a finite matrix with at least 2 rows, or the dimensions differ.
    """
    x, y = _checked(x, y)
    n, m = len(x), len(y)
    between = _sum_of_distances(x, y) / (n * m)
    within = _sum_of_distances(x, x) / (n * (n - 1)) + _sum_of_distances(y, y) / (m * (m - 1))
    return 2 * between - within


def sliced_wasserstein(x: np.ndarray, y: np.ndarray, *, projections: int = 200, seed: int = 0) -> float:
    """Sliced 2-Wasserstein distance over random directions, by sorting.

    Arguments:
        x, y: Shapes (n, D) and (m, D), the same units as the result; the larger set is cut to the
            smaller.
        projections: Number of directions.
        seed: Seed of the directions.

    Raises:
        DataError: if a set is not a finite matrix with at least 2 rows, or the dimensions differ.
    """
    x, y = _checked(x, y)
    n = min(len(x), len(y))
    generator = np.random.default_rng(derive_seed("projections", seed))
    directions = generator.standard_normal((projections, x.shape[1]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    # Direction by direction: the memory is that of one sorted column.
    costs = [np.mean((np.sort(x[:n] @ direction) - np.sort(y[:n] @ direction)) ** 2) for direction in directions]
    return float(np.sqrt(np.mean(costs)))


def _make_classifier(n: int, dimension: int, state: int) -> Pipeline:
    """A small network on the coordinates and on random Fourier features of several scales.

    The features see fine structure (a noise of .10 instead of .08 across a ring) that a network of
    this size and budget, fed with coordinates alone, misses.
    """
    features = [
        RBFSampler(gamma=gamma / dimension, n_components=64, random_state=(state + index) % 2**32)
        for index, gamma in enumerate((1.0, 4.0, 16.0))
    ]
    batch = min(200, n)
    network = MLPClassifier(
        hidden_layer_sizes=(64,),
        batch_size=batch,
        # A fixed number of epochs, more for small sets: stopping on the loss would stop by noise.
        max_iter=int(np.clip(100_000 / n, 15, 100)),
        tol=0.0,
        n_iter_no_change=10_000,
        alpha=3.0,
        random_state=state,
    )
    return make_pipeline(StandardScaler(), make_union(FunctionTransformer(), *features), StandardScaler(), network)


def c2st_accuracy(x: np.ndarray, y: np.ndarray, *, seed: int = 0, folds: int = 3) -> float:
    """Held-out accuracy of a small network that classifies two sets; one half by chance.

    Arguments:
        x, y: Shapes (n, D) and (m, D); the larger set is cut so that chance is one half.
        seed: Seed of the folds and of the classifier.
        folds: Number of folds; every point is judged once, by a network that has not seen it.

    Raises:
        DataError: if a set is not a finite matrix with at least 2 rows, or the dimensions differ.
    """
    x, y = _checked(x, y)
    n = min(len(x), len(y))
    points = np.concatenate([x[:n], y[:n]])
    origin = np.repeat([0, 1], n)
    state = derive_seed("c2st", seed) % 2**32
    split = StratifiedKFold(min(folds, n), shuffle=True, random_state=state)
    classifier = _make_classifier(n, x.shape[1], state)
    with warnings.catch_warnings():
        # The number of epochs is fixed, so that the convergence warning is irrelevant.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return float(np.mean(cross_val_score(classifier, points, origin, cv=split)))


def _random_halves(size: int, splits: int, seed: int) -> np.ndarray:
    """Signs, shape (size, splits): in each column one random half is +1, the other -1."""
    generator = np.random.default_rng(derive_seed("halves", seed))
    sign = np.repeat([1.0, -1.0], size // 2)
    return np.stack([generator.permutation(sign) for _ in range(splits)], axis=1)


def energy_distance_of_halves(pool: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Unbiased energy distances between halves of a pool, many splits in one pass.

    Arguments:
        pool: Points, shape (2n, D).
        signs: +1 or -1 for the two halves, shape (2n, R), n of each in every column.

    Returns:
        The R energy distances, shape (R,), equal to `energy_distance` of the halves.
    """
    n = len(pool) // 2
    total, form = 0.0, np.zeros(signs.shape[1])
    for start in range(0, len(pool), BLOCK):
        rows = slice(start, start + BLOCK)
        for column in range(start, len(pool), BLOCK):
            columns = slice(column, column + BLOCK)
            distances = cdist(pool[rows], pool[columns])
            # The matrix is symmetric: a block right of the diagonal stands for its mirror too.
            weight = 1.0 if column == start else 2.0
            total += weight * float(distances.sum())
            form += weight * np.einsum("ir,ir->r", signs[rows], distances @ signs[columns])
    within = (total + form) / 2
    between = (total - form) / 4
    return 2 * between / n**2 - within / (n * (n - 1))


def measure_floor(
    validation: np.ndarray,
    test: np.ndarray,
    *,
    samples: int = 10_000,
    seed: int = 0,
    energy_splits: int = 200,
    wasserstein_splits: int = 20,
    projections: int = 200,
) -> list[dict[str, Any]]:
    """Measures what each two-sample statistic gives between two fresh sets of the same law.

    The pool of 2n held-out points is split into random halves.  The classifier's accuracy is not
    measured but follows from counting: judging 2n points by chance has mean one half and standard
    deviation 1 / (2 sqrt(2n)).

    Arguments:
        validation, test: Held-out points, shapes (n, D), standardised units (see `standardise`).
        samples: Size n of each half, cut to the smaller of both splits.
        seed: Seed of the pool's choice and of the halves.
        energy_splits, wasserstein_splits: Numbers of random halves.
        projections: Directions of the sliced Wasserstein distance.

    Returns:
        Rows of metric, mean, sd, q95 (the 95 % point), n.
    """
    validation, test = _checked(validation, test)
    n = min(samples, len(validation), len(test))
    generator = np.random.default_rng(derive_seed("pool", seed))
    held_out = np.concatenate([validation, test])
    pool = held_out[generator.permutation(len(held_out))[: 2 * n]]
    signs = _random_halves(len(pool), max(energy_splits, wasserstein_splits), seed)
    energies = energy_distance_of_halves(pool, signs[:, :energy_splits])
    slices = np.array(
        [
            sliced_wasserstein(pool[sign > 0], pool[sign < 0], projections=projections, seed=seed)
            for sign in signs.T[:wasserstein_splits]
        ]
    )
    rows: list[dict[str, Any]] = []
    for metric, values in (("energy_distance", energies), ("sliced_wasserstein", slices)):
        rows.append(
            {
                "metric": metric,
                "mean": float(values.mean()),
                "sd": float(values.std(ddof=1)),
                "q95": float(np.quantile(values, 0.95)),
                "n": n,
            }
        )
    spread = 0.5 / np.sqrt(2 * n)
    chance = {"mean": 0.5, "sd": float(spread), "q95": float(0.5 + 1.645 * spread), "n": n}
    return [*rows, {"metric": "c2st_accuracy", **chance}]
