"""Joins the chains of one posterior and measures how well they agree."""

from inflationary_flows.artifacts.chains import load_chain
from inflationary_flows.files.datasets import save_dataset
from inflationary_flows.files.tables import write_rows
from inflationary_flows.inference.diagnostics import diagnose, posterior_dataset
from inflationary_flows.runtime.job import job

with job(snakemake):
    wildcards = snakemake.wildcards
    posterior = posterior_dataset([load_chain(path) for path in snakemake.input.chains])
    save_dataset(snakemake.output.posterior, posterior)
    keys = {name: wildcards[name] for name in ("dataset", "schedule", "seed", "sampler")}
    write_rows(snakemake.output.table, diagnose(posterior, snakemake.params.gate), **keys, n_observations=wildcards.n)
