"""Distances between sets of images, by the features that an extractor reads from them.

The Frechet distance compares two sets as if their features were Gaussian; of Inception features it is the FID of
Heusel et al. (2017).  torch-fidelity also computes the kernel distance (KID, Binkowski et al.,
2018), whose expectation does not depend on the number of images, and precision and recall (Kynkaanniemi et al.,
2019).  `moments` takes the Frechet step in float64; the protocol also has torch-fidelity's value.

The Frechet distance of few images is too large, by about a constant over their number n.  Sets of different n are
therefore compared twice: whole, and in disjoint parts of equal n.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from inflationary_flows.errors import ArtifactError, DataError
from inflationary_flows.extras import needs
from inflationary_flows.metrics.features import UINT8_RULE, Extractor, ExtractorIdentity
from inflationary_flows.metrics.moments import Moments, frechet_distance
from inflationary_flows.progress import tracked
from inflationary_flows.seeding import derive_seed

FRECHET_COLUMNS = ("extractor", "metric", "part", "value", "se", "n", "parts")
# What a value is of: the whole set, or the mean of parts that have as many images in all sets of a table.
WHOLE, EQUAL = "whole", "equal"

LEAST_IMAGES = 2
FEATURE_BATCH = 64
FEATURE_SAMPLES = 10_000
KID_SUBSETS, KID_SUBSET_SIZE = 100, 1_000
NEIGHBOURS = 3
# Parts of equal n that are averaged, at most: a Frechet step of 2,048 features takes seconds.
MOST_PARTS = 8
# Distances of so many features to all others are in memory at once.
_NEIGHBOUR_BATCH = 1_000


@dataclass(frozen=True, eq=False)
class FeatureStatistics:
    """Statistics of a set of images.

    Attributes:
        mean, covariance: Of the features, shapes (d,) and (d, d), float64.
        n: Number of images.
        rows: Features of some of the images, chosen at random, shape (k, d), float32.
        identity: The extractor.
    """

    mean: np.ndarray
    covariance: np.ndarray
    n: int
    rows: np.ndarray
    identity: ExtractorIdentity


@dataclass(frozen=True)
class Comparison:
    """A set of images against a reference.

    Attributes:
        frechet: Squared Frechet distance, float64 step.
        frechet_torch_fidelity: The same from the same moments by torch-fidelity.
        kid, kid_std: Kernel distance squared, mean and standard deviation over subsets.
        precision: Share of the set near the reference; recall: share of the reference near the set.
        n, n_reference: Numbers of images.
        rows, rows_reference: Numbers of features for kernel distance, precision and recall.
        identity: The extractor.
        parts: Disjoint parts of the set, of equal n, against the same reference.
    """

    frechet: float
    frechet_torch_fidelity: float
    kid: float
    kid_std: float
    precision: float
    recall: float
    n: int
    n_reference: int
    rows: int
    rows_reference: int
    identity: ExtractorIdentity
    parts: tuple[Comparison, ...] = ()

    def table(self) -> list[dict[str, Any]]:
        """Rows of `FRECHET_COLUMNS`: of the whole set, and means over its parts of equal n with their standard error.

        n is the number of images that a value, or each of those averaged, comes from.
        """
        return [*_rows(WHOLE, [self]), *(_rows(EQUAL, self.parts) if self.parts else [])]

    def protocol(self, **where: Any) -> dict[str, Any]:
        """Provenance of the numbers, as plain values; `where` is added."""
        return {
            **where,
            **describe(self.identity),
            "n": self.n,
            "n_reference": self.n_reference,
            "frechet": {
                "metric": self.identity.metric,
                "moments": "float64, unbiased covariance",
                "step": "float64, singular values of the product of both roots",
                "value": self.frechet,
                "value_of_torch_fidelity": self.frechet_torch_fidelity,
            },
            "kid": {
                "kernel": "(x y / d + 1)^3",
                "subsets": KID_SUBSETS,
                "subset_size": kid_subset_size(self.rows, self.rows_reference),
                "seed": kid_seed(),
                "standard_deviation": self.kid_std,
                "features": self.rows,
                "features_of_reference": self.rows_reference,
            },
            "precision_recall": {
                "neighbours": neighbours(self.rows, self.rows_reference),
                "features": self.rows,
                "features_of_reference": self.rows_reference,
            },
        }


def _rows(part: str, comparisons: Sequence[Comparison]) -> list[dict[str, Any]]:
    first, rows = comparisons[0], []
    for metric, field in (
        (first.identity.metric, "frechet"),
        *((name, name) for name in ("kid", "precision", "recall")),
    ):
        values = np.array([getattr(each, field) for each in comparisons])
        rows.append(
            {
                "extractor": first.identity.extractor,
                "metric": metric,
                "part": part,
                "value": float(values.mean()),
                "se": float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None,
                "n": first.n if field == "frechet" else first.rows,
                "parts": len(values),
            }
        )
    return rows


def describe(identity: ExtractorIdentity) -> dict[str, Any]:
    """Common entries of all protocols: the extractor, its input, the version of torch-fidelity."""
    return {
        **identity.as_dict(),
        "uint8_rule": UINT8_RULE,
        "versions": {name: version(name) for name in ("numpy", "torch", "torch-fidelity")},
    }


def fit_statistics(
    images: np.ndarray,
    levels: int,
    extractor: Extractor,
    *,
    batch_size: int = FEATURE_BATCH,
    feature_samples: int = FEATURE_SAMPLES,
    seed: int = 0,
) -> FeatureStatistics:
    """Reads features of all images, batch by batch, and keeps their moments and some of them.

    Arguments:
        images: Grey levels, shape (n, C, H, W), uint8, n at least 2.
        levels: The highest grey level.
        extractor: The extractor.
        batch_size: Images that are in the network at once; changes rounding only.
        feature_samples: Largest number of features to keep, of images chosen without regard to their order.
        seed: Seed of that choice.

    Raises:
        DataError: if there are fewer than two images, they do not fit the extractor, or a feature is not finite.
    """
    n = len(images)
    if n < LEAST_IMAGES:
        raise DataError(
            "images",
            f"at least {LEAST_IMAGES} images, for a covariance",
            str(n),
            "generate more samples, or take a larger split",
        )
    chosen = np.zeros(n, dtype=bool)
    random = np.random.default_rng(derive_seed("kept features", seed))
    chosen[random.choice(n, min(n, max(feature_samples, LEAST_IMAGES)), replace=False)] = True
    moments, rows = None, []
    for first in tracked(range(0, n, batch_size), "features", unit="batch"):
        batch = slice(first, first + batch_size)
        features = extractor(images[batch], levels)
        if not np.isfinite(features).all():
            raise DataError(
                "features",
                "finite numbers",
                f"others among images {first} to {first + len(features) - 1}",
                "check the weights of the extractor",
            )
        moments = moments or Moments(features.shape[1])
        moments.add(features)
        rows.append(features[chosen[batch]])
    assert moments is not None
    return FeatureStatistics(moments.mean, moments.covariance, n, np.concatenate(rows), extractor.identity)


def parts_of(statistics: FeatureStatistics, n: int) -> list[FeatureStatistics]:
    """Statistics of disjoint parts of a set, of n of its kept features each; none if there are fewer than n."""
    count = min(len(statistics.rows) // n, MOST_PARTS)
    parts = []
    for rows in np.split(statistics.rows[: count * n], count) if count else ():
        moments = Moments(rows.shape[1])
        moments.add(rows)
        parts.append(FeatureStatistics(moments.mean, moments.covariance, n, rows, statistics.identity))
    return parts


def kid_subset_size(rows: int, rows_reference: int) -> int:
    """Features in a subset of the kernel distance: 1,000, or all where there are fewer."""
    return min(KID_SUBSET_SIZE, rows, rows_reference)


def kid_seed() -> int:
    """Seed of the subsets."""
    return derive_seed("kid subsets") % 2**32


def neighbours(rows: int, rows_reference: int) -> int:
    """Neighbours that span the ball around a feature: 3, or all where there are fewer."""
    return min(NEIGHBOURS, rows - 1, rows_reference - 1)


def compare(statistics: FeatureStatistics, reference: FeatureStatistics) -> Comparison:
    """Compares the features of a set of images with those of a reference.

    Arguments:
        statistics: Of the set, such as generated images.
        reference: Of data.

    Raises:
        ArtifactError: if the two come from different extractors, weights or layers.
    """
    with needs("Frechet distances", "images"):
        from torch_fidelity import metric_fid, metric_kid, metric_prc

    require_same_extractor(statistics.identity, reference.identity)
    theirs = metric_fid.fid_statistics_to_metric(
        {"mu": statistics.mean, "sigma": statistics.covariance},
        {"mu": reference.mean, "sigma": reference.covariance},
        verbose=False,
    )
    rows, rows_reference = len(statistics.rows), len(reference.rows)
    features = [torch.from_numpy(each.rows.astype(np.float64)) for each in (statistics, reference)]
    kid = metric_kid.kid_features_to_metric(
        *features,
        kid_subsets=KID_SUBSETS,
        kid_subset_size=kid_subset_size(rows, rows_reference),
        rng_seed=kid_seed(),
        verbose=False,
    )
    shares = metric_prc.prc_features_to_metric(
        *features,
        prc_neighborhood=neighbours(rows, rows_reference),
        prc_batch_size=_NEIGHBOUR_BATCH,
        save_cpu_ram=True,
        verbose=False,
    )
    return Comparison(
        frechet=_frechet(statistics, reference),
        frechet_torch_fidelity=theirs[metric_fid.KEY_METRIC_FID],
        kid=kid[metric_kid.KEY_METRIC_KID_MEAN],
        kid_std=kid[metric_kid.KEY_METRIC_KID_STD],
        precision=shares[metric_prc.KEY_METRIC_PRECISION],
        recall=shares[metric_prc.KEY_METRIC_RECALL],
        n=statistics.n,
        n_reference=reference.n,
        rows=rows,
        rows_reference=rows_reference,
        identity=statistics.identity,
    )


def measure_features(
    images: np.ndarray,
    levels: int,
    reference: FeatureStatistics,
    extractor: Extractor,
    *,
    batch_size: int = FEATURE_BATCH,
    feature_samples: int = FEATURE_SAMPLES,
) -> list[dict[str, Any]]:
    """Measures images against a reference.

    Arguments:
        images: Grey levels, shape (n, C, H, W), uint8, n at least 2.
        levels: The highest grey level.
        reference: Statistics of data by the same extractor.
        extractor: The extractor.
        batch_size: Images that are in the network at once.
        feature_samples: Largest number of images for kernel distance, precision and recall.

    Returns:
        Rows of `FRECHET_COLUMNS`: the Frechet distance under the extractor's name for it, kid, precision, recall.

    Raises:
        DataError: if images are too few or do not fit the extractor.
        ArtifactError: if the reference is another extractor's.
    """
    require_same_extractor(extractor.identity, reference.identity)
    statistics = fit_statistics(images, levels, extractor, batch_size=batch_size, feature_samples=feature_samples)
    return compare(statistics, reference).table()


def frechet_of(
    images: np.ndarray,
    levels: int,
    reference: FeatureStatistics,
    extractor: Extractor,
    *,
    batch_size: int = FEATURE_BATCH,
) -> float:
    """The Frechet distance of images from a reference alone; arguments and errors as in `measure_features`."""
    require_same_extractor(extractor.identity, reference.identity)
    return _frechet(fit_statistics(images, levels, extractor, batch_size=batch_size, feature_samples=0), reference)


def require_same_extractor(found: ExtractorIdentity, reference: ExtractorIdentity) -> None:
    """ArtifactError if a reference is of another extractor, other weights or another layer."""
    if found != reference:
        raise ArtifactError(
            "reference statistics",
            f"those of {_written(found)}",
            f"those of {_written(reference)}",
            "make the reference with this extractor: numbers of two extractors cannot be compared",
        )


def _written(identity: ExtractorIdentity) -> str:
    return f"{identity.extractor} {identity.sha256[:12]}, layer {identity.layer}"


def _frechet(statistics: FeatureStatistics, reference: FeatureStatistics) -> float:
    return frechet_distance(statistics.mean, statistics.covariance, reference.mean, reference.covariance)
