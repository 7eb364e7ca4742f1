r"""Features that networks see of time and of coordinates.

Time enters by low frequencies of the clock alone: neighbouring integration times have similar features, so that the
output is smooth along a curve and high-order solvers keep their order.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from inflationary_flows.networks.presets import ANGLE_FEATURES


class SmoothTimeFeatures(nn.Module):
    r"""cos(pi k c) for k = 0 ... K-1 of the clock c in [0, 1] (Chebyshev polynomials of cos(pi c)).

    Arguments:
        features: Number K of features.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("orders", math.pi * torch.arange(features), persistent=False)

    def forward(self, clock: Tensor) -> Tensor:
        """Clock positions, shape (n,), to features, shape (n, K)."""
        return torch.cos(clock[:, None] * self.get_buffer("orders").to(clock))


class AngleFeatures(nn.Module):
    r"""Features of the angles tau of all directions: the kernel, whatever the schedule.

    They are [cos(2 tau), sin(2 tau), cos(4 tau)], and cos(pi k c) for k = 1 ... 8 of the place c of the noise ratio
    log(gamma / xi) = 2 log(tan(tau)) between -8 and 8. Angles hardly tell little noise from less. Without places
    the excess denoising error of circles is twice as large.
    """

    _PLACES = range(1, ANGLE_FEATURES - 2)
    _WIDEST = 8.0

    def forward(self, angles: Tensor) -> Tensor:
        """Angles, shape (n, D), from 0 (all data) to pi / 2 (all noise), to features, shape (n, 11 D)."""
        double = torch.cos(2 * angles)
        # At these ends the ratio is beyond what places tell.
        ratio = 2 * torch.log(torch.tan(angles.clamp(1e-3, math.pi / 2 - 1e-3)))
        place = math.pi * (ratio.clamp(-self._WIDEST, self._WIDEST) / (2 * self._WIDEST) + 0.5)
        told = [double, torch.sin(2 * angles), 2 * double.square() - 1, *(torch.cos(k * place) for k in self._PLACES)]
        return torch.cat(told, 1)


class LevelFeatures(nn.Module):
    r"""cos(pi k l) for k = 0 ... K-1 of each level l of a kernel, as of `mathematics.kernels.levels`.

    Arguments:
        features: Number K of features of a level.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.smooth = SmoothTimeFeatures(features)

    def forward(self, levels: Tensor) -> Tensor:
        """Levels, shape (n, L), to features, shape (n, L K)."""
        features: Tensor = self.smooth(levels.flatten())
        return features.view(len(levels), -1)


class RandomFourierFeatures(nn.Module):
    r"""[y, sqrt(2) sin(B y), sqrt(2) cos(B y)] with fixed Gaussian frequencies (Tancik et al., 2020).

    Arguments:
        dimension: Number of coordinates D.
        frequencies: Number of rows of B.
        bandwidth: Standard deviation of its entries, radians per unit of y.
    """

    def __init__(self, dimension: int, frequencies: int, bandwidth: float) -> None:
        super().__init__()
        self.register_buffer("frequencies", bandwidth * torch.randn(dimension, frequencies))
        self.width = dimension + 2 * frequencies

    def forward(self, y: Tensor) -> Tensor:
        """Whitened points, shape (n, D), to features, shape (n, D + 2 K)."""
        phase = y @ self.get_buffer("frequencies")
        return torch.cat([y, math.sqrt(2) * torch.sin(phase), math.sqrt(2) * torch.cos(phase)], 1)

    def with_tangents(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Features, shape (n, D + 2 K), and their derivatives by each coordinate, shape (D, n, D + 2 K)."""
        frequencies = self.get_buffer("frequencies")
        phase = y @ frequencies
        sin, cos = math.sqrt(2) * torch.sin(phase), math.sqrt(2) * torch.cos(phase)
        slope = frequencies[:, None, :]
        identity = torch.eye(y.shape[1], dtype=y.dtype, device=y.device)[:, None, :].expand(-1, len(y), -1)
        return torch.cat([y, sin, cos], 1), torch.cat([identity, slope * cos, -slope * sin], 2)
