"""Joins network, eigenbasis, schedule and solver to a flow."""

import json
from pathlib import Path

from inflationary_flows.artifacts.bases import load_basis
from inflationary_flows.artifacts.flow_files import save_flow
from inflationary_flows.artifacts.networks import load_network
from inflationary_flows.data.splits import load_splits
from inflationary_flows.data.tables import NAMED_KINDS
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job
from inflationary_flows.training.assembly import assemble
from inflationary_flows.training.flow_content import solver_settings

with job(snakemake):
    network, basis = Path(snakemake.input.network), load_basis(Path(snakemake.input.eigenbasis))
    denoiser, metadata = load_network(network, basis, snakemake.params.schedule)
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
    # A flow's file says how it was made, as one of `Flow.fit` does.
    made, source = metadata["provenance"], splits.provenance
    split = {"seed": source["settings"]["seed"], **{key: source[key] for key in ("sizes", "sha256")}}
    history = [json.loads(row) for row in Path(snakemake.input.curve).read_text(encoding="utf-8").splitlines()]
    record = {key: made[key] for key in ("training", "seed", "versions")} | {"split": split, "history": history}
    if denoiser.serves_several:
        save_flow(Path(snakemake.output.flow), flow, {**metadata, **record}, network)
    else:
        del metadata["kernels"]
        save_flow(Path(snakemake.output.flow), flow, {**metadata, **record})
