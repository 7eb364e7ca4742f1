"""Measures how well the chains of every posterior of a flow agree."""

from inflationary_flows.files.datasets import load_dataset
from inflationary_flows.files.tables import write_rows
from inflationary_flows.inference.diagnostics import diagnose
from inflationary_flows.runtime.job import job

with job(snakemake):
    rows = []
    for name, path in zip(snakemake.params.posteriors, snakemake.input.posteriors, strict=True):
        sampler, n = name.split("_n")
        found = diagnose(load_dataset(path), snakemake.params.gate)
        rows += [{"sampler": sampler, **row, "n_observations": n} for row in found]
    write_rows(snakemake.output.table, rows, **dict(snakemake.wildcards))
