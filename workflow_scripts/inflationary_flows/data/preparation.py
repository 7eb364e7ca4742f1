"""Splits of a data set: toys are drawn independently for each, finite sets shuffled once and cut.

Toys are drawn from streams of random numbers of their own, so that the size of one split does not change another.
Images whose source sets a test part aside keep it, unless `fractions` ask for a cut of everything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from inflationary_flows.data.cuts import LEAST_ROWS, SHUFFLE_STREAM, groups_of_copies, require_rows, shuffled
from inflationary_flows.data.image_source import ImageSource
from inflationary_flows.data.images import read_images
from inflationary_flows.data.oracles import find_toy
from inflationary_flows.data.pixels import Pixels, find_image_format
from inflationary_flows.data.splits import SPLITS, Splits
from inflationary_flows.data.tables import Table, read_table, require_varying
from inflationary_flows.errors import DataError
from inflationary_flows.files.files import sha256_of
from inflationary_flows.files.tensors import sha256_of_array

_TEST_STREAM = 6

# Points and a label of each.
Part = tuple[np.ndarray, np.ndarray]


def make_splits(dataset: Mapping[str, Any]) -> Splits:
    """Draws or reads a data set and splits it; equal settings give equal splits.

    Arguments:
        dataset: Its resolved settings: `kind`, `seed`, then `sizes` (toys; with `base` and
            `dimension` if embedded), `fractions` (tables, with what `read_table` takes, `standardise` and
            `keep_copies_together`), or what `read_images` takes with `fractions` or `validation_share`.

    Raises:
        DataError: if the source is unfit, or a split has too few rows.
    """
    if find_image_format(dataset) is not None:
        return _image_splits(dataset)
    toy = find_toy(dataset)
    seed = int(dataset["seed"])
    source: dict[str, Any] = {}
    rows = None
    if toy is not None:
        drawn = {
            split: toy.sample(int(dataset["sizes"][split]), np.random.default_rng([seed, stream]))
            for stream, split in enumerate(SPLITS)
        }
        scale = np.ones(toy.dimension)
    else:
        table = read_table(dataset)
        rows = table.rows
        drawn, found = _cut_table(table, dataset["fractions"], seed, dataset.get("keep_copies_together", False))
        scale = np.ones(len(table.columns))
        if dataset.get("standardise", False):
            scale = drawn["train"][0].std(axis=0, ddof=1)
        source = {
            "source_sha256": sha256_of(table.path),
            "columns": list(table.columns),
            "table": {**table.record, **found},
        }
    return Splits(**_named(drawn), scale=scale, provenance=_provenance(dataset, drawn, source), rows=rows)


def _image_splits(dataset: Mapping[str, Any]) -> Splits:
    source = read_images(dataset)
    drawn = _cut_images(source, dataset)
    image = source.image
    record = {**source.record, "image": image.describe(), "order": "shuffled with the seed"}
    tensors: dict[str, Any] = {
        name: Pixels(array, image) if name in SPLITS else array for name, array in _named(drawn).items()
    }
    return Splits(
        **tensors,
        scale=np.ones(image.dimension),
        provenance=_provenance(dataset, drawn, record),
        image=image,
    )


def _named(drawn: Mapping[str, Part]) -> dict[str, Any]:
    """The tensors of the splits by name."""
    return {split: drawn[split][0] for split in SPLITS} | {f"{split}_labels": drawn[split][1] for split in SPLITS}


def _provenance(dataset: Mapping[str, Any], drawn: Mapping[str, Part], source: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "settings": json.loads(json.dumps(dict(dataset))),
        **source,
        "dimension": int(drawn["train"][0].shape[1]),
        "sizes": {split: len(drawn[split][0]) for split in SPLITS},
        "sha256": {name: sha256_of_array(array) for name, array in _named(drawn).items()},
        "versions": _versions(dataset["kind"]),
    }


def warnings_of(record: Mapping[str, Any]) -> list[str]:
    """Warnings from the provenance of splits: of the source; of a table, copies of rows and columns that count."""
    table = record.get("table", {})
    warnings = list(record.get("warnings", []))
    if table.get("duplicates"):
        across = table["rows_copied_across"]
        advice = " With `keep_copies_together: true` copies come into one split." if across else ""
        warnings.append(
            f"{table['duplicates']} of {table['rows']} rows are exact copies of earlier ones, and {across} rows have a "
            f"copy in another split.{advice}"
        )
    warnings += [
        f'column "{name}" counts the rows and is trained on: list the others in `columns` if it is an index.'
        for name in table.get("counting_columns", [])
    ]
    if table.get("rows_with_holes"):
        warnings.append(
            f"{table['rows_with_holes']} of {table['rows']} rows have holes, which are imputed; "
            f"{record['sizes']['train']} of the others are trained on, which is right if holes come by chance."
        )
    if rows := table.get("summary_rows"):
        listed = f"{', '.join(map(str, rows[:5]))}{', ...' if len(rows) > 5 else ''}"
        warnings.append(
            f"rows called a total, mean or the like are data points: drop them if they sum up others ({listed})."
        )
    return warnings


def _cut_table(
    table: Table, fractions: Mapping[str, float], seed: int, together: bool
) -> tuple[dict[str, Part], dict[str, Any]]:
    """Splits of a table; how many rows are copies of earlier ones, or of rows of another split; columns that count."""
    where = str(table.path)
    n, dimension = table.points.shape
    groups = groups_of_copies(table.points)
    parts = shuffled(groups if together else np.arange(n), fractions, seed)
    hint = f"add rows, choose fewer columns (now D = {dimension}), or change `fractions`."
    if table.rows is not None:
        where += ", rows without holes"
    require_rows(where, parts, n, dimension + 1, hint)
    require_varying(f"{where}, train split", table.points[parts["train"]], table.columns)
    # Splits that each group has rows in, and the rows of groups with several.
    spread = np.stack([np.bincount(groups[rows], minlength=n) > 0 for rows in parts.values()]).sum(axis=0)
    every = table.points if table.rows is None else table.rows
    counting = (np.diff(every, axis=0) == 1).all(axis=0) & np.isin(every[0], (0, 1))
    found = {
        "duplicates": n - len(np.unique(groups)),
        "rows_copied_across": int((spread[groups] > 1).sum()),
        "counting_columns": [name for name, counts in zip(table.columns, counting, strict=True) if counts],
    }
    return {split: (table.points[rows], table.labels[rows]) for split, rows in parts.items()}, found


def _cut_images(source: ImageSource, dataset: Mapping[str, Any]) -> dict[str, Part]:
    """Splits of images: the source's own test part, or a cut of all images."""
    if set(source.parts) == set(SPLITS):
        return dict(source.parts)
    seed = int(dataset["seed"])
    if "fractions" in dataset:
        values, labels = (np.concatenate(arrays) for arrays in zip(*source.parts.values(), strict=True))
        parts = shuffled(np.arange(len(values)), dataset["fractions"], seed)
        require_rows(source.where, parts, len(values), LEAST_ROWS, "add images, or change `fractions`.")
        return {split: (values[rows], labels[rows]) for split, rows in parts.items()}
    if "test" not in source.parts:
        raise DataError(
            source.where,
            "images for testing, or `fractions` in the data set's settings",
            "images for training only",
            "give the shares of the splits, such as `fractions: {train: 0.7, validation: 0.15, test: 0.15}`.",
        )
    n, held_out = len(source.parts["train"][0]), len(source.parts["test"][0])
    order = np.random.default_rng([seed, SHUFFLE_STREAM]).permutation(n)
    validation = max(LEAST_ROWS, round(dataset["validation_share"] * n))
    rows = {
        "train": order[validation:],
        "validation": order[:validation],
        # Archives are sorted by class: the first images would be of one.
        "test": np.random.default_rng([seed, _TEST_STREAM]).permutation(held_out),
    }
    require_rows(source.where, rows, n, LEAST_ROWS, "add images, or change `validation_share`.")
    chosen = {split: source.parts["test" if split == "test" else "train"] for split in SPLITS}
    return {split: (chosen[split][0][rows[split]], chosen[split][1][rows[split]]) for split in SPLITS}


def _versions(kind: str) -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    packages = {
        "digits": ("numpy", "scikit-learn"),
        "sklearn": ("numpy", "scikit-learn"),
        "csv": ("numpy", "pyarrow"),
        "parquet": ("numpy", "pyarrow"),
        "xlsx": ("numpy", "openpyxl"),
        "afhqv2": ("numpy", "pillow"),
        "image_folder": ("numpy", "pillow"),
        "photo_patches": ("numpy", "pillow", "scikit-image"),
    }
    found: dict[str, str] = {}
    for name in packages.get(kind, ("numpy",)):
        # Text tables are read without pyarrow as well, slowly.
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
