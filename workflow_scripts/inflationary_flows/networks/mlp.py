"""A residual multilayer perceptron for data of few dimensions."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from inflationary_flows.networks.embedding import RandomFourierFeatures, SmoothTimeFeatures


class ResidualBlock(nn.Module):
    """h + W_2 silu(W_1 silu(h) + time), starting as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, width)
        self.time = nn.Linear(width, width, bias=False)
        self.outer = nn.Linear(width, width)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, h: Tensor, time: Tensor) -> Tensor:
        """Hidden states and time embeddings, shape (n, width) each."""
        return h + self.outer(silu(self.inner(silu(h)) + self.time(time)))


class ResidualMLP(nn.Module):
    """Fourier features of the coordinates, residual blocks that are shifted by a smooth embedding of time.

    Arguments:
        dimension: Number of coordinates D.
        width: Hidden units.
        blocks: Residual blocks.
        frequencies: Random Fourier frequencies of the coordinates; 0 for none.
        bandwidth: Their standard deviation, radians per standard deviation of the data.
        time_features: Cosines of the clock.
    """

    def __init__(
        self,
        dimension: int,
        width: int = 128,
        blocks: int = 3,
        frequencies: int = 64,
        bandwidth: float = 1.5,
        time_features: int = 12,
    ) -> None:
        super().__init__()
        self.features = RandomFourierFeatures(dimension, frequencies, bandwidth)
        self.clock = SmoothTimeFeatures(time_features)
        self.time = nn.Sequential(nn.Linear(time_features, width), nn.SiLU())
        self.first = nn.Linear(self.features.width, width)
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(blocks))
        self.last = nn.Linear(width, dimension)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, y: Tensor, clock: Tensor) -> Tensor:
        """Whitened points (n, D) and clock positions (n,) to outputs (n, D)."""
        # During integration all rows share one time: embed it once, and let it broadcast.
        shared = clock.stride(0) == 0 and len(clock) > 0
        time = self.time(self.clock(clock[:1] if shared else clock))
        h = self.first(self.features(y))
        for block in self.blocks:
            h = block(h, time)
        return self.last(torch.nn.functional.silu(h))
