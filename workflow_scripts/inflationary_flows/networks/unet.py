"""A convolutional U-Net for small square grey images, from the diffusers library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from diffusers import UNet2DModel
from torch import Tensor, nn

from inflationary_flows.errors import ConfigError

# The clock in units of diffusers' sinusoidal embedding, whose fastest feature turns one radian per unit: a schedule
# spans half a dozen radians of it, so that neighbouring integration times look alike.
_CLOCK_UNITS = 8.0


class SquareUNet(nn.Module):
    """UNet2DModel on images whose pixels are the coordinates, row by row.

    Arguments:
        dimension: Number of pixels, a square number.
        channels: Channels per resolution; each further entry halves the image.
        layers: Residual blocks per resolution.
        dropout: Dropout probability while training.

    Raises:
        ConfigError: if the pixels make no square, or one that cannot be halved as often as asked.
    """

    def __init__(
        self, dimension: int, channels: Sequence[int] = (32, 64), layers: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.side = math.isqrt(dimension)
        halvings = len(channels) - 1
        if self.side**2 != dimension or self.side % 2**halvings:
            raise ConfigError(
                "networks.channels",
                f"square images whose side can be halved {halvings} times",
                f"{dimension} coordinates",
                "use kind: mlp, or list fewer channels",
            )
        # diffusers loads its classes lazily, so that type checkers do not see their attributes.
        unet: Any = UNet2DModel(
            sample_size=self.side,
            in_channels=1,
            out_channels=1,
            layers_per_block=layers,
            block_out_channels=tuple(channels),
            down_block_types=("DownBlock2D",) * len(channels),
            up_block_types=("UpBlock2D",) * len(channels),
            norm_num_groups=8,
            dropout=dropout,
            add_attention=False,
        )
        nn.init.zeros_(unet.conv_out.weight)
        nn.init.zeros_(unet.conv_out.bias)
        self.unet: nn.Module = unet

    def forward(self, y: Tensor, clock: Tensor) -> Tensor:
        """Whitened pixels (n, D) and clock positions (n,) to outputs (n, D)."""
        images = y.view(len(y), 1, self.side, self.side)
        return self.unet(images, clock * _CLOCK_UNITS).sample.flatten(1)
