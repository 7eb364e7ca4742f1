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

from typing import Any

import numpy as np
import torch

from inflationary_flows.errors import DataError
from inflationary_flows.extras import needs
from inflationary_flows.mathematics.eigenbasis import Eigenbasis, Rows
from inflationary_flows.seeding import derive_seed

FLOOR_COLUMNS = ("metric", "mean", "sd", "q95", "n")

# Rows of the distance matrix held at a time; two such blocks of doubles are about 30 MB.
BLOCK = 1_400

# The classifier: hidden units, Fourier features of a scale, points of a step, weight decay times these, and points that
# all steps see if this takes 15 to 100 epochs.
_HIDDEN, _WAVES, _BATCH, _DECAY, _CLASSIFIED = 64, 64, 200, 3.0, 100_000
# Coordinates with less standard deviation than this are constant.
_CONSTANT = 1e-12


def standardise(points: Rows, basis: Eigenbasis) -> np.ndarray:
    """Centres points, or their transformed columns, and divides by the basis's units, in which distances make sense.

    Arguments:
        points: Shape (n, D), data units.
        basis: Basis of the training split; its scale is one for toys and images.
    """
    values: np.ndarray = basis.to("cpu").standardised(torch.from_numpy(np.asarray(points, dtype=np.float64))).numpy()
    return values


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


def _distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """|x_i - y_j|, shape (n, m)."""
    # Lazy import: the classifier does without.
    with needs("energy distances", "metrics"):
        from scipy.spatial.distance import cdist
    return cdist(x, y)


