"""Builds the network that a mapping of plain values describes."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from inflationary_flows.errors import ConfigError
from inflationary_flows.networks.mlp import ResidualMLP


def build_network(settings: dict[str, Any], dimension: int, seed: int) -> nn.Module:
    """Builds a network with seeded initial weights, in float32.

    Arguments:
        settings: `kind`, `space` and the arguments of that kind, as in `networks.<name>` of the configuration; for a
            unet also `image`, its channels, height and width.
        dimension: Number of coordinates D.
        seed: Seed of the initial weights.

    Raises:
        ConfigError: if the kind is unknown or does not fit the dimension.
    """
    options = {k: v for k, v in settings.items() if k not in ("kind", "space")}
    kind = settings["kind"]
    # Initialisers draw from torch's global stream, whose state is restored afterwards.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if kind == "mlp":
            return ResidualMLP(dimension, **options)
        if kind == "unet":
            # Lazy import: diffusers takes seconds to import, and toys do not need it.
            from inflationary_flows.networks.unet import ImageUNet

            return ImageUNet(**options)
    raise ConfigError("networks.kind", "mlp or unet", repr(kind), "choose one of the two")
