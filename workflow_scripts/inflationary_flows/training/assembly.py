"""From a trained denoiser to a flow."""

from __future__ import annotations

import numpy as np
import torch

from inflationary_flows.mathematics.denoisers import NetworkDenoiser
from inflationary_flows.mathematics.eigenbasis import Rows
from inflationary_flows.mathematics.flow import Flow, SolverSettings
from inflationary_flows.mathematics.prior import CompressedPrior
from inflationary_flows.mathematics.schedules import Schedule
from inflationary_flows.training.content import COMPRESSED_LATENTS, COMPRESSED_NUMBERS, rows_held


def assemble(
    denoiser: NetworkDenoiser,
    train: Rows | None,
    *,
    solver: SolverSettings,
    compressed_prior: CompressedPrior,
    held: int = COMPRESSED_LATENTS,
    device: str = "cpu",
) -> Flow:
    """Assembles a flow from a denoiser and a solver; with compressed directions it holds inflated training data.

    Arguments:
        denoiser: Trained denoiser.
        train: Training data, shape (n, D), data units; None for a flow that is not sampled from.
        solver: Default integration.
        compressed_prior: Prior of compressed latents.
        held: Most points whose latents it holds.
        device: Device of the network.
    """
    flow = Flow(denoiser, denoiser.basis, solver=solver, compressed_prior=compressed_prior)
    if str(denoiser.device) != device:
        flow = flow.to(device)
    kept = flow.schedule.kept_dims
    if train is not None and kept < flow.dimension:
        wanted = min(held, COMPRESSED_NUMBERS // (flow.dimension - kept))
        # The seed is part of the flow: this noise only smooths the data by the first kernel.
        noised = flow.noised_data(torch.from_numpy(train[:wanted]), seed=0)
        flow.compressed_latents = flow.inflate(noised)[:, kept:].clone()
    if train is not None and denoiser.serves_several:
        flow.rows = torch.as_tensor(np.asarray(rows_held(train, held)), dtype=torch.float64)
    return flow


def with_schedule(flow: Flow, schedule: Schedule, train: Rows | None, compressed_prior: CompressedPrior) -> Flow:
    """The flow of another schedule by the same network, which serves several; train and prior as of `assemble`."""
    assert isinstance(flow.denoiser, NetworkDenoiser)
    denoiser = flow.denoiser.of(schedule=schedule)
    device = str(denoiser.device)
    return assemble(denoiser, train, solver=flow.solver, compressed_prior=compressed_prior, device=device)
