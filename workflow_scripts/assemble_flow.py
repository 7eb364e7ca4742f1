"""Joins network, eigenbasis, schedule and solver to a flow."""

from pathlib import Path

import torch

from inflationary_flows import Flow
from inflationary_flows.artifacts.devices import device_for
from inflationary_flows.artifacts.flows import load_basis, load_network, save_flow, solver_settings
from inflationary_flows.artifacts.job import job
from inflationary_flows.data.splits import load_splits

# Enough to resample from, and a file that is not mostly these: 20,000 points of a toy, 700 colour images.
COMPRESSED_LATENTS, COMPRESSED_NUMBERS = 20_000, 2**21

with job(snakemake):
    denoiser, metadata = load_network(Path(snakemake.input.network), load_basis(Path(snakemake.input.eigenbasis)))
    flow = Flow(
        denoiser,
        denoiser.basis,
        solver=solver_settings(snakemake.params.solver),
        compressed_prior=snakemake.params.compressed_prior,
    ).to(device_for(snakemake.resources))
    kept = flow.schedule.kept_dims
    if kept < flow.dimension:
        wanted = min(COMPRESSED_LATENTS, COMPRESSED_NUMBERS // (flow.dimension - kept))
        points = torch.from_numpy(load_splits(snakemake.input.splits).train[:wanted])
        # The seed is part of the flow, not of a user's draw: it only smooths the data by the first kernel.
        noised = flow.noised_data(points, seed=0)
        flow.compressed_latents = flow.inflate(noised)[:, kept:].clone()
    save_flow(Path(snakemake.output.flow), flow, metadata)
