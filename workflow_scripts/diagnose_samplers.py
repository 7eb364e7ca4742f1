"""Measures how well the chains of every posterior agree, and how far off the samplers' solver steps are."""

from itertools import product

from inflationary_flows.artifacts.flow_files import load_flow
from inflationary_flows.artifacts.observations import load_observations
from inflationary_flows.experiments.hmc.convergence import measure_convergence
from inflationary_flows.files.datasets import load_dataset
from inflationary_flows.files.tables import write_rows
from inflationary_flows.inference.diagnostics import diagnose
from inflationary_flows.runtime.job import job

with job(snakemake):
    params, files, dataset = snakemake.params, snakemake.input, snakemake.wildcards.dataset
    diagnostics, convergence = [], []
    for ((schedule, seed), name), path in zip(product(params.flows, params.posteriors), files.posteriors, strict=True):
        sampler, n = name.split("_n")
        keys = {"schedule": schedule, "seed": seed, "sampler": sampler, "n_observations": n}
        rows = diagnose(load_dataset(path), params.gate)
        diagnostics += [{**keys, **row} for row in rows]
    write_rows(snakemake.output.diagnostics, diagnostics, dataset=dataset)

    for (schedule, seed), flow, path in zip(params.flows, files.flows, files.observations, strict=True):
        observed = load_observations(path, flow)
        settings = {name: params[name] for name in ("solver", "steps", "samples")}
        rows = measure_convergence(load_flow(flow), observed.observations, observed.noise_std, **settings)
        convergence += [{"schedule": schedule, "seed": seed, **row} for row in rows]
    write_rows(snakemake.output.convergence, convergence, dataset=dataset)
