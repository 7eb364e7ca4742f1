"""Runs the chains of NUTS over the mixture's weights alone."""

from inflationary_flows.artifacts.chains import save_chain
from inflationary_flows.artifacts.evidence import load_evidence
from inflationary_flows.inference.collapsed import CollapsedPosterior
from inflationary_flows.inference.nuts import run_nuts
from inflationary_flows.runtime.job import job
from inflationary_flows.seeding import derive_seed

with job(snakemake):
    params = snakemake.params
    n = int(snakemake.wildcards.n)
    posterior = CollapsedPosterior(load_evidence(snakemake.input.evidence, n).log_evidence)
    for number, path in enumerate(snakemake.output.chains):
        seed = derive_seed("collapsed chain", params.seed, n, number)
        chain = run_nuts(
            posterior,
            posterior.start(seed),
            warmup=params.warmup,
            draws=params.draws,
            seed=seed,
            target_acceptance=params.target_acceptance,
            max_tree_depth=params.max_tree_depth,
        )
        save_chain(path, chain, weights=posterior.split_draws(chain.draws)[:, 0])
