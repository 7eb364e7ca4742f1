"""Runs one chain of NUTS over the mixture's weights and all latents."""

from inflationary_flows import Flow
from inflationary_flows.artifacts.chains import save_chain
from inflationary_flows.artifacts.laplace import load_laplace
from inflationary_flows.artifacts.observations import load_observations
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.joint import JointPosterior
from inflationary_flows.inference.nuts import run_nuts
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job
from inflationary_flows.seeding import derive_seed

with job(snakemake):
    params, wildcards = snakemake.params, snakemake.wildcards
    flow = Flow.load(snakemake.input.flow).to(device_for(snakemake.resources))
    observed = load_observations(snakemake.input.observations, snakemake.input.flow)
    n = int(wildcards.n)
    posterior = JointPosterior(
        Decoder(flow, solver=params.solver, steps=params.steps, checkpointed=params.checkpointed),
        observed.mixture,
        observed.observations.x[:n],
        observed.noise_std,
        load_laplace(snakemake.input.laplace, snakemake.input.flow).first(n),
        params.coordinates,
    )
    seed = derive_seed("joint chain", params.seed, wildcards.chain)
    chain = run_nuts(
        posterior,
        posterior.start(seed),
        warmup=params.warmup,
        draws=params.draws,
        seed=seed,
        target_acceptance=params.target_acceptance,
        max_tree_depth=params.max_tree_depth,
        adapt_mass=params.adapt_mass,
    )
    weights, latents = posterior.split_draws(chain.draws)
    save_chain(snakemake.output.chain, chain, weights=weights, latents=latents)
