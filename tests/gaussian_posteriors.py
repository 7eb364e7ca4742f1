"""Exact posteriors of Gaussian data, in the place of a sampler, and faults that one may have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from inflationary_flows.inference.posterior import Posterior
from inflationary_flows.mathematics.denoisers import GaussianDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.noise import noise_of
from inflationary_flows.mathematics.schedules import make_schedule

COVARIANCE = np.array([[1.0, 0.6, 0.2], [0.6, 1.0, -0.3], [0.2, -0.3, 0.5]])


def gaussian_rows(n: int, seed: int, covariance: np.ndarray = COVARIANCE) -> np.ndarray:
    """Rows of N(0, covariance)."""
    return np.random.default_rng(seed).multivariate_normal(np.zeros(len(covariance)), covariance, n)


def gaussian_flow(covariance: np.ndarray = COVARIANCE) -> Flow:
    """The flow of N(0, covariance), to the first noise; F = 0, so that one step carries points exactly."""
    values, vectors = np.linalg.eigh(covariance)
    eigenvalues, directions = torch.from_numpy(values[::-1].copy()), torch.from_numpy(vectors[:, ::-1].copy())
    nothing, ones = torch.zeros(len(values), dtype=torch.float64), torch.ones(len(values), dtype=torch.float64)
    basis = Eigenbasis(nothing, ones, directions, eigenvalues)
    schedule = make_schedule(basis.eigenvalues, signal_left=1e-2, gamma0=1e-6)
    return Flow(GaussianDenoiser(schedule), basis, solver=SolverSettings("rk4", 1))


def as_posterior(x: np.ndarray, z: np.ndarray, rhat: np.ndarray, ess: float = np.inf) -> Posterior:
    """Draws, shape (rows, chains, draws, D), as the sampler hands them over, with diagnostics of each row."""
    rows, dimension = len(x), x.shape[3]
    sizes = np.full((rows, dimension), ess)
    return Posterior(
        x=x,
        z=z,
        log_density=np.zeros(x.shape[:3]),
        free=np.ones((rows, dimension), dtype=bool),
        rhat=np.repeat(rhat[:, None], dimension, 1),
        ess_bulk=sizes,
        ess_tail=sizes,
        divergences=np.zeros(rows),
        pareto_k=np.full(rows, np.nan),
        surprise=np.full(rows, np.nan),
        method=np.full(rows, "chains"),
        names=tuple(f"x{place}" for place in range(dimension)),
        prior="known",
        index=range(rows),
    )


@dataclass(frozen=True)
class ExactSampler:
    """`infer` for Gaussian flows, by its closed form, or with a fault.

    Attributes:
        width: Standard deviations of draws, times the true ones.
        shift: What is added to draws, in standard deviations of the posterior.
        persistence: Draws that are the same, one after another.
        start: Share of each draw that is still where chains started, at the mean of the data.
        lost: Share of rows that have not converged.
    """

    width: float = 1.0
    shift: float = 0.0
    persistence: int = 1
    start: float = 0.0
    lost: float = 0.0

    def __call__(
        self,
        flow: Flow,
        observed: np.ndarray,
        *,
        noise_std: Any = None,
        operator: np.ndarray | None = None,
        chains: int = 4,
        draws: int = 16,
        seed: int = 0,
    ) -> Posterior:
        """Draws of x and z, shape (rows, chains, draws, D), and which rows converged."""
        random = np.random.default_rng([seed, 77])
        basis, schedule = flow.basis, flow.schedule
        spread = schedule.total_std(schedule.t_min) * basis.vectors
        prior = (spread @ spread.T).numpy()
        matrix = np.eye(flow.dimension) if operator is None else np.asarray(operator)
        noise = np.zeros((len(matrix), len(matrix)))
        if noise_std is not None:
            noise = noise_of(noise_std, len(matrix)).covariance.numpy()
        x = np.empty((len(observed), chains * draws, flow.dimension))
        for row, y in enumerate(observed):
            seen = ~np.isnan(y)
            own = matrix[seen]
            gain = prior @ own.T @ np.linalg.inv(own @ prior @ own.T + noise[np.ix_(seen, seen)])
            covariance = prior - gain @ own @ prior
            values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
            root = vectors * np.sqrt(np.clip(values, 0, None))
            normal = random.standard_normal((-(-x.shape[1] // self.persistence), flow.dimension))
            normal = normal.repeat(self.persistence, 0)[: x.shape[1]]
            x[row] = gain @ y[seen] + self.width * normal @ root.T + self.shift * np.sqrt(np.diag(covariance))
        x *= 1 - self.start
        z = flow.inflate(x.reshape(-1, flow.dimension)).reshape(x.shape)
        shape = (len(x), chains, draws, flow.dimension)
        lost = random.random(len(x)) < self.lost
        return as_posterior(x.reshape(shape), z.reshape(shape), np.where(lost, 3.0, 1.0))
