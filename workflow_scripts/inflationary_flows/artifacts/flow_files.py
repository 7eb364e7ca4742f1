"""Flows as files: all that inflation and generation need, the eigenbasis included, without pickle."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inflationary_flows.artifacts.bases import checked_basis
from inflationary_flows.artifacts.networks import fitting
from inflationary_flows.errors import ArtifactError, shorten
from inflationary_flows.files.files import path_of
from inflationary_flows.files.tensors import load_tensors, save_tensors
from inflationary_flows.mathematics.denoisers import NetworkDenoiser
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.training.flow_content import flow_content, flow_from

_FLOW = "flow"
# The layout of files: raised when older releases could not read a new one. This release reads all up to its own.
FORMAT = 1


def load_flow(path: str | os.PathLike[str]) -> Flow:
    """Reads a flow for the workflow; arguments and errors as of `read_flow`."""
    return read_flow(path)[0]


def read_flow(path: str | os.PathLike[str]) -> tuple[Flow, dict[str, Any]]:
    """Reads a flow, and the record of how it was made.

    Arguments:
        path: The file, or the folder that holds `flow.safetensors`.

    Raises:
        ArtifactError: if the file is missing, truncated, altered, of a later release or not a flow, if it holds NaN, or
            if `path` is no path.
    """
    file = path_of(path)
    file = file / "flow.safetensors" if file.is_dir() else file
    arrays, metadata = load_tensors(file, _FLOW, finite=True)
    if not isinstance(written := metadata.get("format", FORMAT), int) or written > FORMAT:
        hint = "install a newer release of inflationary-flows"
        raise ArtifactError(str(file), f"a flow of format {FORMAT} or before", f"format {shorten(written)}", hint)
    # A clearer message than that of a missing key.
    checked_basis(file, arrays, "eigenbasis.")
    with fitting(file):
        return flow_from(arrays, metadata), metadata


def save_flow(path: Path, flow: Flow, record: Mapping[str, Any]) -> None:
    """Writes a flow.

    Arguments:
        path: File, usually `flow.safetensors`.
        flow: A flow whose denoiser is a trained network.
        record: How it was made, as plain values: `schedule` and `network`, as `load_network` gives them, and more.

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
    tensors, metadata = flow_content(flow, record)
    save_tensors(path, tensors, {**metadata, "kind": _FLOW, "format": FORMAT})
