r"""An injective flow: latents of d dimensions to a manifold in D, with a density on it.

    generate   latents -> data:  x = g(z)
    inflate    data -> latents:  the latent of a point's projection onto the manifold
    log_prob   log p(z) - 1/2 log det J^T J: density of points on the manifold, per unit of its d-dimensional volume

A point off the manifold cannot be recovered: `inflate` keeps its projection alone.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.baselines.chart import InjectiveNetwork
from inflationary_flows.baselines.layers import count_parameters
from inflationary_flows.baselines.method import RandomNumbers
from inflationary_flows.baselines.volume import LocalMap, log_volume, metric_tensor
from inflationary_flows.mathematics.eigenbasis import Eigenbasis, Rows, basis_from, basis_tensors
from inflationary_flows.mathematics.points import Points, checked, like, numbered_normal, standard_normal
from inflationary_flows.seeding import derive_seed
from inflationary_flows.training.content import weights_from

# Numbers of a batch: of points, and of Jacobians.
_BATCH_NUMBERS = 2**18


class InjectiveFlow:
    """A trained chart with the density of its latents.

    Arguments:
        network: Chart and density.
        basis: Eigenbasis of the data.
        chart: Settings that the network was built with.
        image: Channels, height and width, if the network has convolutions.
        residual_std: Standard deviations of what the projection leaves out, shape (D,), eigenbasis; none if left out.
    """

    def __init__(
        self,
        network: InjectiveNetwork,
        basis: Eigenbasis,
        chart: Mapping[str, Any],
        image: tuple[int, int, int] | None = None,
        residual_std: Tensor | None = None,
    ) -> None:
        self.network = network.eval()
        self.residual_std = torch.zeros_like(basis.eigenvalues) if residual_std is None else residual_std
        self.basis = basis
        self.chart = dict(chart)
        self.image = image

    @property
    def dimension(self) -> int:
        """Number of coordinates D."""
        return self.basis.dimension

    @property
    def kept_dims(self) -> int:
        """Number of latents d."""
        return self.network.kept_dims

    @property
    def parameters(self) -> int:
        """Trained numbers."""
        return count_parameters(self.network)

    @property
    def evaluations(self) -> int:
        """One pass of the chart for each point generated."""
        return 1

    def to(self, device: str | torch.device) -> InjectiveFlow:
        """The same flow with its network on another device; points stay where the caller has them."""
        return InjectiveFlow(
            copy.deepcopy(self.network).to(device), self.basis, self.chart, self.image, self.residual_std
        )

    def double(self) -> InjectiveFlow:
        """The same flow with its network in float64, for checks below float32 rounding."""
        return InjectiveFlow(
            copy.deepcopy(self.network).double(), self.basis, self.chart, self.image, self.residual_std
        )

    def _in_batches(self, function: Callable[[Tensor], Tensor], rows: Tensor, numbers: int) -> Tensor:
        size = max(1, _BATCH_NUMBERS // numbers)
        parts = [function(part).double().cpu() for part in rows.split(size)]
        return torch.cat(parts)

    @torch.no_grad()
    def inflate(self, x: Points) -> Points:
        """Carries data to latents.

        Arguments:
            x: Points, shape (n, D), data units.

        Returns:
            Latents, shape (n, d), float64.

        Raises:
            DataError: if D is not the flow's dimension, or x is not finite.
        """
        points = checked(x, self.dimension, "x")

        def encode(part: Tensor) -> Tensor:
            return self.network.encode(self.network.standardise(self.basis, part))

        return like(self._in_batches(encode, points, self.dimension), x)

    @torch.no_grad()
    def generate(self, z: Points) -> Points:
        """Carries latents, shape (n, d), to points of the manifold, shape (n, D), data units; errors as `inflate`."""
        latents = checked(z, self.kept_dims, "z")
        decode = self.network.decoder()

        def restore(part: Tensor) -> Tensor:
            return self.network.restore(self.basis, decode(part.to(self.network.weight)))

        return like(self._in_batches(restore, latents, self.dimension), z)

    def reconstruct(self, x: np.ndarray) -> np.ndarray:
        """Projects points onto the manifold, shape (n, D), data units."""
        return self.generate(self.inflate(x))

    def with_residuals(self, x: Rows) -> InjectiveFlow:
        """The same flow, with the spread of what it leaves out of points, shape (n, D), along each direction."""
        points = torch.as_tensor(np.asarray(x), dtype=torch.float64)
        left = self.basis.to_eigen(points) - self.basis.to_eigen(self.generate(self.inflate(points)))
        residual_std = left.square().mean(0).sqrt()
        return InjectiveFlow(self.network, self.basis, self.chart, self.image, residual_std)

    def round_trip(self, x: np.ndarray) -> np.ndarray:
        """The same: there are no other latents."""
        return self.reconstruct(x)

    @torch.no_grad()
    def _latents(self, normal: Tensor) -> Tensor:
        transform = self.network.latent_transform()
        return transform.inv(normal.to(self.network.weight)).double().cpu()

    def sample_latents(self, n: int, seed: int) -> Tensor:
        """Draws latents, shape (n, d), float64; the same seed gives the same first latents for any n."""
        return self._latents(standard_normal(n, self.kept_dims, derive_seed("latents", seed)))

    def sample(self, n: int, seed: int, random: RandomNumbers | None = None) -> np.ndarray:
        """Generates n new points, shape (n, D), data units: of the manifold, or (`D`) with residual noise around it."""
        points = self.generate(self.sample_latents(n, seed))
        if random == "D":
            points = self.basis.to_eigen(points)
            points += self.residual_std * standard_normal(n, self.dimension, derive_seed("residuals", seed))
            points = self.basis.from_eigen(points)
        return points.numpy()

    def sample_numbered(self, first: int, count: int, seed: int) -> np.ndarray:
        """Generates the points number first ... first + count - 1 of a seed, shape (count, D), data units."""
        return self.generate(self._latents(numbered_normal(first, count, self.kept_dims, "image", seed))).numpy()

    def jacobian(self, z: Points) -> Points:
        """dx / dz, shape (n, D, d), data units."""
        latents = checked(z, self.kept_dims, "z")
        decode = self.network.decoder()

        def columns(part: Tensor) -> Tensor:
            return LocalMap(decode, part.to(self.network.weight), differentiable=False).jacobian().detach()

        jacobian = self._in_batches(columns, latents, self.dimension * self.kept_dims)
        if not self.network.convolutional:
            jacobian = self.basis.vectors @ jacobian
        return like(self.basis.scale[:, None] * jacobian, z)

    def log_prob(self, x: Points) -> Points:
        """Log density of the projections of points onto the manifold, in nats.

        Arguments:
            x: Points, shape (n, D), data units.

        Returns:
            Shape (n,), float64, per unit of the manifold's volume in data units; log det exact, by d products a point.

        Raises:
            DataError: if D is not the flow's dimension, or x is not finite.
        """
        points = checked(x, self.dimension, "x")
        z = self.inflate(points)
        with torch.no_grad():
            latent = self._in_batches(lambda part: self.network.latent_log_prob(part.to(self.network.weight)), z, 1)
        return like(latent - log_volume(metric_tensor(self.jacobian(z))), x)


def pack(model: InjectiveFlow) -> tuple[dict[str, Any], dict[str, Any]]:
    """An injective flow as tensors and plain values."""
    tensors: dict[str, Any] = {f"network.{name}": value for name, value in model.network.state_dict().items()}
    tensors |= {f"eigenbasis.{name}": value for name, value in basis_tensors(model.basis).items()}
    tensors["residual_std"] = model.residual_std
    image = None if model.image is None else list(model.image)
    return tensors, {"kind": "injective flow", "kept_dims": model.kept_dims, "chart": model.chart, "image": image}


def unpack(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, Any]) -> InjectiveFlow:
    """The inverse of `pack`; KeyError, TypeError or RuntimeError if they do not fit."""
    basis = basis_from(tensors, "eigenbasis.")
    image = None if metadata["image"] is None else tuple(metadata["image"])
    network = InjectiveNetwork(basis, int(metadata["kept_dims"]), metadata["chart"], image)
    network.load_state_dict(weights_from(tensors))
    network.requires_grad_(False)
    residual_std = torch.from_numpy(np.asarray(tensors["residual_std"], dtype=np.float64))
    return InjectiveFlow(network, basis, metadata["chart"], image, residual_std)
