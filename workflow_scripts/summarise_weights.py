"""Reports the posteriors of the weights of a flow, if their chains have passed the gate."""

from inflationary_flows.files.datasets import load_dataset
from inflationary_flows.files.tables import write_rows
from inflationary_flows.inference.diagnostics import check_gate, diagnose, summarise_weights
from inflationary_flows.runtime.job import job

with job(snakemake):
    params, wildcards = snakemake.params, snakemake.wildcards
    rows = []
    for name, path in zip(params.posteriors, snakemake.input.posteriors, strict=True):
        sampler, n = name.split("_n")
        posterior = load_dataset(path)
        where = f"{wildcards.dataset}, {wildcards.schedule}, {sampler} sampler, n = {n}"
        check_gate(diagnose(posterior, params.gate), where)
        summary = summarise_weights(posterior, params.truth)
        rows += [{"sampler": sampler, **row, "n_observations": int(n), "seed": wildcards.seed} for row in summary]
    write_rows(snakemake.output.table, rows, dataset=wildcards.dataset, schedule=wildcards.schedule)
