"""Training, validation and test points of a data set, and how they came about.

Toys are drawn anew for each split, from streams of random numbers of their own, so that the size of
one split does not change another. Finite data sets are shuffled once and cut. Points keep the units
of their source; `scale` is what the eigenbasis divides by.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from inflationary_flows.artifacts.files import (
    load_tensors,
    save_tensors,
    sha256_of,
    sha256_of_array,
    write_json,
)
from inflationary_flows.data.oracles import find_toy
from inflationary_flows.data.sources import Table, read_digits, read_table, require_varying
from inflationary_flows.errors import ArtifactError, DataError

SPLITS = ("train", "validation", "test")
_SHUFFLE_STREAM = 4
_LEAST_ROWS = 2


@dataclass(frozen=True, eq=False)
class Splits:
    """The three splits of one data set.

    Attributes:
        train, validation, test: Points, shape (n, D), float64, the source's units.
        train_labels, validation_labels, test_labels: A number per point for colouring, shape (n,).
        scale: What the eigenbasis divides each coordinate by, shape (D,): the training split's
            standard deviation for tables to be standardised, ones otherwise.
        provenance: Where the points come from: kind, settings, sizes, checksums, versions.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    train_labels: np.ndarray
    validation_labels: np.ndarray
    test_labels: np.ndarray
    scale: np.ndarray
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def dimension(self) -> int:
        """D, the number of coordinates."""
        return self.train.shape[1]

    def save(self, tensors: str | os.PathLike[str], description: str | os.PathLike[str]) -> None:
        """Writes the points as safetensors and how they came about as JSON."""
        save_tensors(tensors, self._tensors(), {"kind": "splits", "provenance": self.provenance})
        write_json(description, self.provenance)

    def _tensors(self) -> dict[str, np.ndarray]:
        names = [*SPLITS, *(f"{split}_labels" for split in SPLITS), "scale"]
        return {name: getattr(self, name) for name in names}


def make_splits(dataset: Mapping[str, Any]) -> Splits:
    """Draws or reads a data set and splits it; equal settings give equal splits.

    Arguments:
        dataset: Its resolved settings: `kind`, `seed`, then `sizes` (toys; with `base` and
            `dimension` if embedded) or `fractions` (digits and tables, these with what `read_table`
            takes and `standardise`).

    Raises:
        DataError: if the source is unfit, or the training split has no more rows than dimensions.
    """
    toy = find_toy(dataset)
    seed = int(dataset["seed"])
    source: dict[str, Any] = {}
    if toy is not None:
        drawn = {
            split: toy.sample(int(dataset["sizes"][split]), np.random.default_rng([seed, stream]))
            for stream, split in enumerate(SPLITS)
        }
        scale = np.ones(toy.dimension)
    else:
        table = read_digits() if dataset["kind"] == "digits" else read_table(dataset)
        drawn = _cut(table, dataset["fractions"], seed)
        scale = np.ones(len(table.columns))
        if dataset.get("standardise", False):
            scale = drawn["train"][0].std(axis=0, ddof=1)
        if table.path is not None:
            source = {"source_sha256": sha256_of(table.path), "columns": list(table.columns)}
    points = {split: drawn[split][0] for split in SPLITS}
    labels = {f"{split}_labels": drawn[split][1] for split in SPLITS}
    provenance = {
        "settings": json.loads(json.dumps(dict(dataset))),
        **source,
        "dimension": int(points["train"].shape[1]),
        "sizes": {split: len(points[split]) for split in SPLITS},
        "sha256": {name: sha256_of_array(array) for name, array in (points | labels).items()},
        "versions": _versions(dataset["kind"]),
    }
    return Splits(**points, **labels, scale=scale, provenance=provenance)


def load_splits(path: str | os.PathLike[str]) -> Splits:
    """Reads what `Splits.save` wrote; `ArtifactError` if missing, altered or no splits."""
    tensors, metadata = load_tensors(path, kind="splits")
    expected = {*SPLITS, *(f"{split}_labels" for split in SPLITS), "scale"}
    if set(tensors) != expected:
        raise ArtifactError(
            str(path),
            f"the tensors {', '.join(sorted(expected))}",
            ", ".join(sorted(tensors)) or "none",
            "delete the file and run the workflow again: it makes the file anew.",
        )
    return Splits(**tensors, provenance=metadata["provenance"])


def _cut(table: Table, fractions: Mapping[str, float], seed: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    n, dimension = table.points.shape
    order = np.random.default_rng([seed, _SHUFFLE_STREAM]).permutation(n)
    validation, test = (round(fractions[split] * n) for split in ("validation", "test"))
    train = n - validation - test
    where = str(table.path or "digits")
    for name, size, least in (
        ("train", train, dimension + 1),
        ("validation", validation, _LEAST_ROWS),
        ("test", test, _LEAST_ROWS),
    ):
        if size < least:
            raise DataError(
                f"{where}, {name} split",
                f"at least {least} rows (D = {dimension})",
                f"{size} of {n}",
                "add rows, choose fewer columns, or change `fractions`.",
            )
    parts = np.split(order, [train, train + validation])
    if table.path is not None:
        require_varying(f"{where}, train split", table.points[parts[0]], table.columns)
    return {split: (table.points[rows], table.labels[rows]) for split, rows in zip(SPLITS, parts, strict=True)}


def _versions(kind: str) -> dict[str, str]:
    from importlib.metadata import version

    packages = {
        "digits": ("numpy", "scikit-learn"),
        "csv": ("numpy", "pandas"),
        "parquet": ("numpy", "pyarrow"),
    }
    return {name: version(name) for name in packages.get(kind, ("numpy",))}
