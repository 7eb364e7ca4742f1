"""Training, validation and test points of a data set, as the workflow keeps them.

Points keep the units of their source; `scale` is what the eigenbasis divides by. Images are kept as grey levels, once,
and are read by memory map.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from inflationary_flows.data.pixels import ImageFormat, Pixels
from inflationary_flows.errors import ArtifactError
from inflationary_flows.files.files import write_json
from inflationary_flows.files.tensors import map_tensors, save_tensors
from inflationary_flows.mathematics.column_kinds import COLUMN_KINDS

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Splits:
    """The three splits of one data set.

    Attributes:
        train, validation, test: Points, shape (n, D), float64, the source's units; of images, grey
            levels that index and convert as such points.
        train_labels, validation_labels, test_labels: A number per point for colouring, shape (n,).
        scale: What the eigenbasis divides each coordinate by, shape (D,): the training split's
            standard deviation for tables to be standardised, ones otherwise. Of transformed columns it has another.
        provenance: Origin of the points: kind, settings, sizes, checksums, versions.
        image: Format of the images; None for toys and tables.
        rows: Of a table whose holes are imputed, all rows in the order of the file, NaN in holes.
    """

    train: np.ndarray | Pixels
    validation: np.ndarray | Pixels
    test: np.ndarray | Pixels
    train_labels: np.ndarray
    validation_labels: np.ndarray
    test_labels: np.ndarray
    scale: np.ndarray
    provenance: dict[str, Any] = field(default_factory=dict)
    image: ImageFormat | None = None
    rows: np.ndarray | None = None

    @property
    def dimension(self) -> int:
        """D, the number of coordinates."""
        return self.train.shape[1]

    @property
    def columns(self) -> list[str]:
        """Names of the D coordinates, if they have names."""
        return list(self.provenance.get("columns", ()))

    @property
    def column_kinds(self) -> dict[str, Any]:
        """Columns that are `positive`, `bounded` or `integer`, as in the configuration; none if all are real."""
        record = self.provenance.get("table", {})
        return {key: record[key] for key in COLUMN_KINDS if key in record}

    def save(self, tensors: str | os.PathLike[str], description: str | os.PathLike[str]) -> None:
        """Writes the points as safetensors and their provenance as JSON."""
        metadata = {"kind": "splits", "provenance": self.provenance}
        if self.image is not None:
            metadata["image"] = self.image.describe()
        save_tensors(tensors, self._tensors(), metadata)
        write_json(description, self.provenance)

    def _tensors(self) -> dict[str, np.ndarray]:
        names = [*SPLITS, *(f"{split}_labels" for split in SPLITS), "scale"]
        tensors = {name: getattr(self, name) for name in names}
        if self.rows is not None:
            # Stored tensors are finite.
            holes = np.isnan(self.rows)
            tensors |= {"rows": np.where(holes, 0.0, self.rows), "holes": holes.astype(np.uint8)}
        return {name: array.values if isinstance(array, Pixels) else array for name, array in tensors.items()}


def load_splits(path: str | os.PathLike[str]) -> Splits:
    """Reads what `Splits.save` wrote; `ArtifactError` if the file is missing, altered or holds no splits."""
    tensors, metadata = map_tensors(path, kind="splits", finite=True)
    expected = {*SPLITS, *(f"{split}_labels" for split in SPLITS), "scale"}
    if set(tensors) - {"rows", "holes"} != expected or len(tensors) == len(expected) + 1:
        raise ArtifactError(
            str(path),
            f"the tensors {', '.join(sorted(expected))}",
            ", ".join(sorted(tensors)) or "none",
            "delete the file and run the workflow again.",
        )
    if "image" not in metadata:
        # The caller's own, writable: only images are large.
        own: dict[str, Any] = {name: np.array(array) for name, array in tensors.items()}
        if "holes" in own:
            own["rows"][own.pop("holes").astype(bool)] = np.nan
        return Splits(**own, provenance=metadata["provenance"])
    image = ImageFormat(**metadata["image"])
    whole: dict[str, Any] = {
        name: Pixels(array, image) if name in SPLITS else np.array(array) for name, array in tensors.items()
    }
    return Splits(**whole, provenance=metadata["provenance"], image=image)
