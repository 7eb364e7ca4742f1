"""Sets of images in parts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from inflationary_flows.errors import ArtifactError
from inflationary_flows.files.tensors import load_tensors, save_tensors

_IMAGES = "images"
_REMAKE = "delete the file and run the workflow again"
# What all parts of one set have in common.
_COMMON = ("dataset", "schedule", "seed", "sample_seed", "levels")


def save_images(path: str | os.PathLike[str], images: np.ndarray, metadata: Mapping[str, Any]) -> None:
    """Writes one part of a set of images.

    Arguments:
        path: The file, replaced atomically.
        images: Grey levels, shape (k, C, H, W), uint8, in 0..levels.
        metadata: `dataset`, `schedule`, `seed`, `sample_seed`, `levels`, `first` (the number of the first image in the
            set), and `evaluations` (of the network, for each image).

    Raises:
        ArtifactError: if one of these is missing, or the images are no such array.
    """
    missing = [name for name in (*_COMMON, "first") if name not in metadata]
    if missing:
        raise ArtifactError(str(path), f"metadata {', '.join(missing)}", "none", "tell which images these are")
    if images.ndim != 4 or images.dtype != np.uint8 or not images.size or images.max() > metadata["levels"]:
        raise ArtifactError(
            str(path),
            f"uint8 images (k, C, H, W) of grey levels up to {metadata['levels']}",
            f"shape {images.shape} of {images.dtype}",
            "convert them with `to_levels` of the image format",
        )
    save_tensors(path, {"images": images}, {**metadata, "kind": _IMAGES})


def load_images(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Reads all parts of a set of images.

    Arguments:
        paths: The files, in any order.

    Returns:
        Grey levels, shape (n, C, H, W), uint8, and the metadata of the parts, both in the order of `first`.

    Raises:
        ArtifactError: if a file is damaged or of another kind, parts overlap or leave a gap, or do not belong
            together.
    """
    listed = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if not listed:
        raise ArtifactError("images", "at least one file", "none", "generate the images first")
    parts = []
    for path in listed:
        arrays, metadata = load_tensors(path, _IMAGES)
        images = arrays.get("images")
        missing = [name for name in (*_COMMON, "first") if name not in metadata]
        if images is None or images.ndim != 4 or images.dtype != np.uint8 or missing:
            raise ArtifactError(str(path), "a part of a set of images", "another file of that kind", _REMAKE)
        parts.append((int(metadata["first"]), str(path), images, metadata))
    parts.sort(key=lambda part: part[:2])
    _require_whole(parts)
    return np.concatenate([images for _, _, images, _ in parts]), [metadata for *_, metadata in parts]


def _require_whole(parts: Sequence[tuple[int, str, np.ndarray, dict[str, Any]]]) -> None:
    """ArtifactError unless each part starts where the one before ends, and all are of one set."""
    _, _, example, common = parts[0]
    following = 0
    for first, path, images, metadata in parts:
        if first != following:
            raise ArtifactError(
                path,
                f"a part that begins with image {following}",
                f"one that begins with image {first}",
                "a part is missing" if first > following else "two parts hold the same images; list each once",
            )
        for name in _COMMON:
            if metadata[name] != common[name]:
                raise ArtifactError(
                    path, f"{name} {common[name]}, as in the other parts", str(metadata[name]), "list parts of one set"
                )
        if images.shape[1:] != example.shape[1:]:
            raise ArtifactError(
                path, f"images of shape {example.shape[1:]}", str(images.shape[1:]), "list parts of one set"
            )
        following += len(images)


def evaluations_of(parts: Sequence[Mapping[str, Any]]) -> int | None:
    """Network evaluations for each image: the most of all parts; None if a part does not say."""
    counts = [part.get("evaluations") for part in parts]
    return max(int(count) for count in counts if count is not None) if None not in counts else None
