"""Linearised posteriors as files."""

from __future__ import annotations

from dataclasses import fields

import torch

from inflationary_flows.artifacts.observations import FilePath, require_flow
from inflationary_flows.files.files import sha256_of
from inflationary_flows.files.tensors import load_tensors, save_tensors
from inflationary_flows.inference.linearised import LinearisedPosterior

_LINEARISED = "linearised posterior"


def save_linearised(path: FilePath, linearised: LinearisedPosterior, flow: FilePath) -> None:
    """Writes modes and factors."""
    tensors = {field.name: getattr(linearised, field.name) for field in fields(linearised)}
    save_tensors(path, tensors, {"kind": _LINEARISED, "flow": sha256_of(flow)})


def load_linearised(path: FilePath, flow: FilePath) -> LinearisedPosterior:
    """Reads modes and factors; ArtifactError if they belong to another flow."""
    arrays, metadata = load_tensors(path, _LINEARISED)
    require_flow(path, metadata, flow)
    return LinearisedPosterior(**{name: torch.from_numpy(array) for name, array in arrays.items()})
