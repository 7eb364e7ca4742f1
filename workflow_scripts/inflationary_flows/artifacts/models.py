"""Trained models of any method as files: safetensors with a description in JSON, no pickle.

The file says which method made it; the method's module says what is in it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inflationary_flows.artifacts.networks import UNFIT
from inflationary_flows.baselines.discovery import load_method
from inflationary_flows.baselines.method import Model
from inflationary_flows.errors import ArtifactError, InflationaryFlowsError, PackageError
from inflationary_flows.files.tensors import load_tensors, save_tensors

_FILE = "model.safetensors"
_REMAKE = "the file was written by another version of the library; delete it and run the workflow again"


def save_model(path: str | os.PathLike[str], kind: str, model: Model, provenance: Mapping[str, Any]) -> None:
    """Writes a trained model.

    Arguments:
        path: File.
        kind: Its method: a module of `baselines.methods`.
        model: What the method's `fit` returned.
        provenance: Recorded with it: seed, digest of the training run, ...

    Raises:
        ConfigError: if there is no such method.
    """
    tensors, metadata = load_method(kind).pack(model)
    noted = {**dict(metadata.get("provenance", {})), **provenance}
    save_tensors(path, tensors, {"kind": "model", **metadata, "method": kind, "provenance": noted})


def load_model(path: str | os.PathLike[str]) -> Model:
    """Reads a model of any method.

    Arguments:
        path: File of `save_model`, or the folder that holds `model.safetensors`.

    Raises:
        ArtifactError: if the file is missing, truncated, altered, or not a model of a known method.
    """
    file = Path(path) / _FILE if Path(path).is_dir() else Path(path)
    arrays, metadata = load_tensors(file, finite=True)
    if "method" not in metadata:
        raise ArtifactError(
            str(file), "a model of a method", f"kind {metadata.get('kind')!r}", "give the path of a model.safetensors"
        )
    try:
        return load_method(metadata["method"]).unpack(arrays, metadata)
    except PackageError:
        raise
    except (*UNFIT, InflationaryFlowsError) as problem:
        expected = f"weights that fit the method {metadata['method']}"
        raise ArtifactError(str(file), expected, " ".join(str(problem).split())[:200], _REMAKE) from problem
