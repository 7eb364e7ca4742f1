r"""Variational autoencoder (Kingma and Welling, 2014), with a noise of the decoder that is learned for each direction.

    p(z) = N(0, I_d),   p(y | z) = N(g(z), diag s^2),   q(z | y) = N(m(y), diag v(y))
    max E_q[ log p(y | z) ] - KL( q(z | y) || p(z) )

on whitened data y. Its posterior q(z | y) is trained, not derived. Whether it is that of the model can be tested:
pairs of z and y can be drawn from the model itself.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from inflationary_flows.baselines.layers import count_parameters, fitted_width
from inflationary_flows.baselines.method import RandomNumbers, TrainingTask
from inflationary_flows.baselines.training import Phase, train_phases
from inflationary_flows.baselines.whitening import Whitening
from inflationary_flows.checkpoint import Checkpoint
from inflationary_flows.mathematics.eigenbasis import Eigenbasis, basis_from, basis_tensors
from inflationary_flows.mathematics.points import numbered_normal, standard_normal
from inflationary_flows.networks.costs import network_cost
from inflationary_flows.seeding import derive_seed
from inflationary_flows.training.content import weights_from

# A decoder that begins with as much noise as there are data leaves its latents unused.
_FIRST_NOISE = 0.3


@dataclass(frozen=True)
class Settings:
    """Hyper-parameters of a variational autoencoder.

    Attributes:
        learning_rate: Peak rate.
    """

    learning_rate: float = 2e-3


def _perceptron(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


class Autoencoder(nn.Module):
    """Encoder, decoder and noise, in whitened coordinates.

    Arguments:
        dimension: Number of coordinates k.
        kept_dims: Number of latents d.
        width, hidden_layers: Size of both networks.
    """

    def __init__(self, dimension: int, kept_dims: int, *, width: int, hidden_layers: int) -> None:
        super().__init__()
        self.hidden_layers, self.width = hidden_layers, width
        hidden = [width] * hidden_layers
        self.encoder = _perceptron(dimension, *hidden, 2 * kept_dims)
        self.decoder = _perceptron(kept_dims, *hidden, dimension)
        self.log_noise = nn.Parameter(torch.full((dimension,), math.log(_FIRST_NOISE)))

    def posterior(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation of q(z | y), shape (n, d) each."""
        mean, log_std = self.encoder(y).chunk(2, -1)
        return mean, log_std

    def log_likelihood(self, y: Tensor, z: Tensor) -> Tensor:
        """log p(y | z), nats; the last axes of points and latents are coordinates."""
        deviation = (y - self.decoder(z)) * torch.exp(-self.log_noise)
        constant = y.shape[-1] * math.log(2 * math.pi) / 2 + self.log_noise.sum()
        return -deviation.square().sum(-1) / 2 - constant


def evidence_loss(network: Autoencoder, y: Tensor, generator: torch.Generator) -> Tensor:
    """Mean negative lower bound of log p(y), one sample a point."""
    mean, log_std = network.posterior(y)
    noise = torch.randn(mean.shape, generator=generator).to(mean)
    reconstructed = network.log_likelihood(y, mean + log_std.exp() * noise)
    divergence = (mean.square() + torch.exp(2 * log_std) - 1).sum(-1) / 2 - log_std.sum(-1)
    return (divergence - reconstructed).mean()


