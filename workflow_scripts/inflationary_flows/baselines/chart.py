r"""The chart of an injective flow, and the density of its latents.

    x = g(z) = h(z_1 ... z_d, 0 ... 0),      h invertible on R^D
    z = the first d coordinates of h^-1(x),  which is g^-1 on the manifold, and elsewhere a projection onto it

(Brehmer and Cranmer, 2020).  h is a sequence of couplings between fixed linear maps.  With perceptrons the couplings
act in whitened eigen coordinates; with convolutions on pixels, and zero-padded latents are rotated there by the
eigenvectors. Couplings begin near the identity, so that the chart begins near the projection onto d principal
components, the best linear one.

Points are standardised, (x - mean) / scale, and by perceptrons rotated into the eigenbasis: both keep distances and
volumes of standardised data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from inflationary_flows.baselines.layers import (
    ConvolutionalCoupling,
    Invertible,
    coupling_layers,
    fitted_width,
    normalising_layer,
    unshuffled,
)
from inflationary_flows.errors import ConfigError
from inflationary_flows.extras import needs
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.seeding import derive_seed

with needs("injective flows", "baselines"):
    from zuko.transforms import Transform

# Directions of less than this share of the largest standard deviation are whitened as if they had it.
_LEAST_STD = 1e-3
# Latents need fewer functions than data: their networks are this much narrower.
_LATENT_SHARE = 2


class InjectiveNetwork(nn.Module):
    """The trained part of an injective flow: the chart and the density of latents.

    Arguments:
        basis: Eigenbasis of the data.
        kept_dims: Number of latents d.
        chart: `layers`, `univariate`, `bins`, `hidden_layers`, `conditioner`, `squeeze`, `latent_layers` and `width`.
        image: Channels, height and width, for convolutions.

    Raises:
        ConfigError: if convolutions are asked for without an image.
    """

    unit: Tensor
    order: Tensor
    place: Tensor
    embedding: Tensor
    projection: Tensor

    def __init__(
        self,
        basis: Eigenbasis,
        kept_dims: int,
        chart: Mapping[str, Any],
        image: tuple[int, int, int] | None = None,
    ) -> None:
        super().__init__()
        self.dimension, self.kept_dims = basis.dimension, kept_dims
        std = basis.eigenvalues.sqrt()
        std = std.clamp_min(_LEAST_STD * float(std.max()))
        size = {"bins": chart["bins"], "width": chart["width"], "hidden_layers": chart["hidden_layers"]}
        self.convolutional = chart["conditioner"] == "convolution"
        if self.convolutional:
            if image is None:
                raise ConfigError("chart.conditioner", "mlp, for points", "convolution", "convolutions need images")
            shape, order = unshuffled(image, chart["squeeze"])
            couplings = [
                ConvolutionalCoupling(shape, layer, kind=chart["univariate"], **size)
                for layer in range(chart["layers"])
            ]
            self.layers = Invertible(couplings)
            self._keep("order", order)
            self._keep("place", order.argsort())
            self._keep("embedding", (basis.vectors[:, :kept_dims] * std[:kept_dims]))
            self._keep("projection", (basis.vectors[:, :kept_dims] / std[:kept_dims]))
            # One unit for all pixels, in which layers see numbers near one.
            self._keep("unit", basis.eigenvalues.mean().sqrt())
        else:
            made = coupling_layers(self.dimension, chart["layers"], kind=chart["univariate"], **size)
            self.layers = Invertible(made)
            self._keep("unit", std)
        narrow = {**size, "width": max(4, chart["width"] // _LATENT_SHARE)}
        density = coupling_layers(kept_dims, chart["latent_layers"], kind="spline", **narrow)
        self.density = Invertible([normalising_layer(kept_dims), *density])

    def _keep(self, name: str, value: Tensor) -> None:
        # Follows from the eigenbasis, which a file holds anyway. In float64, so that both ways are inverse to each
        # other in any precision of the weights.
        self.register_buffer(name, value, persistent=False)

    @property
    def weight(self) -> Tensor:
        """One of the weights: precision and device of points."""
        return next(self.parameters())

    def standardise(self, basis: Eigenbasis, x: Tensor) -> Tensor:
        """Data, shape (n, D), float64, to the coordinates of the chart, in the precision of the weights."""
        points = (x - basis.mean) / basis.scale if self.convolutional else basis.to_eigen(x)
        return points.to(self.weight)

    def restore(self, basis: Eigenbasis, points: Tensor) -> Tensor:
        """The inverse of `standardise`, float64, on the CPU."""
        points = points.double().cpu()
        return basis.mean + basis.scale * points if self.convolutional else basis.from_eigen(points)

    def decoder(self) -> Callable[[Tensor], Tensor]:
        """g of the present weights: latents (n, d) to points (n, D) of the chart's coordinates."""
        transform, unit = self.layers.transform(), self.unit.to(self.weight)
        if not self.convolutional:
            empty = self.dimension - self.kept_dims
            return lambda z: unit * transform(nn.functional.pad(z, (0, empty)))
        embedding = (self.embedding / self.unit).to(self.weight)

        def decode(z: Tensor) -> Tensor:
            pixels = z @ embedding.mT
            return unit * transform(pixels[..., self.order])[..., self.place]

        return decode

    def encode(self, points: Tensor) -> Tensor:
        """Latents of points, shape (n, d)."""
        inverse, unit = self.layers.transform().inv, self.unit.to(self.weight)
        if not self.convolutional:
            return inverse(points / unit)[..., : self.kept_dims]
        pixels = inverse((points / unit)[..., self.order])[..., self.place]
        return pixels @ (self.projection * self.unit).to(self.weight)

    def latent_transform(self) -> Transform:
        """The map of latents to standard normal numbers, of the present weights."""
        return self.density.transform()

    def latent_log_prob(self, z: Tensor) -> Tensor:
        """Log density of latents, in nats, shape (n,)."""
        normal, log_volume = self.latent_transform().call_and_ladj(z)
        return log_volume - (normal.square().sum(-1) + self.kept_dims * math.log(2 * math.pi)) / 2


def build_network(
    basis: Eigenbasis, kept_dims: int, chart: Mapping[str, Any], image: tuple[int, int, int] | None, seed: int
) -> InjectiveNetwork:
    """Builds a network with seeded initial weights, in float32; arguments as of `InjectiveNetwork`."""
    # Initialisers draw from torch's global stream, whose state is restored afterwards.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed("injective weights", seed))
        return InjectiveNetwork(basis, kept_dims, chart, image)


def chart_of_size(
    basis: Eigenbasis,
    kept_dims: int,
    chart: Mapping[str, Any],
    image: tuple[int, int, int] | None,
    parameters: int,
) -> dict[str, Any]:
    """A chart's settings with the width that brings its network nearest to a number of parameters."""

    def build(width: int) -> nn.Module:
        return InjectiveNetwork(basis, kept_dims, {**chart, "width": width}, image)

    return {**chart, "width": fitted_width(build, parameters)}
