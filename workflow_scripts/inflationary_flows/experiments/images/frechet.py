"""Sets of generated images against the reference of their data set, with the protocol of each comparison."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from inflationary_flows.metrics.features import Extractor
from inflationary_flows.metrics.frechet import (
    Comparison,
    FeatureStatistics,
    compare,
    fit_statistics,
    parts_of,
    require_same_extractor,
)


@dataclass(frozen=True, eq=False)
class ImageSet:
    """A set of images to compare.

    Attributes:
        images: Grey levels, shape (n, C, H, W), uint8.
        levels: The highest grey level.
        evaluations: Network evaluations for each image, if known.
        where: What the protocol says of the set first.
    """

    images: np.ndarray
    levels: int
    evaluations: int | None
    where: Mapping[str, Any]


def compare_sets(
    sets: Iterable[ImageSet],
    extractor: Extractor,
    reference: FeatureStatistics,
    *,
    feature_samples: int,
    split: str,
    reference_sha256: str,
    equal_n: int | None = None,
) -> tuple[list[Comparison], list[dict[str, Any]]]:
    """Compares sets of images with a reference; one set is in memory at a time if `sets` makes them one by one.

    Arguments:
        sets: The sets.
        extractor: Reads features.
        reference: Statistics of real images by the same extractor.
        feature_samples: Largest number of images for kernel distance, precision and recall.
        split: Split that the reference was made from.
        reference_sha256: Digest of its file.
        equal_n: Images in each of the disjoint parts that are compared as well, `feature_samples` at most; none for
            whole sets alone.

    Returns:
        A comparison and its protocol for each set.

    Raises:
        ArtifactError: if the reference is another extractor's.
        DataError: if images are too few or do not fit the extractor.
    """
    require_same_extractor(extractor.identity, reference.identity)
    comparisons, protocols = [], []
    for each in sets:
        statistics = fit_statistics(each.images, each.levels, extractor, feature_samples=feature_samples)
        parts = parts_of(statistics, min(equal_n, feature_samples)) if equal_n else []
        of_parts = tuple(compare(part, reference) for part in parts)
        comparisons.append(replace(compare(statistics, reference), parts=of_parts))
        protocol = comparisons[-1].protocol(
            **each.where,
            split=split,
            reference_sha256=reference_sha256,
            shape=list(each.images.shape[1:]),
            levels=each.levels,
            evaluations=each.evaluations,
        )
        protocols.append(protocol)
    return comparisons, protocols
