"""Runs the chains over the mixture's weights and all latents by particle Gibbs, side by side."""

from inflationary_flows.artifacts.flow_files import load_flow
from inflationary_flows.artifacts.laplace import load_laplace
from inflationary_flows.artifacts.observations import load_observations
from inflationary_flows.files.datasets import save_dataset
from inflationary_flows.inference.chains import posterior_dataset
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.particle_gibbs import run_particle_gibbs
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job
from inflationary_flows.seeding import derive_seed

with job(snakemake):
    params, n = snakemake.params, snakemake.params.observations
    flow = load_flow(snakemake.input.flow).to(device_for(snakemake.resources))
    observed = load_observations(snakemake.input.observations, snakemake.input.flow)
    chains = run_particle_gibbs(
        Decoder(flow, solver=params.solver, steps=params.steps),
        observed.mixture,
        observed.observations.x[:n],
        observed.noise_std,
        load_laplace(snakemake.input.laplace, snakemake.input.flow).first(n),
        seeds=[derive_seed("joint chain", params.seed, chain) for chain in range(params.chains)],
        **{name: params[name] for name in ("warmup", "draws", "particles", "renewed")},
    )
    drawn = {name: [getattr(chain, name) for chain in chains] for name in ("weights", "latents")}
    save_dataset(snakemake.output.posterior, posterior_dataset(chains, **drawn))
