"""Interfaces of the compared methods: their training task, their model, their module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from inflationary_flows.checkpoint import Checkpoint
from inflationary_flows.mathematics.eigenbasis import Eigenbasis, Rows
from inflationary_flows.mathematics.prior import CompressedPrior

# Random numbers of a generated point: as many as coordinates (or more), or as many as dimensions are kept.
RandomNumbers = Literal["D", "d"]
RANDOM_NUMBERS: tuple[RandomNumbers, ...] = ("D", "d")


@dataclass(frozen=True, eq=False)
class TrainingTask:
    """Data, the number of dimensions to keep, and the budget of all methods.

    Attributes:
        train, validation: Data, shape (n, D), data units.
        basis: Eigenbasis of the training data.
        schedule: Arguments of `make_schedule`; `kept_dims` is the d that every method maps to.
        network: Arguments of `build_network`: the number of parameters of this score network is every method's.
        training: Fields of `TrainingSettings`, which inflationary flows are trained with.
        solver: Fields of `SolverSettings`, by which they are integrated.
        compressed_prior: Their prior of compressed latents.
        budget: Batches, layers and accuracies of injective flows, as `baselines.budgets.<name>` of the configuration.
        image: Channels, height and width, if rows are images.
    """

    train: Rows
    validation: Rows
    basis: Eigenbasis
    schedule: Mapping[str, Any]
    network: Mapping[str, Any]
    training: Mapping[str, Any]
    solver: Mapping[str, Any]
    compressed_prior: CompressedPrior
    budget: Mapping[str, Any]
    image: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        self.basis.require_affine("comparison of methods")

    @property
    def dimension(self) -> int:
        """Number of coordinates D."""
        return self.basis.dimension

    @property
    def kept_dims(self) -> int:
        """Number of dimensions d to keep."""
        return int(self.schedule["kept_dims"])


class Model(Protocol):
    """A trained model of data that keeps d dimensions; points are float64, data units."""

    @property
    def dimension(self) -> int:
        """Number of coordinates D."""

    @property
    def kept_dims(self) -> int:
        """Number of kept dimensions d."""

    @property
    def parameters(self) -> int:
        """Trained numbers."""

    @property
    def evaluations(self) -> int:
        """Evaluations of the network for each point generated."""

    def sample(self, n: int, seed: int, random: RandomNumbers | None = None) -> np.ndarray:
        """New points, shape (n, D), from D or d random numbers each; by default as the method was published."""

    def sample_numbered(self, first: int, count: int, seed: int) -> np.ndarray:
        """The points number first ... first + count - 1 of a seed: independent of how they are batched."""

    def reconstruct(self, x: np.ndarray) -> np.ndarray:
        """Reconstructions of points from d latents, shape (n, D)."""

    def round_trip(self, x: np.ndarray) -> np.ndarray:
        """Reconstructions of points from all latents, shape (n, D)."""

    def to(self, device: str) -> Model:
        """The same model with its network on another device."""


class Method(Protocol):
    """A module of `baselines.methods`.

    Attributes:
        Settings: Frozen dataclass of hyper-parameters, plain values with defaults.
    """

    Settings: type

    def fit(
        self,
        task: TrainingTask,
        settings: Any,
        *,
        steps: int,
        seed: int,
        checkpoint: Checkpoint,
        device: str = "cpu",
    ) -> tuple[Model, list[dict[str, Any]]]:
        """Trains a model, or resumes an interrupted run.

        Returns:
            The model, and the rows of its training curve.

        Raises:
            TrainingError: if the loss is not finite.
            Interrupted: if it was asked to stop; the state is kept.
        """

    def pack(self, model: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """A model as tensors and plain values."""

    def unpack(self, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, Any]) -> Model:
        """The inverse of `pack`; KeyError, TypeError or RuntimeError if they do not fit."""
