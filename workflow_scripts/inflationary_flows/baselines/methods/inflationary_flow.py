"""Inflationary flows as one of the compared methods.

An inflationary flow has as many latents as coordinates; a reducing schedule makes all but d of them small. The
reconstruction from d latents is generated with the compressed latents at their mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from inflationary_flows.baselines.layers import count_parameters
from inflationary_flows.baselines.method import RandomNumbers, TrainingTask
from inflationary_flows.checkpoint import Checkpoint
from inflationary_flows.mathematics.denoisers import NetworkDenoiser
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.training import fit as training
from inflationary_flows.training.assembly import assemble
from inflationary_flows.training.flow_content import flow_content, flow_from, solver_settings
from inflationary_flows.training.kernels import Kernels
from inflationary_flows.training.settings import TrainingSettings

# A tenth of the usual number: inflating them takes a good part of a short training.
_COMPRESSED_LATENTS = 2_000


@dataclass(frozen=True)
class Settings:
    """Hyper-parameters of an inflationary flow that are searched; the others are those of its data set's training.

    Attributes:
        learning_rate: Peak rate.
    """

    learning_rate: float = 5e-3


class InflationaryModel:
    """A reducing flow as a model that keeps d dimensions.

    Arguments:
        flow: The flow.
        described: Arguments of `make_schedule` and `build_network`, to be saved with it.
    """

    def __init__(self, flow: Flow, described: Mapping[str, Any]) -> None:
        self.flow = flow
        self.described = dict(described)

    @property
    def dimension(self) -> int:
        """Number of coordinates D."""
        return self.flow.dimension

    @property
    def kept_dims(self) -> int:
        """Number of kept dimensions d."""
        return self.flow.schedule.kept_dims

    @property
    def parameters(self) -> int:
        """Trained numbers."""
        denoiser = self.flow.denoiser
        assert isinstance(denoiser, NetworkDenoiser)
        return count_parameters(denoiser.network)

    @property
    def evaluations(self) -> int:
        """Evaluations of the network for each point generated."""
        return self.flow.evaluations()

    def sample(self, n: int, seed: int, random: RandomNumbers | None = None) -> np.ndarray:
        """New points, shape (n, D), data units; of d random numbers with compressed latents at their mean."""
        return self.flow.sample(n, seed, "zero" if random == "d" else None)

    def sample_numbered(self, first: int, count: int, seed: int) -> np.ndarray:
        """The points number first ... first + count - 1 of a seed, shape (count, D)."""
        return self.flow.generate(self.flow.prior().sample_numbered(first, count, seed)).numpy()

    def reconstruct(self, x: np.ndarray) -> np.ndarray:
        """Points from their kept latents alone, shape (n, D)."""
        latents = self.flow.inflate(x)
        latents[:, self.kept_dims :] = 0.0
        return self.flow.generate(latents)

    def round_trip(self, x: np.ndarray) -> np.ndarray:
        """Points from all of their latents, shape (n, D)."""
        return self.flow.round_trip(x)

    def to(self, device: str) -> InflationaryModel:
        """The same model with its network on another device."""
        return InflationaryModel(self.flow.to(device), self.described)


def fit(
    task: TrainingTask, settings: Settings, *, steps: int, seed: int, checkpoint: Checkpoint, device: str = "cpu"
) -> tuple[InflationaryModel, list[dict[str, Any]]]:
    """Trains a reducing flow; see `training.fit.fit`."""
    schedule = make_schedule(task.basis.eigenvalues, **task.schedule)
    chosen = TrainingSettings(**task.training)
    chosen = replace(
        chosen,
        steps=steps,
        learning_rate=settings.learning_rate,
        warmup_steps=min(chosen.warmup_steps, steps // 5),
    )
    denoiser, curve = training.fit(
        task.train,
        task.validation,
        task.basis,
        Kernels([schedule]),
        dict(task.network),
        chosen,
        seed=seed,
        checkpoint=checkpoint,
        device=device,
    )
    flow = assemble(
        denoiser,
        task.train,
        solver=solver_settings(task.solver),
        compressed_prior=task.compressed_prior,
        held=_COMPRESSED_LATENTS,
        device=device,
    )
    return InflationaryModel(flow, {"schedule": dict(task.schedule), "network": dict(task.network)}), curve


def pack(model: InflationaryModel) -> tuple[dict[str, Any], dict[str, Any]]:
    """A flow as tensors and plain values, which `Flow.load` reads as well."""
    return flow_content(model.flow, {**model.described, "kind": "flow"})


def unpack(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, Any]) -> InflationaryModel:
    """The inverse of `pack`."""
    described = {name: metadata[name] for name in ("schedule", "network")}
    return InflationaryModel(flow_from(tensors, metadata), described)
