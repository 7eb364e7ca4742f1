"""A residual multilayer perceptron for data of few dimensions."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from inflationary_flows.networks.embedding import AngleFeatures, RandomFourierFeatures, SmoothTimeFeatures
from inflationary_flows.networks.presets import ANGLE_FEATURES


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

    def with_tangents(self, h: Tensor, dh: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """The same for hidden states and their tangents, shapes (n, width) and (D, n, width)."""
        a, da = _silu_with_tangents(h, dh)
        a, da = _silu_with_tangents(self.inner(a) + self.time(time), da @ self.inner.weight.T)
        return h + self.outer(a), dh + da @ self.outer.weight.T


def _silu_with_tangents(h: Tensor, dh: Tensor) -> tuple[Tensor, Tensor]:
    gate = torch.sigmoid(h)
    value = h * gate
    return value, dh * (gate + value * (1 - gate))


class ResidualMLP(nn.Module):
    """Fourier features of the coordinates, and residual blocks shifted by a smooth embedding of time or of the kernel.

    Arguments:
        dimension: Number of coordinates D.
        width: Hidden units.
        blocks: Residual blocks.
        frequencies: Random Fourier frequencies of the coordinates; 0 for none.
        bandwidth: Their standard deviation, radians per standard deviation of the data.
        time_features: Cosines of the clock.
        told: Whether it is told the time of one schedule, `clock`, or the kernel of any, `angles`.
    """

    def __init__(
        self,
        dimension: int,
        width: int = 128,
        blocks: int = 3,
        frequencies: int = 64,
        bandwidth: float = 1.5,
        time_features: int = 12,
        told: Literal["clock", "angles"] = "clock",
    ) -> None:
        super().__init__()
        if told not in ("clock", "angles"):
            raise ValueError(f"told {told!r}")
        self.features = RandomFourierFeatures(dimension, frequencies, bandwidth)
        self.noise = SmoothTimeFeatures(time_features) if told == "clock" else AngleFeatures()
        seen = time_features if told == "clock" else ANGLE_FEATURES * dimension
        self.time = nn.Sequential(nn.Linear(seen, width), nn.SiLU())
        self.first = nn.Linear(self.features.width, width)
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(blocks))
        self.last = nn.Linear(width, dimension)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def _embedded(self, told: Tensor) -> Tensor:
        """Embeddings of what points are told, shape (n or 1, width)."""
        # During integration all rows share one time: embed it once and broadcast.
        shared = told.stride(0) == 0 and len(told) > 0
        embedded: Tensor = self.time(self.noise(told[:1] if shared else told))
        return embedded

    def forward(self, y: Tensor, told: Tensor) -> Tensor:
        """Whitened points (n, D) and clock positions (n,), or angles (n, D), to outputs (n, D)."""
        time = self._embedded(told)
        h = self.first(self.features(y))
        for block in self.blocks:
            h = block(h, time)
        return self.last(silu(h))

    @torch.no_grad()
    def scale_output(self, factor: float) -> None:
        """Multiplies all outputs by a factor."""
        for weights in self.last.parameters():
            weights.mul_(factor)

    def with_jacobian(self, y: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs, shape (n, D), and their derivatives J_ij = dF_i / dy_j, shape (n, D, D).

        Forward mode: tangents of all D inputs pass through the layers with the values, as plain tensors, so that the
        result can be differentiated again.
        """
        h, dh = self.features.with_tangents(y)
        h, dh = self.first(h), dh @ self.first.weight.T
        time = self._embedded(told)
        for block in self.blocks:
            assert isinstance(block, ResidualBlock)
            h, dh = block.with_tangents(h, dh, time)
        h, dh = _silu_with_tangents(h, dh)
        return self.last(h), (dh @ self.last.weight.T).permute(1, 2, 0)
