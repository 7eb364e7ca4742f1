"""A trained denoiser as tensors and plain values, and back; independent of files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from inflationary_flows.mathematics.denoisers import NetworkDenoiser
from inflationary_flows.mathematics.eigenbasis import Arrays, Eigenbasis, Rows
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.networks.build import build_network
from inflationary_flows.networks.costs import network_cost

# Enough to resample from, and a file that is not mostly these: 10,000 points of a toy, 700 colour images. The energy
# distance of 10,000 generated toys to fresh ones is the same, within its noise, with 2,500 of them and with 20,000.
COMPRESSED_LATENTS, COMPRESSED_NUMBERS = 10_000, 2**21
# Weights that any machine has room for.
_SMALL = 1_000_000


def rows_held(train: Rows, held: int = COMPRESSED_LATENTS) -> Rows:
    """Training rows that a network of several schedules holds, from which flows get their compressed latents."""
    return train[: min(held, COMPRESSED_NUMBERS // train.shape[1])]


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
    weights = weights_from(arrays)
    _require_plausible(settings, basis.dimension, sum(tensor.numel() for tensor in weights.values()))
    network: nn.Module = build_network(settings, basis.dimension, seed=0)
    network.load_state_dict(weights)
    network.eval().requires_grad_(False)
    return NetworkDenoiser(schedule, network, basis, settings["space"], settings.get("told", "clock"))


def _require_plausible(settings: Mapping[str, Any], dimension: int, numbers: int) -> None:
    """Raises RuntimeError if a network would have more weights than there are, before it fills the memory."""
    sizes = [size for value in settings.values() for size in (value if isinstance(value, list | tuple) else [value])]
    largest = max((size for size in sizes if isinstance(size, int)), default=0)
    # Of small networks torch itself says which weight is missing.
    most = numbers + _SMALL
    if largest > most or network_cost(settings, dimension).parameters > most:
        raise RuntimeError(f"{numbers} weights, too few for the network that is described")
