"""Compares log densities and gradients at growing numbers of solver steps with a fine reference."""

from inflationary_flows import Flow
from inflationary_flows.artifacts.observations import load_observations
from inflationary_flows.experiments.hmc.convergence import measure_convergence
from inflationary_flows.files.tables import write_rows
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job

with job(snakemake):
    observed = load_observations(snakemake.input.observations, snakemake.input.flow)
    rows = measure_convergence(
        Flow.load(snakemake.input.flow).to(device_for(snakemake.resources)),
        observed.observations,
        observed.noise_std,
        steps=snakemake.params.steps,
        samples=snakemake.params.samples,
    )
    write_rows(snakemake.output.table, rows, **dict(snakemake.wildcards))
