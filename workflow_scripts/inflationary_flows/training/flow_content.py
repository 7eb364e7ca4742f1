"""A trained flow as tensors and plain values, and back; independent of files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, get_args

import torch

from inflationary_flows.errors import DataError, shorten
from inflationary_flows.mathematics.denoisers import NetworkDenoiser
from inflationary_flows.mathematics.eigenbasis import Arrays, basis_from, basis_tensors
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.grids import GridKind, GridSettings
from inflationary_flows.mathematics.points import real
from inflationary_flows.mathematics.prior import CompressedPrior
from inflationary_flows.training.content import denoiser_from
from inflationary_flows.training.kernels import kernels_from

# What flows of networks of several schedules hold of the data.
_ROWS = ("rows", "held_out")


def flow_content(flow: Flow, metadata: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A flow as tensors and plain values.

    Arguments:
        flow: A flow whose denoiser is a trained network.
        metadata: `schedule` and `network` as of `denoiser_from`, and further entries.

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
    tensors |= {name: rows for name in _ROWS if (rows := getattr(flow, name)) is not None}
    # Toys and images have no names: their files stay as they were before there were any.
    names = {"columns": list(flow.columns)} if flow.columns else {}
    return tensors, {**metadata, "solver": asdict(flow.solver), "compressed_prior": flow.compressed_prior, **names}


def flow_from(arrays: Arrays, metadata: Mapping[str, Any]) -> Flow:
    """The inverse of `flow_content`; errors as of `denoiser_from`."""
    denoiser = denoiser_from(arrays, metadata, basis_from(arrays, "eigenbasis."))
    latents = arrays.get("compressed_latents")
    columns = tuple(map(str, metadata.get("columns", ())))
    if columns and len(columns) != denoiser.basis.dimension:
        raise TypeError(f"{len(columns)} names of {denoiser.basis.dimension} coordinates")
    compressed = denoiser.basis.dimension - denoiser.schedule.kept_dims
    if latents is not None and (latents.ndim != 2 or latents.shape[1] != compressed):
        raise TypeError(f"compressed latents of shape {latents.shape} where there are {compressed} such coordinates")
    if metadata["compressed_prior"] not in get_args(CompressedPrior):
        raise TypeError(f"the compressed prior {metadata['compressed_prior']!r}")
    flow = Flow(
        denoiser,
        denoiser.basis,
        solver=solver_settings(metadata["solver"]),
        compressed_prior=metadata["compressed_prior"],
        compressed_latents=None if latents is None else torch.from_numpy(latents),
        columns=columns,
    )
    for name in (name for name in _ROWS if name in arrays):
        rows = arrays[name]
        if rows.ndim != 2 or rows.shape[1] != flow.dimension or not len(rows):
            raise TypeError(f"{name} of shape {rows.shape} of {flow.dimension} coordinates")
        setattr(flow, name, torch.from_numpy(rows).double())
    if "kernels" in metadata:
        # A wrong description is found when it is read, not when a schedule is chosen.
        kernels_from(metadata["kernels"], flow.basis.eigenvalues)
    flow.settings()
    return flow


def solver_settings(values: Mapping[str, Any]) -> SolverSettings:
    """Plain values, as in the configuration, to settings of the integration; `DataError` for a grid that is none."""
    grid = GridSettings(**values["grid"])
    if grid.kind not in get_args(GridKind):
        raise DataError("grid.kind", f"one of {', '.join(get_args(GridKind))}", shorten(grid.kind), "correct it")
    real(grid.centre, "grid.centre", -math.inf, math.inf, "0 is the middle")
    real(grid.width, "grid.width", 0.0, math.inf, "4 is usual")
    return SolverSettings(**{**values, "grid": grid})
