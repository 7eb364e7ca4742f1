"""Flows as files: all that inflation and generation need, the eigenbasis included, without pickle."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from inflationary_flows.artifacts.bases import checked_basis
from inflationary_flows.artifacts.networks import fitting
from inflationary_flows.errors import ArtifactError, shorten
from inflationary_flows.files.tensors import load_tensors, save_tensors
from inflationary_flows.mathematics import flow as mathematics
from inflationary_flows.mathematics.denoisers import NetworkDenoiser
from inflationary_flows.training.flow_content import flow_content, flow_from

_FLOW = "flow"


class Flow(mathematics.Flow):
    """A flow that reads itself from a file; all else is `mathematics.flow.Flow`."""

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Flow:
        """Reads a flow that the workflow made.

        Arguments:
            path: `flow.safetensors` or the folder that holds it.

        Raises:
            ArtifactError: if the file is missing, truncated, altered or not a flow, if it holds NaN, or if `path` is no
                path.
        """
        file = path_of(path)
        file = file / "flow.safetensors" if file.is_dir() else file
        arrays, metadata = load_tensors(file, _FLOW, finite=True)
        # A clearer message than that of a missing key.
        checked_basis(file, arrays, "eigenbasis.")
        with fitting(file):
            flow = flow_from(arrays, metadata)
        return cls(
            flow.denoiser,
            flow.basis,
            solver=flow.solver,
            compressed_prior=flow.compressed_prior,
            compressed_latents=flow.compressed_latents,
            columns=flow.columns,
        )


def path_of(path: Any) -> Path:
    """The caller's path; ArtifactError if it is none."""
    if not isinstance(path, str | os.PathLike) or isinstance(os.fspath(path), bytes):
        hint = "name the file, or the folder that holds it"
        raise ArtifactError("path", "a path: text or a pathlib.Path", shorten(path), hint)
    return Path(path)


def save_flow(path: Path, flow: mathematics.Flow, network_metadata: dict[str, Any]) -> None:
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
