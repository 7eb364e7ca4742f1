"""Flows as files: all that inflation and generation need, the eigenbasis included, without pickle.

Flows of the workflow whose schedules share a network name its file instead of holding its weights; `Flow.save` writes
files that stand alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inflationary_flows.artifacts.bases import checked_basis
from inflationary_flows.artifacts.networks import fitting
from inflationary_flows.errors import ArtifactError, shorten
from inflationary_flows.files.files import path_of, sha256_of
from inflationary_flows.files.tensors import REMAKE, load_tensors, save_tensors
from inflationary_flows.mathematics.denoisers import NetworkDenoiser
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.training.flow_content import flow_content, flow_from

_FLOW = "flow"
# The layout of files: raised when older releases could not read a new one. This release reads all up to its own. Files
# of networks that are told the time of one schedule are of format 1.
FORMAT = 2
# What a flow's file leaves to that of its network.
_OF_NETWORK = ("network.", "rows")


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
    written = metadata.get("format", FORMAT)
    if type(written) is not int or not 1 <= written <= FORMAT:
        hint = "install a newer release of inflationary-flows"
        raise ArtifactError(str(file), f"a flow of format {FORMAT} or before", f"format {shorten(written)}", hint)
    arrays |= _shared(file, metadata.pop("network_file", None))
    # A clearer message than that of a missing key.
    checked_basis(file, arrays, "eigenbasis.")
    with fitting(file):
        return flow_from(arrays, metadata), metadata


def _shared(file: Path, named: Any) -> dict[str, Any]:
    """Arrays of the network that a flow's file names, if it names one."""
    if named is None:
        return {}
    if not (isinstance(named, Mapping) and all(isinstance(named.get(key), str) for key in ("path", "sha256"))):
        raise ArtifactError(str(file), "a path and a checksum of its network", shorten(named), REMAKE)
    try:
        # A link to a flow leads to where its network is.
        network = (file.resolve().parent / named["path"]).resolve()
        is_there = network.is_file()
    except OSError as problem:
        raise ArtifactError(str(file), "the path of its network", str(problem.strerror), REMAKE) from problem
    if not is_there:
        hint = "leave flows where the workflow put them, or copy them by Flow.load(...).save(...), with the network"
        raise ArtifactError(str(file), f"its network in {network}", "no such file", hint)
    if sha256_of(network) != named["sha256"]:
        raise ArtifactError(str(file), f"the network that it was made from in {network}", "another one", REMAKE)
    return load_tensors(network, "network", finite=True)[0]


def save_flow(path: Path, flow: Flow, record: Mapping[str, Any], network: Path | None = None) -> None:
    """Writes a flow.

    Arguments:
        path: File, usually `flow.safetensors`.
        flow: A flow whose denoiser is a trained network.
        record: How it was made, as plain values: `schedule` and `network`, as `load_network` gives them, and more.
        network: File of its network, which is named instead of copied, by its path from the flow's folder.

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
    if network is not None:
        tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(_OF_NETWORK)}
        place = Path(os.path.relpath(network, path.parent)).as_posix()
        metadata["network_file"] = {"path": place, "sha256": sha256_of(network)}
    written = FORMAT if flow.denoiser.serves_several else 1
    save_tensors(path, tensors, {**metadata, "kind": _FLOW, "format": written})
