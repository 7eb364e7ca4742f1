"""Trained networks and flows as files: safetensors with a description in JSON, no pickle.

A network file holds what training made: weights, how schedule and architecture were set, and which eigenbasis it
belongs to, whose matrix is large for images and has a file of its own.  A flow file is all that a user needs to inflate
and generate, the eigenbasis included.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from inflationary_flows.errors import ArtifactError, InflationaryFlowsError
from inflationary_flows.files.tensors import load_tensors, save_tensors, sha256_of_array
from inflationary_flows.mathematics.denoisers import NetworkDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.training.content import (
    BASIS_NAMES,
    basis_from,
    basis_tensors,
    denoiser_from,
    flow_content,
    flow_from,
)

_NETWORK = "network"
_FLOW = "flow"
_BASIS = "eigenbasis"


def save_basis(path: Path, basis: Eigenbasis) -> None:
    """Writes an eigenbasis."""
    save_tensors(path, basis_tensors(basis), {"kind": _BASIS, "dimension": basis.dimension})


def basis_fingerprint(basis: Eigenbasis) -> str:
    """Names an eigenbasis by the sha256 of its numbers."""
    parts = [sha256_of_array(tensor.numpy()) for _, tensor in sorted(basis_tensors(basis.to("cpu")).items())]
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def load_basis(path: Path) -> Eigenbasis:
    """Reads an eigenbasis; ArtifactError if the file is damaged or of another kind."""
    arrays, _ = load_tensors(path, _BASIS)
    return _basis(path, arrays, "")


def _basis(path: Path, arrays: dict[str, np.ndarray], prefix: str) -> Eigenbasis:
    missing = [name for name in BASIS_NAMES if prefix + name not in arrays]
    if missing:
        raise ArtifactError(
            str(path),
            "an eigenbasis",
            f"a file without {', '.join(missing)}",
            "delete the file and run the workflow again",
        )
    return basis_from(arrays, prefix)


def save_network(
    path: Path,
    denoiser: NetworkDenoiser,
    schedule_settings: dict[str, Any],
    network_settings: dict[str, Any],
    provenance: dict[str, Any],
) -> None:
    """Writes a trained network.

    Arguments:
        path: File.
        denoiser: Network, schedule and eigenbasis.
        schedule_settings: Arguments of `make_schedule`.
        network_settings: Arguments of `build_network`.
        provenance: What else to note: seed, digest of the training run, ...
    """
    tensors = {f"network.{k}": v for k, v in denoiser.network.state_dict().items()}
    metadata = {
        "kind": _NETWORK,
        "eigenbasis": basis_fingerprint(denoiser.basis),
        "schedule": schedule_settings,
        "network": network_settings,
        "provenance": provenance,
    }
    save_tensors(path, tensors, metadata)


@contextmanager
def _fitting(path: Path) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, RuntimeError, InflationaryFlowsError) as problem:
        raise ArtifactError(
            str(path),
            "weights that fit the architecture the file describes",
            " ".join(str(problem).split())[:200],
            "the file was written by another version of the library; delete it and run the workflow again",
        ) from problem


def load_network(path: Path, basis: Eigenbasis) -> tuple[NetworkDenoiser, dict[str, Any]]:
    """Reads a trained network.

    Arguments:
        path: File of `save_network`.
        basis: The eigenbasis that it was trained in.

    Returns:
        The denoiser, in evaluation mode, and the file's metadata.

    Raises:
        ArtifactError: if the file is missing, truncated, altered, or not a network, or of another eigenbasis.
    """
    arrays, metadata = load_tensors(path, _NETWORK)
    found = basis_fingerprint(basis)
    if metadata.get("eigenbasis") != found:
        raise ArtifactError(
            str(path),
            f"a network trained in the eigenbasis {found[:12]}",
            f"one of {str(metadata.get('eigenbasis'))[:12]}",
            "delete the network and run the workflow again: the data have changed since it was trained",
        )
    with _fitting(path):
        return denoiser_from(arrays, metadata, basis), metadata


def save_flow(path: Path, flow: Flow, network_metadata: dict[str, Any]) -> None:
    """Writes a flow.

    Arguments:
        path: File, usually `flow.safetensors`.
        flow: A flow whose denoiser is a trained network.
        network_metadata: Metadata that `load_network` gave.

    Raises:
        ArtifactError: if the denoiser is not a network.
    """
    if not isinstance(flow.denoiser, NetworkDenoiser):
        raise ArtifactError(
            str(path),
            "a flow with a trained network",
            type(flow.denoiser).__name__,
            "exact denoisers are made from data, not saved",
        )
    tensors, metadata = flow_content(flow, network_metadata)
    save_tensors(path, tensors, {**metadata, "kind": _FLOW})


def load_flow(path: Path) -> Flow:
    """Reads a flow.

    Arguments:
        path: File of `save_flow`, or the folder that holds `flow.safetensors`.

    Raises:
        ArtifactError: if the file is missing, truncated, altered, or not a flow.
    """
    file = path / "flow.safetensors" if path.is_dir() else path
    arrays, metadata = load_tensors(file, _FLOW)
    # Said more plainly than a missing key would be.
    _basis(file, arrays, "eigenbasis.")
    with _fitting(file):
        return flow_from(arrays, metadata)
