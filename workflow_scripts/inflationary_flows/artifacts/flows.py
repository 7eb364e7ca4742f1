"""Trained networks and flows as files: safetensors with a description in JSON, no pickle.

A network file holds what training made: weights, how schedule and architecture were set, and which eigenbasis it
belongs to, whose matrix is large for images and has a file of its own.  A flow file is all that a user needs to inflate
and generate, the eigenbasis included.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from inflationary_flows.artifacts.tensors import load_tensors, save_tensors, sha256_of_array
from inflationary_flows.errors import ArtifactError, InflationaryFlowsError
from inflationary_flows.mathematics.denoisers import NetworkDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.grids import GridSettings
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.networks.build import build_network

_NETWORK = "network"
_FLOW = "flow"
_BASIS = "eigenbasis"


def _basis_tensors(basis: Eigenbasis) -> dict[str, Any]:
    return {
        "mean": basis.mean,
        "scale": basis.scale,
        "vectors": basis.vectors,
        "eigenvalues": basis.eigenvalues,
    }


def save_basis(path: Path, basis: Eigenbasis) -> None:
    """Writes an eigenbasis."""
    save_tensors(path, _basis_tensors(basis), {"kind": _BASIS, "dimension": basis.dimension})


def basis_fingerprint(basis: Eigenbasis) -> str:
    """Names an eigenbasis by the sha256 of its numbers."""
    parts = [sha256_of_array(tensor.numpy()) for _, tensor in sorted(_basis_tensors(basis.to("cpu")).items())]
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def load_basis(path: Path) -> Eigenbasis:
    """Reads an eigenbasis; ArtifactError if the file is damaged or of another kind."""
    arrays, _ = load_tensors(path, _BASIS)
    return _basis(path, arrays, "")


def _basis(path: Path, arrays: dict[str, np.ndarray], prefix: str) -> Eigenbasis:
    names = ("mean", "scale", "vectors", "eigenvalues")
    missing = [name for name in names if prefix + name not in arrays]
    if missing:
        raise ArtifactError(
            str(path),
            "an eigenbasis",
            f"a file without {', '.join(missing)}",
            "delete the file and run the workflow again",
        )
    return Eigenbasis(*(torch.from_numpy(arrays[prefix + name]) for name in names))


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


def _denoiser(
    path: Path, arrays: dict[str, np.ndarray], metadata: dict[str, Any], basis: Eigenbasis
) -> NetworkDenoiser:
    try:
        schedule = make_schedule(basis.eigenvalues, **metadata["schedule"])
        settings = metadata["network"]
        network: nn.Module = build_network(settings, basis.dimension, seed=0)
        weights = {k: torch.from_numpy(v) for k, v in arrays.items() if k.startswith("network.")}
        network.load_state_dict({k.removeprefix("network."): v for k, v in weights.items()})
    except (KeyError, TypeError, RuntimeError, InflationaryFlowsError) as problem:
        raise ArtifactError(
            str(path),
            "weights that fit the architecture the file describes",
            " ".join(str(problem).split())[:200],
            "the file was written by another version of the library; delete it and run the workflow again",
        ) from problem
    network.eval().requires_grad_(False)
    return NetworkDenoiser(schedule, network, basis, settings["space"])


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
    return _denoiser(path, arrays, metadata, basis), metadata


def save_flow(path: Path, flow: Flow, network_metadata: dict[str, Any]) -> None:
    """Writes a flow.

    Arguments:
        path: File, usually `flow.safetensors`.
        flow: A flow whose denoiser is a trained network.
        network_metadata: Metadata that `load_network` gave.

    Raises:
        ArtifactError: if the denoiser is not a network.
    """
    denoiser = flow.denoiser
    if not isinstance(denoiser, NetworkDenoiser):
        raise ArtifactError(
            str(path),
            "a flow with a trained network",
            type(denoiser).__name__,
            "exact denoisers are made from data, not saved",
        )
    tensors: dict[str, Any] = {f"network.{k}": v for k, v in denoiser.network.state_dict().items()}
    tensors |= {f"eigenbasis.{k}": v for k, v in _basis_tensors(flow.basis).items()}
    if flow.compressed_latents is not None:
        tensors["compressed_latents"] = flow.compressed_latents
    metadata = {
        **network_metadata,
        "kind": _FLOW,
        "solver": asdict(flow.solver),
        "compressed_prior": flow.compressed_prior,
    }
    save_tensors(path, tensors, metadata)


def load_flow(path: Path) -> Flow:
    """Reads a flow.

    Arguments:
        path: File of `save_flow`, or the folder that holds `flow.safetensors`.

    Raises:
        ArtifactError: if the file is missing, truncated, altered, or not a flow.
    """
    file = path / "flow.safetensors" if path.is_dir() else path
    arrays, metadata = load_tensors(file, _FLOW)
    denoiser = _denoiser(file, arrays, metadata, _basis(file, arrays, "eigenbasis."))
    latents = arrays.get("compressed_latents")
    return Flow(
        denoiser,
        denoiser.basis,
        solver=solver_settings(metadata["solver"]),
        compressed_prior=metadata["compressed_prior"],
        compressed_latents=None if latents is None else torch.from_numpy(latents),
    )


def solver_settings(values: dict[str, Any]) -> SolverSettings:
    """Plain values, as in the configuration, to settings of the integration."""
    return SolverSettings(**{**values, "grid": GridSettings(**values["grid"])})
