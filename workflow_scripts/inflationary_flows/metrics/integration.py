"""Inflation and generation with given solver settings, with the number of network evaluations."""

from __future__ import annotations

import numpy as np
import torch

from inflationary_flows.mathematics.flow import Flow, SolverSettings


@torch.no_grad()
def carry_data(flow: Flow, x: np.ndarray, settings: SolverSettings) -> tuple[np.ndarray, int]:
    """Inflates points, shape (n, D), data units; returns latents and evaluations for each point."""
    y = flow.whiten_data(torch.tensor(x, dtype=torch.float64))
    y, _, evaluations = flow.carry(y, "inflate", settings)
    return (y.double() * flow.schedule.latent_std).numpy(), evaluations


@torch.no_grad()
def carry_latents(flow: Flow, z: np.ndarray, settings: SolverSettings) -> tuple[np.ndarray, int]:
    """Generates points from latents, shape (n, D); returns data and evaluations for each point."""
    y = torch.tensor(z, dtype=torch.float64) / flow.schedule.latent_std
    y, _, evaluations = flow.carry(y, "generate", settings)
    return flow.unwhiten_data(y).numpy(), evaluations


def root_mean_square(difference: np.ndarray) -> float:
    """Root of the mean square over points and coordinates."""
    return float(np.sqrt(np.mean(difference**2)))