def _sum_of_distances(x: np.ndarray, y: np.ndarray) -> float:
    """Sum of |x_i - y_j| over all pairs, block by block; within one set a block stands for its mirror too."""
    return sum(
        (2 if x is y and column > start else 1)
        * float(_distances(x[start : start + BLOCK], y[column : column + BLOCK]).sum())
        for start in range(0, len(x), BLOCK)
        for column in range(start if x is y else 0, len(y), BLOCK)
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
    # Direction by direction: the memory is that of one sorted column.
    costs = [
        np.mean((np.sort(x[:n] @ direction) - np.sort(y[:n] @ direction)) ** 2)
        for direction in _directions(x.shape[1], projections, seed)
    ]
    return float(np.sqrt(np.mean(costs)))


def _directions(dimension: int, count: int, seed: int) -> np.ndarray:
    """Random unit vectors, shape (count, dimension)."""
    generator = np.random.default_rng(derive_seed("projections", seed))
    directions = generator.standard_normal((count, dimension))
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def c2st_accuracy(
    x: np.ndarray, y: np.ndarray, *, seed: int = 0, folds: int = 3, groups: np.ndarray | None = None
) -> float:
    """Held-out accuracy of small networks that classify two sets; one half by chance.

    The network of each fold has one hidden layer, on the coordinates and on random Fourier features of several scales.
    These see fine structure (a noise of .10 instead of .08 across a ring) that a network of this size and budget, fed
    with coordinates alone, misses. All folds are trained side by side by Adam, for a fixed number of epochs, because
    stopping on the loss would stop by noise. In single precision and without a framework this takes a third of the time
    of a library's classifier, for the same accuracy.

    Arguments:
        x, y: Shapes (n, D) and (m, D); the larger set is cut so that chance is one half.
        seed: Seed of the folds and of the classifier.
        folds: Number of folds; every point is judged once, by a network that has not seen it.
        groups: Numbers from 0 of what rows of x, and the same rows of y, belong to, shape (n,): one fold has all of a
            group. Otherwise its rows of one set that are left to learn from are few where many are judged, and what a
            network learns of the group is wrong.

    Raises:
        DataError: if a set is not a finite matrix with at least 2 rows, or the dimensions differ.
    """
    x, y = _checked(x, y)
    n = min(len(x), len(y))
    folds, random = min(folds, n), np.random.default_rng(derive_seed("c2st", seed))
    points, origin = _classifier_inputs(np.concatenate([x[:n], y[:n]]), random), np.repeat([0, 1], n)
    if groups is None:
        fold = np.concatenate([random.permutation(n) % folds for _ in range(2)])
    else:
        fold = np.tile((random.permutation(groups.max() + 1) % folds)[groups[:n]], 2)
    seen = [np.flatnonzero(fold != k) for k in range(folds)]
    size, fan_in = min(map(len, seen)), points.shape[1]
    batch, epochs = min(_BATCH, size), int(np.clip(_CLASSIFIED / size, 15, 100))

    # Weights and biases of a fold are one row, so that Adam is three lines; the arrays below are views of the rows.
    parameters, slopes = np.zeros((2, folds, (fan_in + 1) * _HIDDEN + 1), dtype=np.float32)
    mean, square = np.zeros((2, *parameters.shape), dtype=np.float32)
    (first, last, bias), (first_slope, last_slope, bias_slope) = (
        (
            rows[:, : fan_in * _HIDDEN].reshape(folds, fan_in, _HIDDEN),
            rows[:, None, fan_in * _HIDDEN : -1],
            rows[:, None, -1:],
        )
        for rows in (parameters, slopes)
    )
    first[:] = random.uniform(-1, 1, first.shape) * np.sqrt(6 / (fan_in + _HIDDEN))
    last[:] = random.uniform(-1, 1, last.shape) * np.sqrt(6 / (1 + _HIDDEN))
    step = 0
    for _ in range(epochs):
        order = np.stack([random.permutation(rows)[:size] for rows in seen])
        for chosen in np.split(order, range(batch, size, batch), 1):
            inputs = points.take(chosen, 0)
            hidden = np.maximum(inputs @ first, 0)
            # The logistic function: at large arguments, tanh has no overflow where exp has one.
            probability = (1 + np.tanh((hidden @ last.mT + bias) / 2)) / 2
            error = (probability - origin[chosen][..., None]) / chosen.shape[1]
            decay = _DECAY / chosen.shape[1]
            first_slope[:] = inputs.mT @ (error * last * (hidden > 0)) + decay * first
            last_slope[:] = error.mT @ hidden + decay * last
            bias_slope[:] = error.sum(1, keepdims=True)
            step += 1
            mean += 0.1 * (slopes - mean)
            square += 0.001 * (slopes * slopes - square)
            rate = 1e-3 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            parameters -= np.float32(rate) * mean / (np.sqrt(square) + 1e-8)
    right = 0
    for k in range(folds):
        held_out = fold == k
        logit = np.maximum(points[held_out] @ first[k], 0) @ last[k].T + bias[k]
        right += int(((logit[:, 0] > 0) == (origin[held_out] == 1)).sum())
    return right / (2 * n)


def _classifier_inputs(points: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Coordinates and Fourier features of points, shape (n, D), all of unit variance, and a column of ones, float32."""
    columns = [points := (points - points.mean(0)) / np.maximum(points.std(0), _CONSTANT)]
    for scale in (1.0, 4.0, 16.0):
        frequencies = random.standard_normal((points.shape[1], _WAVES)) * np.sqrt(2 * scale / points.shape[1])
        columns.append(np.cos(points @ frequencies + random.uniform(0, 2 * np.pi, _WAVES)))
    inputs = np.concatenate(columns, 1)
    inputs = (inputs - inputs.mean(0)) / np.maximum(inputs.std(0), _CONSTANT)
    return np.concatenate([inputs, np.ones((len(inputs), 1))], 1).astype(np.float32)


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
    # Signs cancel rounding: single precision in this product errs by a millionth of the spread of the results.
    total, form, signs = 0.0, np.zeros(signs.shape[1]), signs.astype(np.float32)
    for start in range(0, len(pool), BLOCK):
        rows = slice(start, start + BLOCK)
        for column in range(start, len(pool), BLOCK):
            columns = slice(column, column + BLOCK)
            distances = _distances(pool[rows], pool[columns])
            # The matrix is symmetric: a block right of the diagonal stands for its mirror too.
            weight = 1.0 if column == start else 2.0
            total += weight * float(distances.sum())
            pulls = distances.astype(np.float32) @ signs[columns]
            form += weight * np.einsum("ir,ir->r", signs[rows], pulls, dtype=np.float64)
    within = (total + form) / 2
    between = (total - form) / 4
    return 2 * between / n**2 - within / (n * (n - 1))


def sliced_wasserstein_of_halves(pool: np.ndarray, signs: np.ndarray, *, projections: int, seed: int) -> np.ndarray:
    """Sliced Wasserstein distances between halves of a pool, many splits in one pass: what is sorted is sorted once.

    Arguments:
        pool, signs: As of `energy_distance_of_halves`.
        projections, seed: As of `sliced_wasserstein`.

    Returns:
        The R distances, shape (R,), equal to `sliced_wasserstein` of the halves.
    """
    first, costs = signs.T > 0, np.zeros(signs.shape[1])
    for direction in _directions(pool.shape[1], projections, seed):
        projected = pool @ direction
        order = np.argsort(projected)
        ordered = projected[order]
        costs += [np.mean((ordered[half] - ordered[~half]) ** 2) for half in first.take(order, 1)]
    return np.sqrt(costs / projections)


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
    slices = sliced_wasserstein_of_halves(pool, signs[:, :wasserstein_splits], projections=projections, seed=seed)
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
