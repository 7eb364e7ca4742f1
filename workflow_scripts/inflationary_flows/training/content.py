"""A trained flow as tensors and plain values, and back; files are another matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from inflationary_flows.mathematics.denoisers import NetworkDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.grids import GridSettings
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.networks.build import build_network

Arrays = Mapping[str, np.ndarray]

BASIS_NAMES = ("mean", "scale", "vectors", "eigenvalues")


def basis_tensors(basis: Eigenbasis) -> dict[str, Tensor]:
    """Mean, scale, directions and eigenvalues."""
    return {name: getattr(basis, name) for name in BASIS_NAMES}


def basis_from(arrays: Arrays, prefix: str = "") -> Eigenbasis:
    """The inverse of `basis_tensors`, of names that begin with a prefix; KeyError if one is missing."""
    return Eigenbasis(*(torch.from_numpy(arrays[prefix + name]) for name in BASIS_NAMES))


def weights_from(arrays: Arrays) -> dict[str, Tensor]:
    """Weights of a network, from arrays whose names begin with `network.`."""
    prefix = "network."
    return {k.removeprefix(prefix): torch.from_numpy(v) for k, v in arrays.items() if k.startswith(prefix)}


def denoiser_from(arrays: Arrays, metadata: Mapping[str, Any], basis: Eigenbasis) -> NetworkDenoiser:
    """A denoiser in evaluation mode.

    Arguments:
        arrays: Weights, their names beginning with `network.`.
        metadata: `schedule`, arguments of `make_schedule`, and `network`, those of `build_network`.
        basis: The eigenbasis that it was trained in.

    Raises:
        KeyError, TypeError, RuntimeError, InflationaryFlowsError: if these do not fit each other.
    """
    schedule = make_schedule(basis.eigenvalues, **metadata["schedule"])
    settings = metadata["network"]
    network: nn.Module = build_network(settings, basis.dimension, seed=0)
    network.load_state_dict(weights_from(arrays))
    network.eval().requires_grad_(False)
    return NetworkDenoiser(schedule, network, basis, settings["space"])


def flow_content(flow: Flow, metadata: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A flow as tensors and plain values.

    Arguments:
        flow: A flow whose denoiser is a trained network.
        metadata: `schedule` and `network` as of `denoiser_from`, and whatever else to note.

    Raises:
        TypeError: if the denoiser is not a network.
    """
    denoiser = flow.denoiser
    if not isinstance(denoiser, NetworkDenoiser):
        raise TypeError(type(denoiser).__name__)
    tensors: dict[str, Any] = {f"network.{k}": v for k, v in denoiser.network.state_dict().items()}
    tensors |= {f"eigenbasis.{k}": v for k, v in basis_tensors(flow.basis).items()}
    if flow.compressed_latents is not None:
        tensors["compressed_latents"] = flow.compressed_latents
    return tensors, {**metadata, "solver": asdict(flow.solver), "compressed_prior": flow.compressed_prior}


def flow_from(arrays: Arrays, metadata: Mapping[str, Any]) -> Flow:
    """The inverse of `flow_content`; errors as of `denoiser_from`."""
    denoiser = denoiser_from(arrays, metadata, basis_from(arrays, "eigenbasis."))
    latents = arrays.get("compressed_latents")
    return Flow(
        denoiser,
        denoiser.basis,
        solver=solver_settings(metadata["solver"]),
        compressed_prior=metadata["compressed_prior"],
        compressed_latents=None if latents is None else torch.from_numpy(latents),
    )


def solver_settings(values: Mapping[str, Any]) -> SolverSettings:
    """Plain values, as in the configuration, to settings of the integration."""
    return SolverSettings(**{**values, "grid": GridSettings(**values["grid"])})
