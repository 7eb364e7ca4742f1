"""Trained networks as files: safetensors with a description in JSON, no pickle.

A file holds the weights, the settings of schedules and architecture, and the fingerprint of the eigenbasis. The
eigenbasis has a file of its own, because its matrix is large for images. A network of several schedules holds training
rows as well, from which flows of any of these get their compressed latents.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from inflationary_flows.artifacts.bases import basis_fingerprint
from inflationary_flows.errors import ArtifactError, InflationaryFlowsError, PackageError
from inflationary_flows.files.tensors import load_tensors, save_tensors
from inflationary_flows.mathematics.denoisers import NetworkDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis, Rows
from inflationary_flows.training.content import denoiser_from
from inflationary_flows.training.kernels import require_seen, schedule_problem

_NETWORK = "network"
# What a description that does not fit the weights may raise, from nested settings to sizes that fit into no memory.
UNFIT = (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, RuntimeError, MemoryError)


def versions() -> dict[str, str]:
    """Versions of what decides the bits of a training."""
    return {name: version(name) for name in ("inflationary-flows", "numpy", "torch")}


def save_network(
    path: Path,
    denoiser: NetworkDenoiser,
    kernels: Mapping[str, Any],
    network_settings: Mapping[str, Any],
    provenance: Mapping[str, Any],
    rows: Rows | None = None,
) -> None:
    """Writes a trained network.

    Arguments:
        path: File.
        denoiser: Network, schedule and eigenbasis.
        kernels: What it was trained on, as of `kernels_from`.
        network_settings: Arguments of `build_network`.
        provenance: Recorded with it: seed, settings and digest of the training run, versions, ...
        rows: Training rows, shape (m, D), data units, if several schedules share it.
    """
    tensors = {f"network.{k}": v for k, v in denoiser.network.state_dict().items()}
    metadata = {
        "kind": _NETWORK,
        "eigenbasis": basis_fingerprint(denoiser.basis),
        "kernels": dict(kernels),
        "network": dict(network_settings),
        "provenance": dict(provenance),
    }
    if rows is not None:
        tensors["rows"] = rows
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


def load_network(
    path: Path, basis: Eigenbasis, schedule: Mapping[str, Any] | None = None
) -> tuple[NetworkDenoiser, dict[str, Any]]:
    """Reads a trained network.

    Arguments:
        path: File of `save_network`.
        basis: The eigenbasis that it was trained in.
        schedule: Arguments of `make_schedule`, of a network that several schedules share.

    Returns:
        The denoiser, in evaluation mode, and the file's metadata, with its `schedule`.

    Raises:
        ArtifactError: if the file is missing, truncated, altered, or not a network, of another eigenbasis, or of other
            schedules.
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
        kernels = metadata["kernels"]
        chosen = dict(kernels["schedules"][0] if schedule is None else schedule)
        problem = schedule_problem(kernels, chosen)
    if problem is not None:
        raise ArtifactError(str(path), problem[1], problem[2], "train a network for this schedule")
    described = {**metadata, "schedule": chosen}
    with fitting(path):
        denoiser = denoiser_from(arrays, described, basis)
    require_seen(kernels, denoiser.schedule)
    return denoiser, described
