r"""Invertible layers of injective flows, from zuko, in sizes that spend a given number of parameters.

A layer transforms one half of the coordinates by functions of one variable, affine or rational-quadratic splines,
whose parameters a network reads from the other half (couplings: Dinh et al., 2017; splines: Durkan et al., 2019).
The half depends on the layer's number alone, so that a saved model can be rebuilt.  Networks begin
with small random outputs, so that every map begins near the identity; at the identity itself the projection of
symmetric data onto a straight line is a saddle that training does not leave.

zuko composes and inverts the layers. Only the convolutional network for images is written here, because zuko has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_unshuffle

from inflationary_flows.errors import ConfigError
from inflationary_flows.extras import needs
from inflationary_flows.seeding import derive_seed

with needs("injective flows", "baselines"):
    from zuko.flows import ElementWiseTransform, GeneralCouplingTransform
    from zuko.lazy import LazyTransform
    from zuko.transforms import (
        ComposedTransform,
        CouplingTransform,
        DependentTransform,
        MonotonicAffineTransform,
        MonotonicRQSTransform,
        Transform,
    )
    from zuko.utils import unpack

Shapes = Sequence[tuple[int, ...]]

# Widths tried are below this; the score networks of the workflow need hundreds.
_MOST_WIDTH = 2**14


def univariate(kind: str, bins: int) -> tuple[type[Transform], Shapes]:
    """Constructor and parameter shapes of functions of one variable.

    Arguments:
        kind: `spline`, the identity outside of [-5, 5], or `affine`.
        bins: Bins of a spline.

    Raises:
        ConfigError: if there is no such kind.
    """
    if kind == "spline":
        return MonotonicRQSTransform, ((bins,), (bins,), (bins - 1,))
    if kind == "affine":
        return MonotonicAffineTransform, ((), ())
    raise ConfigError("chart.univariate", "spline or affine", repr(kind), "choose one of the two")


def half_mask(size: int, layer: int) -> Tensor:
    """Which coordinates a layer reads, shape (size,), bool: a random half, and in the next layer the other half."""
    order = np.random.default_rng(derive_seed("coupling mask", size, layer // 2)).permutation(size)
    read = order < (size + 1) // 2
    return torch.from_numpy(read if layer % 2 == 0 else ~read)


class Convolutions(nn.Sequential):
    """Convolutions of width 3 with SiLU between them."""

    def __init__(self, inputs: int, outputs: int, width: int, hidden_layers: int) -> None:
        channels = [inputs, *(width for _ in range(hidden_layers)), outputs]
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.SiLU()]
        super().__init__(*layers[:-1])


class ConvolutionalCoupling(LazyTransform):
    """A coupling of channels, for flattened maps of shape (channels, height, width).

    Arguments:
        shape: Channels, height and width.
        layer: Number of the layer.
        kind, bins: As of `univariate`.
        width, hidden_layers: Size of the network.
    """

    def __init__(
        self, shape: tuple[int, int, int], layer: int, *, kind: str, bins: int, width: int, hidden_layers: int
    ) -> None:
        super().__init__()
        channels, height, side = shape
        self.univariate, self.shapes = univariate(kind, bins)
        self.total = sum(int(np.prod(each)) for each in self.shapes)
        read = half_mask(channels, layer)
        self.map = (int(read.sum()), height, side)
        self.register_buffer("mask", read.repeat_interleave(height * side), persistent=False)
        outputs = (channels - self.map[0]) * self.total
        self.hyper = Convolutions(self.map[0], outputs, width, hidden_layers)

    def meta(self, read: Tensor) -> Transform:
        """The transform of one half, given the other, shape (n, channels read * height * width)."""
        maps = self.hyper(read.unflatten(-1, self.map))
        phi = maps.unflatten(-3, (-1, self.total)).movedim(-3, -1).flatten(-4, -2)
        return DependentTransform(self.univariate(*unpack(phi, self.shapes)), 1)

    def forward(self, c: Any = None) -> Transform:
        """The layer as a transform of the last axis."""
        return CouplingTransform(self.meta, self.mask)


class Invertible(nn.Module):
    """A sequence of layers.

    Arguments:
        layers: Lazy transforms of zuko.
    """

    def __init__(self, layers: Sequence[LazyTransform]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def transform(self) -> Transform:
        """The map of the present weights, with its inverse, of points of shape (..., D)."""
        return ComposedTransform(*(layer() for layer in self.layers))


def coupling_layers(
    size: int, layers: int, *, kind: str, bins: int, width: int, hidden_layers: int
) -> list[LazyTransform]:
    """Couplings of vectors with perceptrons; of one coordinate, functions without inputs.

    Arguments:
        size: Number of coordinates.
        layers: Number of layers.
        kind, bins: As of `univariate`.
        width, hidden_layers: Size of each network.
    """
    function, shapes = univariate(kind, bins)
    if size == 1:
        return [_elementwise(1, function, shapes) for _ in range(layers)]
    return [
        GeneralCouplingTransform(
            size,
            mask=half_mask(size, layer),
            univariate=function,
            shapes=shapes,
            hidden_features=(width,) * hidden_layers,
            activation=nn.SiLU,
        )
        for layer in range(layers)
    ]


def normalising_layer(size: int) -> LazyTransform:
    """A shift and a scale of each coordinate."""
    return _elementwise(size, MonotonicAffineTransform, ((), ()))


def _elementwise(size: int, function: type[Transform], shapes: Shapes) -> LazyTransform:
    """A function of each coordinate, the identity at first."""
    layer = ElementWiseTransform(size, 0, function, shapes)
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def unshuffled(image: tuple[int, int, int], squeeze: int) -> tuple[tuple[int, int, int], Tensor]:
    """Folds squares of pixels into channels.

    Arguments:
        image: Channels, height and width.
        squeeze: Pixels a side of a square.

    Returns:
        Channels, height and width afterwards; and for each place the coordinate that stands there, (D,).

    Raises:
        ConfigError: if squares do not fill the image.
    """
    channels, height, width = image
    if height % squeeze or width % squeeze:
        raise ConfigError(
            "chart.squeeze", f"a divisor of {height} and {width}", str(squeeze), "choose one, such as 2 or 4"
        )
    numbers = torch.arange(channels * height * width, dtype=torch.float64).view(1, channels, height, width)
    folded = pixel_unshuffle(numbers, squeeze)[0]
    return (folded.shape[0], folded.shape[1], folded.shape[2]), folded.flatten().long()


def count_parameters(module: nn.Module) -> int:
    """Trained numbers of a network."""
    return sum(parameter.numel() for parameter in module.parameters())


def fitted_width(build: Callable[[int], nn.Module], parameters: int) -> int:
    """The width whose network comes nearest to a number of parameters.

    Arguments:
        build: Network of a width; larger widths have more parameters.
        parameters: The number wanted.
    """

    def count(width: int) -> int:
        # Initialisers draw from torch's global stream, whose state is restored afterwards.
        with torch.random.fork_rng(devices=[]):
            return count_parameters(build(width))

    low, high = 1, 2
    while high < _MOST_WIDTH and count(high) < parameters:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) < parameters else (low, middle)
    return min((low, high), key=lambda width: abs(count(width) - parameters))
