"""Laplace approximations as files."""

from __future__ import annotations

from dataclasses import fields

import torch

from inflationary_flows.artifacts.observations import FilePath, require_flow
from inflationary_flows.files.files import sha256_of
from inflationary_flows.files.tensors import load_tensors, save_tensors
from inflationary_flows.inference.laplace import LaplaceApproximation

_KIND = "Laplace approximation"


def save_laplace(path: FilePath, approximation: LaplaceApproximation, flow: FilePath) -> None:
    """Writes modes and factors."""
    tensors = {field.name: getattr(approximation, field.name) for field in fields(approximation)}
    save_tensors(path, tensors, {"kind": _KIND, "flow": sha256_of(flow)})


def load_laplace(path: FilePath, flow: FilePath) -> LaplaceApproximation:
    """Reads modes and factors; ArtifactError if they belong to another flow."""
    arrays, metadata = load_tensors(path, _KIND)
    require_flow(path, metadata, flow)
    return LaplaceApproximation(**{name: torch.from_numpy(array) for name, array in arrays.items()})
