"""Trained classifiers of digits as files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch

from inflationary_flows.artifacts.networks import UNFIT
from inflationary_flows.errors import ArtifactError, InflationaryFlowsError, shorten
from inflationary_flows.files.files import REMAKE
from inflationary_flows.files.tensors import load_tensors, save_tensors
from inflationary_flows.networks.digits_classifier import DigitsClassifier

_CLASSIFIER = "digits_classifier"


def save_classifier(path: str | os.PathLike[str], network: DigitsClassifier, provenance: Mapping[str, Any]) -> None:
    """Writes a trained classifier of digits; `provenance` is recorded with it."""
    metadata = {"kind": _CLASSIFIER, "network": network.settings, "provenance": dict(provenance)}
    save_tensors(path, network.state_dict(), metadata)


def load_classifier(path: str | os.PathLike[str]) -> DigitsClassifier:
    """Reads what `save_classifier` wrote; ArtifactError if the file is of another kind."""
    arrays, metadata = load_tensors(path, _CLASSIFIER, finite=True)
    try:
        network = DigitsClassifier(**metadata["network"])
        network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    except (*UNFIT, InflationaryFlowsError) as problem:
        raise ArtifactError(str(path), "a classifier of digits", shorten(str(problem)), REMAKE) from problem
    return network.eval()
