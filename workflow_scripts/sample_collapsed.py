"""Runs the chains of NUTS over the mixture's weights alone, given the first observations or more of them."""

from inflationary_flows.artifacts.evidence import load_evidence
from inflationary_flows.files.datasets import save_dataset
from inflationary_flows.inference.chains import posterior_dataset
from inflationary_flows.inference.collapsed import CollapsedPosterior
from inflationary_flows.inference.nuts import run_nuts
from inflationary_flows.runtime.job import job
from inflationary_flows.seeding import derive_seed

with job(snakemake):
    params = snakemake.params
    for n, path in zip(params.observations, snakemake.output.posteriors, strict=True):
        posterior = CollapsedPosterior(load_evidence(snakemake.input.evidence, n).log_evidence)
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
