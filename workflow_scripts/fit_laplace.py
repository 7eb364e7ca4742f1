"""Finds mode and curvature of the latent posterior of every observation: its Laplace approximation."""

from inflationary_flows import Flow
from inflationary_flows.artifacts.laplace import save_laplace
from inflationary_flows.artifacts.observations import load_observations
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.laplace import fit_laplace
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job

with job(snakemake):
    params = snakemake.params
    flow = Flow.load(snakemake.input.flow).to(device_for(snakemake.resources))
    observed = load_observations(snakemake.input.observations, snakemake.input.flow)
    decoder = Decoder(flow, solver=params.solver, steps=params.steps, checkpointed=params.checkpointed)
    mean, variances = observed.mixture.moments()
    laplace = fit_laplace(decoder, observed.observations.x, observed.noise_std, 1 / variances, mean)
    save_laplace(snakemake.output.laplace, laplace, snakemake.input.flow)
