"""Rows of a finite data set, shuffled once and cut into splits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from inflationary_flows.data.splits import SPLITS
from inflationary_flows.errors import DataError

SHUFFLE_STREAM = 4
# Rows that a split has at least; the training split needs as many as a covariance has directions, and one.
LEAST_ROWS = 2


def groups_of_copies(points: np.ndarray) -> np.ndarray:
    """The number of each row's group, shape (n,): rows with equal numbers are of one, in the order of their firsts."""
    # Adding zero makes -0.0, which equals 0.0, the same bytes.
    rows = np.ascontiguousarray(points + 0.0)
    bits = rows.view(np.uint64)
    # Numbers that differ wherever rows do, almost surely: mostly, no row has a copy.
    sums = (bits ^ (bits >> np.uint64(32))) @ np.random.default_rng(0).integers(
        2**64, size=rows.shape[1], dtype=np.uint64
    )
    if len(np.unique(sums)) == len(rows):
        return np.arange(len(rows))
    first: dict[bytes, int] = {}
    return np.array([first.setdefault(row.tobytes(), len(first)) for row in rows])


def shuffled(groups: np.ndarray, fractions: Mapping[str, float], seed: int) -> dict[str, np.ndarray]:
    """Numbers of the rows of each split; rows of one group, whose numbers are from 0, stay together."""
    n = len(groups)
    sizes = np.bincount(groups)
    order = np.random.default_rng([seed, SHUFFLE_STREAM]).permutation(len(sizes))
    rows = np.argsort(np.argsort(order)[groups], kind="stable")
    validation, test = (round(fractions[split] * n) for split in ("validation", "test"))
    train = n - validation - test
    # Cuts lie between groups, as near as can be to where they are asked for.
    ends = np.concatenate([[0], np.cumsum(sizes[order])])
    cuts = [ends[np.abs(ends - cut).argmin()] for cut in (train, train + validation)]
    return dict(zip(SPLITS, np.split(rows, cuts), strict=True))


def require_rows(where: str, parts: Mapping[str, np.ndarray], n: int, train: int, hint: str) -> None:
    """Raises `DataError` if the training split has fewer than `train` rows, or another one is too small."""
    for split, rows in parts.items():
        least = train if split == "train" else LEAST_ROWS
        if len(rows) < least:
            raise DataError(f"{where}, {split} split", f"at least {least} rows", f"{len(rows)} of {n}", hint)
