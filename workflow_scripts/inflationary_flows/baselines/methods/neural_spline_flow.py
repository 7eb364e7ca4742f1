r"""Neural spline flow: couplings of rational-quadratic splines, in all coordinates (Durkan and others, 2019).

    max E log N(h(y); 0, I) + log |det dh/dy|

on whitened data y. It has an exact density and as many latents as coordinates, in no order: which d of them are kept is
arbitrary, so that `reconstruct` says how little the first ones of an unordered code hold.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.baselines.layers import (
    Invertible,
    count_parameters,
    coupling_layers,
    fitted_width,
    normalising_layer,
)
from inflationary_flows.baselines.method import RandomNumbers, TrainingTask
from inflationary_flows.baselines.training import Phase, train_phases
from inflationary_flows.baselines.whitening import Whitening
from inflationary_flows.checkpoint import Checkpoint
from inflationary_flows.mathematics.eigenbasis import Eigenbasis, basis_from, basis_tensors
from inflationary_flows.mathematics.points import numbered_normal, standard_normal
from inflationary_flows.networks.costs import network_cost
from inflationary_flows.seeding import derive_seed
from inflationary_flows.training.content import weights_from

_ROWS = 2**14


@dataclass(frozen=True)
class Settings:
    """Hyper-parameters of a neural spline flow.

    Attributes:
        learning_rate: Peak rate.
    """

    learning_rate: float = 2e-3


class SplineFlow:
    """A trained flow.

    Arguments:
        network: Map of whitened data to standard normal numbers.
        basis: Eigenbasis of the data.
        kept_dims: Number of latents d that reconstructions keep.
        chart: `layers`, `bins`, `hidden_layers` and `width` of the network.
    """

    evaluations = 1

    def __init__(self, network: Invertible, basis: Eigenbasis, kept_dims: int, chart: Mapping[str, Any]) -> None:
        self.network = network.eval()
        self.basis = basis
        self.kept_dims = kept_dims
        self.chart = dict(chart)
        self.whitening = Whitening(basis)

    @property
    def dimension(self) -> int:
        """Number of coordinates D."""
        return self.basis.dimension

    @property
    def parameters(self) -> int:
        """Trained numbers."""
        return count_parameters(self.network)

    def to(self, device: str) -> SplineFlow:
        """The same flow with its network on another device."""
        return SplineFlow(copy.deepcopy(self.network).to(device), self.basis, self.kept_dims, self.chart)

    def _on_device(self, rows: Tensor) -> Tensor:
        return rows.to(next(self.network.parameters()))

    @torch.no_grad()
    def inflate(self, x: np.ndarray) -> Tensor:
        """Carries data, shape (n, D), to latents, shape (n, k)."""
        transform = self.network.transform()
        parts = self.whitening.whiten(x).split(_ROWS)
        return torch.cat([transform(self._on_device(part)).double().cpu() for part in parts])

    @torch.no_grad()
    def generate(self, z: Tensor) -> np.ndarray:
        """Carries latents, shape (n, k), to data, shape (n, D)."""
        inverse = self.network.transform().inv
        return self.whitening.restore(torch.cat([inverse(self._on_device(part)).cpu() for part in z.split(_ROWS)]))

    @torch.no_grad()
    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Log density of the directions in which data vary, per unit of whitened volume, nats, shape (n,)."""
        y = self._on_device(self.whitening.whiten(x))
        return log_density(self.network, y).double().cpu().numpy()

    def _kept(self, z: Tensor) -> Tensor:
        z[:, self.kept_dims :] = 0.0
        return z

    def sample(self, n: int, seed: int, random: RandomNumbers | None = None) -> np.ndarray:
        """New points, shape (n, D), data units."""
        z = standard_normal(n, self.whitening.dimension, derive_seed("latents", seed))
        return self.generate(self._kept(z) if random == "d" else z)

    def sample_numbered(self, first: int, count: int, seed: int) -> np.ndarray:
        """The points number first ... first + count - 1 of a seed, shape (count, D)."""
        return self.generate(numbered_normal(first, count, self.whitening.dimension, "image", seed))

    def reconstruct(self, x: np.ndarray) -> np.ndarray:
        """Points from their first d latents alone, shape (n, D)."""
        return self.generate(self._kept(self.inflate(x)))

    def round_trip(self, x: np.ndarray) -> np.ndarray:
        """Points from all of their latents, shape (n, D)."""
        return self.generate(self.inflate(x))


def log_density(network: Invertible, y: Tensor) -> Tensor:
    """Log density of whitened points, shape (n, k): nats, shape (n,)."""
    normal, log_volume = network.transform().call_and_ladj(y)
    return log_volume - (normal.square().sum(-1) + y.shape[1] * math.log(2 * math.pi)) / 2


def build_network(dimension: int, chart: Mapping[str, Any]) -> Invertible:
    """Splines of all coordinates; `layers`, `bins`, `hidden_layers` and `width` are those of the budget's chart."""
    sizes = {name: chart[name] for name in ("bins", "hidden_layers", "width")}
    return Invertible(
        [*coupling_layers(dimension, chart["layers"], kind="spline", **sizes), normalising_layer(dimension)]
    )


def likelihood_loss(network: Invertible, y: Tensor, _: torch.Generator) -> Tensor:
    """Mean negative log density."""
    return -log_density(network, y).mean()


@torch.no_grad()
def _measure(network: Invertible, y: Tensor) -> dict[str, float]:
    return {"validation_loss": float(-log_density(network, y).mean() / y.shape[1])}


def fit(
    task: TrainingTask, settings: Settings, *, steps: int, seed: int, checkpoint: Checkpoint, device: str = "cpu"
) -> tuple[SplineFlow, list[dict[str, Any]]]:
    """Trains a neural spline flow by maximum likelihood; see `train_phases`."""
    whitening, chart = Whitening(task.basis), dict(task.budget["chart"])
    parameters = network_cost(task.network, task.dimension).parameters
    chart["width"] = fitted_width(
        lambda width: build_network(whitening.dimension, {**chart, "width": width}), parameters
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed("spline weights", seed))
        network = build_network(whitening.dimension, chart).to(device)
    average, curve = train_phases(
        network,
        [Phase("likelihood", steps, likelihood_loss)],
        task=task,
        points=lambda x: whitening.whiten(x).to(device),
        measure=_measure,
        learning_rate=settings.learning_rate,
        seed=seed,
        checkpoint=checkpoint,
    )
    return SplineFlow(average, task.basis, task.kept_dims, chart), curve


def pack(model: SplineFlow) -> tuple[dict[str, Any], dict[str, Any]]:
    """A flow as tensors and plain values."""
    tensors: dict[str, Any] = {f"network.{name}": value for name, value in model.network.state_dict().items()}
    tensors |= {f"eigenbasis.{name}": value for name, value in basis_tensors(model.basis).items()}
    return tensors, {"kind": "neural spline flow", "kept_dims": model.kept_dims, "chart": model.chart}


def unpack(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, Any]) -> SplineFlow:
    """The inverse of `pack`."""
    basis = basis_from(tensors, "eigenbasis.")
    network = build_network(Whitening(basis).dimension, metadata["chart"])
    network.load_state_dict(weights_from(tensors))
    return SplineFlow(network.requires_grad_(False), basis, int(metadata["kept_dims"]), metadata["chart"])
