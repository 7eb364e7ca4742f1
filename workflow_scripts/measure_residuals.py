"""Correlates the residuals of the learned and, where it is known, the exact denoiser between times."""

from inflationary_flows import Flow
from inflationary_flows.data.oracles import exact_mixture
from inflationary_flows.data.splits import load_splits
from inflationary_flows.experiments.residuals.measure import residual_correlation
from inflationary_flows.files.tables import write_rows
from inflationary_flows.mathematics.oracles import exact_denoiser
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job

with job(snakemake):
    params = snakemake.params
    flow = Flow.load(snakemake.input.flow).to(device_for(snakemake.resources))
    points = load_splits(snakemake.input.splits).test[: params.samples]
    denoisers = {"learned": flow.denoiser}
    mixture = exact_mixture(params.dataset)
    if mixture is not None:
        denoisers["exact"] = exact_denoiser(flow.schedule, flow.basis, *mixture)
    rows = [
        {"denoiser": name, **row}
        for name, denoiser in denoisers.items()
        for row in residual_correlation(denoiser, flow.basis, points, times=params.times, seed=params.seed)
    ]
    write_rows(snakemake.output.table, rows, **dict(snakemake.wildcards))
