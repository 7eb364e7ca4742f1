"""Joins network, eigenbasis, schedule and solver to a flow."""

from pathlib import Path

from inflationary_flows.artifacts.bases import load_basis
from inflationary_flows.artifacts.flows import save_flow
from inflationary_flows.artifacts.networks import load_network
from inflationary_flows.data.splits import load_splits
from inflationary_flows.data.tables import NAMED_KINDS
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job
from inflationary_flows.training.assembly import assemble
from inflationary_flows.training.flow_content import solver_settings

with job(snakemake):
    denoiser, metadata = load_network(Path(snakemake.input.network), load_basis(Path(snakemake.input.eigenbasis)))
    splits = load_splits(snakemake.input.splits)
    flow = assemble(
        denoiser,
        splits.train,
        solver=solver_settings(snakemake.params.solver),
        compressed_prior=snakemake.params.compressed_prior,
        device=device_for(snakemake.resources),
    )
    # The columns of an array have numbers for names, and toys and images have no columns.
    if splits.provenance["settings"]["kind"] in NAMED_KINDS:
        flow.columns = tuple(splits.provenance["columns"])
    save_flow(Path(snakemake.output.flow), flow, metadata)
