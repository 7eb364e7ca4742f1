"""Flows with exact denoisers, on which statements about the method can be checked without training."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from inflationary_flows.mathematics.denoisers import MixtureDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.schedules import Schedule, make_schedule

PRP = {"signal_left": 1e-3}
PRR = {"signal_left": 1e-3, "kept_dims": 1}
PRR_GAP = {"signal_left": 1e-3, "kept_dims": 1, "gap": "constant", "inflation_gap": 1.02}
PROPORTIONAL = {"kernel": "proportional", "signal_left": 1e-3}
PROPORTIONAL_PRR = {
    "kernel": "proportional",
    "signal_left": 1e-3,
    "kept_dims": 1,
    "gap": "constant",
    "inflation_gap": 0.6,
}
SCHEDULES: dict[str, dict[str, Any]] = {
    "floor prp": PRP,
    "floor prr orig": PRR,
    "floor prr constant gap": PRR_GAP,
    "proportional prp": PROPORTIONAL,
    "proportional prr": PROPORTIONAL_PRR,
}


def mixture_data(seed: int = 0, dimension: int = 2) -> tuple[np.ndarray, np.ndarray, float]:
    """Samples, component means and component variance of a Gaussian mixture."""
    rng = np.random.default_rng(seed)
    means = rng.standard_normal((5, dimension))
    variance = 0.05
    rows = means[rng.integers(len(means), size=5000)]
    return rows + np.sqrt(variance) * rng.standard_normal(rows.shape), means, variance


def mixture_flow(settings: dict[str, Any], dimension: int = 2, **options: Any) -> tuple[Flow, np.ndarray]:
    """A flow with the exact denoiser of a mixture, and samples of the mixture."""
    x, means, variance = mixture_data(dimension=dimension)
    basis = Eigenbasis.fit(x)
    schedule = make_schedule(basis.eigenvalues, **settings)
    denoiser = MixtureDenoiser(
        schedule,
        basis.to_eigen(torch.from_numpy(means)),
        covariance=variance * torch.eye(dimension, dtype=torch.float64),
    )
    return Flow(denoiser, basis, **options), x


class GaussianCase:
    """Gaussian data N(m, diag v) in the eigenbasis under a schedule made for other variances xi.

    The mismatch makes the flow non-trivial in every coordinate system, while it keeps its closed form
    u_i(t) = m_i + (u_i(0) - m_i) sqrt((v_i + gamma_i(t)) / (v_i + gamma_i(t_min))).
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self.mean = torch.tensor([0.3, -0.2, 0.1], dtype=torch.float64)
        self.variances = torch.tensor([1.2, 0.9, 0.4], dtype=torch.float64)
        self.schedule: Schedule = make_schedule(torch.tensor([2.0, 0.7, 0.2]), **settings)
        denoiser = MixtureDenoiser(self.schedule, self.mean[None], covariance=torch.diag(self.variances))
        ones = torch.ones(3, dtype=torch.float64)
        basis = Eigenbasis(0 * ones, ones, torch.eye(3, dtype=torch.float64), self.schedule.eigenvalues)
        self.flow = Flow(denoiser, basis)

    def growth(self, t: float) -> torch.Tensor:
        start = self.schedule.gamma(self.schedule.t_min)
        return ((self.variances + self.schedule.gamma(t)) / (self.variances + start)).sqrt()

    def latents(self, x: torch.Tensor) -> torch.Tensor:
        t = self.schedule.t_max
        return self.schedule.scale(t) * (self.mean + (x - self.mean) * self.growth(t))

    def data(self, z: torch.Tensor) -> torch.Tensor:
        t = self.schedule.t_max
        return self.mean + (z / self.schedule.scale(t) - self.mean) / self.growth(t)