class VariationalModel:
    """A trained autoencoder.

    Arguments:
        network: Encoder, decoder and noise.
        basis: Eigenbasis of the data.
        kept_dims: Number of latents d.
    """

    evaluations = 1

    def __init__(self, network: Autoencoder, basis: Eigenbasis, kept_dims: int) -> None:
        self.network = network.eval()
        self.basis = basis
        self.kept_dims = kept_dims
        self.whitening = Whitening(basis)

    @property
    def dimension(self) -> int:
        """Number of coordinates D."""
        return self.basis.dimension

    @property
    def parameters(self) -> int:
        """Trained numbers."""
        return count_parameters(self.network)

    def to(self, device: str) -> VariationalModel:
        """The same model with its network on another device."""
        return VariationalModel(copy.deepcopy(self.network).to(device), self.basis, self.kept_dims)

    def _on_device(self, rows: Tensor) -> Tensor:
        return rows.to(self.network.log_noise)

    @torch.no_grad()
    def decode(self, z: Tensor, noise: Tensor | None = None) -> np.ndarray:
        """Points of latents, shape (n, d), with or without noise, standard normal, shape (n, k): data units."""
        y = self.network.decoder(self._on_device(z))
        if noise is not None:
            y = y + torch.exp(self.network.log_noise) * self._on_device(noise)
        return self.whitening.restore(y)

    @torch.no_grad()
    def encode(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the posterior q of points, shape (n, D): shape (n, d) each."""
        mean, log_std = self.network.posterior(self._on_device(self.whitening.whiten(x)))
        return mean.double().cpu().numpy(), log_std.exp().double().cpu().numpy()

    @torch.no_grad()
    def log_likelihood(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """log p(y | z) of every point, shape (n, D), and every latent, shape (m, d): nats, shape (n, m)."""
        y = self._on_device(self.whitening.whiten(x))
        latents = self._on_device(torch.from_numpy(z))
        return np.stack([self.network.log_likelihood(point, latents).double().cpu().numpy() for point in y])

    def sample_joint(self, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Draws latents, shape (n, d), and a point of each, shape (n, D), from the model."""
        z = standard_normal(n, self.kept_dims, derive_seed("latents", seed))
        noise = standard_normal(n, self.whitening.dimension, derive_seed("decoder noise", seed))
        return z.numpy(), self.decode(z, noise)

    def sample(self, n: int, seed: int, random: RandomNumbers | None = None) -> np.ndarray:
        """New points, shape (n, D), data units; of d random numbers without the noise of the decoder."""
        z, x = self.sample_joint(n, seed)
        return self.decode(torch.from_numpy(z)) if random == "d" else x

    def sample_numbered(self, first: int, count: int, seed: int) -> np.ndarray:
        """The points number first ... first + count - 1 of a seed, shape (count, D)."""
        numbers = numbered_normal(first, count, self.kept_dims + self.whitening.dimension, "image", seed)
        return self.decode(numbers[:, : self.kept_dims], numbers[:, self.kept_dims :])

    def reconstruct(self, x: np.ndarray) -> np.ndarray:
        """Points from the means of their latents, shape (n, D)."""
        return self.decode(torch.from_numpy(self.encode(x)[0]))

    def round_trip(self, x: np.ndarray) -> np.ndarray:
        """The same: there are no other latents."""
        return self.reconstruct(x)


@torch.no_grad()
def _measure(network: Autoencoder, y: Tensor) -> dict[str, float]:
    loss = evidence_loss(network, y, torch.Generator().manual_seed(0))
    return {"validation_loss": float(loss / y.shape[1])}


def fit(
    task: TrainingTask, settings: Settings, *, steps: int, seed: int, checkpoint: Checkpoint, device: str = "cpu"
) -> tuple[VariationalModel, list[dict[str, Any]]]:
    """Trains a variational autoencoder; see `train_phases`."""
    whitening, hidden_layers = Whitening(task.basis), task.budget["chart"]["hidden_layers"]

    def build(width: int) -> Autoencoder:
        return Autoencoder(whitening.dimension, task.kept_dims, width=width, hidden_layers=hidden_layers)

    width = fitted_width(build, network_cost(task.network, task.dimension).parameters)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed("autoencoder weights", seed))
        network = build(width).to(device)
    average, curve = train_phases(
        network,
        [Phase("evidence", steps, evidence_loss)],
        task=task,
        points=lambda x: whitening.whiten(x).to(device),
        measure=_measure,
        learning_rate=settings.learning_rate,
        seed=seed,
        checkpoint=checkpoint,
    )
    return VariationalModel(average, task.basis, task.kept_dims), curve


def pack(model: VariationalModel) -> tuple[dict[str, Any], dict[str, Any]]:
    """An autoencoder as tensors and plain values."""
    tensors: dict[str, Any] = {f"network.{name}": value for name, value in model.network.state_dict().items()}
    tensors |= {f"eigenbasis.{name}": value for name, value in basis_tensors(model.basis).items()}
    size = {"width": model.network.width, "hidden_layers": model.network.hidden_layers}
    return tensors, {"kind": "variational autoencoder", "kept_dims": model.kept_dims, **size}


def unpack(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, Any]) -> VariationalModel:
    """The inverse of `pack`."""
    basis = basis_from(tensors, "eigenbasis.")
    kept_dims = int(metadata["kept_dims"])
    size = {name: int(metadata[name]) for name in ("width", "hidden_layers")}
    network = Autoencoder(Whitening(basis).dimension, kept_dims, **size)
    network.load_state_dict(weights_from(tensors))
    return VariationalModel(network.requires_grad_(False), basis, kept_dims)
