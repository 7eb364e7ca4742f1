"""Compares the latents of the same points under flows of other seeds and architectures, and under the exact score."""

from inflationary_flows import Flow
from inflationary_flows.data.oracles import exact_mixture
from inflationary_flows.data.splits import load_splits
from inflationary_flows.experiments.identifiability.measure import EXACT, compare_latents
from inflationary_flows.files.tables import write_rows
from inflationary_flows.mathematics.oracles import exact_denoiser
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job

with job(snakemake):
    params = snakemake.params
    device = device_for(snakemake.resources)
    members = {
        name: Flow.load(path).to(device) for name, path in zip(params.members, snakemake.input.flows, strict=True)
    }
    first = next(iter(members.values()))
    mixture = exact_mixture(params.dataset)
    if mixture is not None:
        members[EXACT] = Flow(exact_denoiser(first.schedule, first.basis, *mixture), first.basis, solver=first.solver)
    points = load_splits(snakemake.input.splits).test[: params.samples]
    write_rows(snakemake.output.table, compare_latents(members, points, params.seed), **dict(snakemake.wildcards))
