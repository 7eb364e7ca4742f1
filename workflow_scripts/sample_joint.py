"""Runs the chains of NUTS over the mixture's weights and all latents, side by side."""

from inflationary_flows.artifacts.flow_files import load_flow
from inflationary_flows.artifacts.laplace import load_laplace
from inflationary_flows.artifacts.observations import load_observations
from inflationary_flows.files.datasets import save_dataset
from inflationary_flows.inference.chains import posterior_dataset
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.joint import JointPosterior
from inflationary_flows.inference.nuts import run_nuts
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job
from inflationary_flows.seeding import derive_seed

with job(snakemake):
    params, n = snakemake.params, snakemake.params.observations
    flow = load_flow(snakemake.input.flow).to(device_for(snakemake.resources))
    observed = load_observations(snakemake.input.observations, snakemake.input.flow)
    posterior = JointPosterior(
        Decoder(flow, solver=params.solver, steps=params.steps, checkpointed=params.checkpointed),
        observed.mixture,
        observed.observations.x[:n],
        observed.noise_std,
        load_laplace(snakemake.input.laplace, snakemake.input.flow).first(n),
        params.coordinates,
    )
    seeds = [derive_seed("joint chain", params.seed, chain) for chain in range(params.chains)]
    chains = run_nuts(
        posterior,
        posterior.starts(seeds),
        seeds=seeds,
        warmup=params.warmup,
        draws=params.draws,
        target_acceptance=params.target_acceptance,
        max_tree_depth=params.max_tree_depth,
        adapt_mass=params.adapt_mass,
    )
    weights, latents = zip(*(posterior.split_draws(chain.draws) for chain in chains), strict=True)
    save_dataset(snakemake.output.posterior, posterior_dataset(chains, weights=weights, latents=latents))
