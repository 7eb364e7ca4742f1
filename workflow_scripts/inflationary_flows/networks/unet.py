"""A convolutional U-Net for images, from the diffusers library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from inflationary_flows.extras import needs
from inflationary_flows.networks.embedding import LevelFeatures
from inflationary_flows.networks.presets import LEVEL_FEATURES, LEVELS
from inflationary_flows.networks.shapes import groups_of, require_shape

with needs("networks of kind unet", "images"):
    from diffusers import UNet2DModel

# The clock in units of diffusers' sinusoidal embedding, whose fastest feature turns one radian per unit: a schedule
# spans about six radians, so that neighbouring integration times have similar features.
_CLOCK_UNITS = 8.0


class ImageUNet(nn.Module):
    """UNet2DModel on images whose pixels are the coordinates: channel by channel, row by row.

    Arguments:
        image: Channels, height and width; their product is the number of coordinates D.
        channels: Channels per resolution; each further entry halves the image.
        layers: Residual blocks per resolution.
        attention: Resolutions (pixels a side, after `patch`) with self-attention.
        dropout: Dropout probability while training.
        patch: Side of the patches of pixels that are folded into channels before the first layer.
        labels: Numbers that condition the network besides the noise, such as those of an augmentation; 0 for none.
        told: Whether it is told the time of one schedule, `clock`, or the kernel of any of two rates, `levels`.
        channels_last: Memory layout in which convolutions run; affects speed only.

    Raises:
        ConfigError: if the image cannot be cut into patches, or halved as often as asked, or channels into groups.
    """

    def __init__(
        self,
        image: Sequence[int],
        channels: Sequence[int] = (32, 64),
        layers: int = 1,
        attention: Sequence[int] = (),
        dropout: float = 0.0,
        patch: int = 1,
        labels: int = 0,
        told: Literal["clock", "levels"] = "clock",
        channels_last: bool = False,
    ) -> None:
        super().__init__()
        if told not in ("clock", "levels"):
            raise ValueError(f"told {told!r}")
        self.image = tuple(image)
        self.patch = patch
        self.labels = labels
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        require_shape(image, channels, patch)
        depth, height, _ = self.image
        sides = [height // patch // 2**level for level in range(len(channels))]
        kinds = ["Attn" if side in attention else "" for side in sides]
        folded = depth * patch**2
        embedding = 2 * channels[0]
        # diffusers loads its classes lazily, so that type checkers do not see their attributes.
        unet: Any = UNet2DModel(
            sample_size=sides[0],
            in_channels=folded,
            out_channels=folded,
            layers_per_block=layers,
            block_out_channels=tuple(channels),
            down_block_types=tuple(f"{kind}DownBlock2D" for kind in kinds),
            up_block_types=tuple(f"{kind}UpBlock2D" for kind in reversed(kinds)),
            norm_num_groups=groups_of(channels),
            dropout=dropout,
            add_attention=bool(attention),
            attention_head_dim=None,
            time_embedding_dim=embedding,
            class_embed_type="identity" if labels or told == "levels" else None,
        )
        nn.init.zeros_(unet.conv_out.weight)
        nn.init.zeros_(unet.conv_out.bias)
        self.unet: nn.Module = unet.to(memory_format=self.layout)
        self.condition = nn.Linear(labels, embedding, bias=False) if labels else None
        self.kernel: nn.Module | None = None
        if told == "levels":
            layers_of = (nn.Linear(LEVELS * LEVEL_FEATURES, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
            self.kernel = nn.Sequential(LevelFeatures(LEVEL_FEATURES), *layers_of)

    @torch.no_grad()
    def scale_output(self, factor: float) -> None:
        """Multiplies all outputs by a factor."""
        last = self.unet.get_submodule("conv_out")
        for weights in last.parameters():
            weights.mul_(factor)

    def forward(self, y: Tensor, told: Tensor, labels: Tensor | None = None) -> Tensor:
        """Outputs for images.

        Arguments:
            y: Whitened pixels, shape (n, D).
            told: Clock positions, shape (n,), or levels, shape (n, 4), of which the first one takes the clock's place.
            labels: Labels, shape (n, L); zeros if absent.

        Returns:
            Outputs, shape (n, D).
        """
        images = pixel_unshuffle(y.view(len(y), *self.image), self.patch).contiguous(memory_format=self.layout)
        embedded = None
        if self.condition is not None:
            embedded = self.condition(y.new_zeros(len(y), self.labels) if labels is None else labels.to(y))
        clock = told
        if self.kernel is not None:
            described, clock = self.kernel(told), told[:, 0]
            embedded = described if embedded is None else embedded + described
        # Equal times are embedded one by one: the embedding is a tiny part of the network.
        output = self.unet(images, clock * _CLOCK_UNITS, class_labels=embedded).sample
        return pixel_shuffle(output, self.patch).flatten(1)
