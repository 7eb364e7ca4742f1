"""Trained networks as files: safetensors with a description in JSON, no pickle.

A file holds the weights, the settings of schedule and architecture, and the fingerprint of the eigenbasis. The
eigenbasis has a file of its own, because its matrix is large for images.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from inflationary_flows.artifacts.bases import basis_fingerprint
from inflationary_flows.errors import ArtifactError, InflationaryFlowsError, PackageError
from inflationary_flows.files.tensors import load_tensors, save_tensors
from inflationary_flows.mathematics.denoisers import NetworkDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.training.content import denoiser_from

_NETWORK = "network"
# What a description that does not fit the weights may raise, from nested settings to sizes that fit into no memory.
UNFIT = (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, RuntimeError, MemoryError)


def versions() -> dict[str, str]:
    """Versions of what decides the bits of a training."""
    return {name: version(name) for name in ("inflationary-flows", "numpy", "torch")}


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
        provenance: Recorded with it: seed, settings and digest of the training run, versions, ...
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
def fitting(path: Path) -> Iterator[None]:
    """Says of errors in a block that the weights in a file do not fit the architecture that it describes."""
    try:
        yield
    # A package that is not installed is no fault of the file.
    except PackageError:
        raise
    except (*UNFIT, InflationaryFlowsError) as problem:
        raise ArtifactError(
            str(path),
            "weights that fit the architecture the file describes",
            " ".join(str(problem).split())[:200],
            "another version of the library wrote it: make it again, by the workflow or by Flow.fit",
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
    arrays, metadata = load_tensors(path, _NETWORK, finite=True)
    found = basis_fingerprint(basis)
    if metadata.get("eigenbasis") != found:
        raise ArtifactError(
            str(path),
            f"a network trained in the eigenbasis {found[:12]}",
            f"one of {str(metadata.get('eigenbasis'))[:12]}",
            "delete the network and run the workflow again: the data have changed since it was trained",
        )
    with fitting(path):
        return denoiser_from(arrays, metadata, basis), metadata
