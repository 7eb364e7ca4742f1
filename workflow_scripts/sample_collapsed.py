"""Integrates out the latents by importance sampling with the flow, and runs NUTS over the mixture's weights alone."""

import numpy as np

from inflationary_flows.artifacts.evidence import save_evidence
from inflationary_flows.artifacts.flow_files import load_flow
from inflationary_flows.artifacts.laplace import load_laplace
from inflationary_flows.artifacts.observations import load_observations
from inflationary_flows.files.datasets import save_dataset
from inflationary_flows.files.tables import write_rows
from inflationary_flows.inference.chains import posterior_dataset
from inflationary_flows.inference.collapsed import CollapsedPosterior, estimate_evidence, evidence_quality
from inflationary_flows.inference.decoder import Decoder
from inflationary_flows.inference.nuts import run_nuts
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job
from inflationary_flows.seeding import derive_seed

with job(snakemake):
    params, output, largest = snakemake.params, snakemake.output, max(snakemake.params.observations)
    flow = load_flow(snakemake.input.flow).to(device_for(snakemake.resources))
    observed = load_observations(snakemake.input.observations, snakemake.input.flow)
    evidence = estimate_evidence(
        Decoder(flow, solver=params.solver, steps=params.steps),
        observed.mixture,
        observed.observations.x[:largest],
        observed.noise_std,
        load_laplace(snakemake.input.laplace, snakemake.input.flow).first(largest),
        particles=params.particles,
        seed=params.seed,
    )
    save_evidence(output.evidence, evidence)

    for n, path in zip(params.observations, output.posteriors, strict=True):
        posterior = CollapsedPosterior(evidence.log_evidence[:n])
        seeds = [derive_seed("collapsed chain", params.seed, n, chain) for chain in range(params.chains)]
        chains = run_nuts(
            posterior,
            posterior.starts(seeds),
            seeds=seeds,
            warmup=params.warmup,
            draws=params.draws,
            target_acceptance=params.target_acceptance,
            max_tree_depth=params.max_tree_depth,
        )
        weights = [posterior.split_draws(chain.draws)[:, 0] for chain in chains]
        save_dataset(path, posterior_dataset(chains, weights=weights))
        if n == largest:
            rows = evidence_quality(evidence, np.concatenate(weights))
            write_rows(output.table, rows, **dict(snakemake.wildcards))
