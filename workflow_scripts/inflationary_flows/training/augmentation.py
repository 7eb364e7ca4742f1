r"""Geometric augmentation of images; the network is conditioned on it, so that it does not leak into samples.

Every second example is mirrored left to right, and each undergoes each of five random maps with a given probability:
upside-down flip, isotropic scaling, rotation, anisotropic scaling, translation.  Nine labels describe the augmentation
to the network. They are zero for an original image: with zeros the network generates the data themselves.

Source: Karras, Aittala, Aila and Laine (2022), appendix F.2, after Jun et al. (2020), without their filter against
aliasing; images are resampled bilinearly by kornia.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from inflationary_flows.extras import needs

# Standard deviations of the logarithms (base 2) of scales, and of shifts as a share of the image.
_SCALE, _SHIFT = 0.2, 0.125


def augment(images: Tensor, probability: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Maps images at random.

    Arguments:
        images: Shape (n, C, H, W), any device.
        probability: Probability of each map except mirroring.
        generator: Source of randomness, on the CPU.

    Returns:
        Images of the same shape, and labels, shape (n, 9), float32 on the CPU.
    """
    n, _, height, width = images.shape
    chosen = torch.rand(n, 5, generator=generator) < probability
    normal = torch.randn(n, 5, generator=generator)
    uniform = torch.rand(n, 3, generator=generator)
    mirrored = torch.rand(n, generator=generator) < 0.5
    flip = (chosen[:, 0] & (uniform[:, 0] < 0.5)).float()
    scale = chosen[:, 1] * normal[:, 0]
    angle = chosen[:, 2] * (2 * uniform[:, 1] - 1) * math.pi
    stretch, direction = chosen[:, 3] * normal[:, 1], chosen[:, 3] * (2 * uniform[:, 2] - 1) * math.pi
    shift = chosen[:, 4, None] * normal[:, 2:4]
    turned = torch.stack([torch.cos(angle) - 1, torch.sin(angle)], 1)
    stretched = torch.stack([stretch * torch.cos(direction), stretch * torch.sin(direction)], 1)
    alone = torch.stack([mirrored.float(), flip, scale], 1)
    labels = torch.cat([alone, turned, stretched, shift], 1)
    result = torch.where(mirrored.to(images.device)[:, None, None, None], images.flip(3), images)
    rows = chosen.any(1).nonzero()[:, 0]
    if not len(rows):
        return result, labels
    matrix = _scaling(torch.ones_like(scale), 1 - 2 * flip)
    factor = torch.exp2(_SCALE * scale)
    matrix = _scaling(factor, factor) @ matrix
    matrix = _rotation(angle) @ matrix
    ratio = torch.exp2(_SCALE * stretch)
    matrix = _rotation(direction) @ _scaling(ratio, 1 / ratio) @ _rotation(-direction) @ matrix
    centre = torch.tensor([(width - 1) / 2, (height - 1) / 2])
    offset = centre - (matrix @ centre[:, None])[:, :, 0] + _SHIFT * shift * torch.tensor([width, height])
    with needs("augmentation", "images"):
        from kornia.geometry.transform import warp_affine

    affine = torch.cat([matrix, offset[:, :, None]], 2)[rows].to(images)
    # Bilinear, so that values stay in the image's range; the border is reflected.
    moved = warp_affine(result[rows], affine, (height, width), padding_mode="reflection", align_corners=True)
    return result.index_copy(0, rows.to(images.device), moved), labels


def _scaling(across: Tensor, along: Tensor) -> Tensor:
    """Diagonal matrices, shape (n, 2, 2)."""
    return torch.diag_embed(torch.stack([across, along], 1))


def _rotation(angle: Tensor) -> Tensor:
    """Rotations, shape (n, 2, 2)."""
    cos, sin = torch.cos(angle), torch.sin(angle)
    return torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
