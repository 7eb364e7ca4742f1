"""Reports the posterior of the weights, if its chains have passed the gate."""

from inflationary_flows.files.datasets import load_dataset
from inflationary_flows.files.tables import write_rows
from inflationary_flows.inference.diagnostics import check_gate, diagnose, summarise_weights
from inflationary_flows.runtime.job import job

with job(snakemake):
    wildcards = snakemake.wildcards
    posterior = load_dataset(snakemake.input.posterior)
    where = f"{wildcards.dataset}, {wildcards.schedule}, {wildcards.sampler} sampler, n = {wildcards.n}"
    check_gate(diagnose(posterior, snakemake.params.gate), where)
    rows = [
        {**row, "n_observations": int(wildcards.n), "seed": wildcards.seed}
        for row in summarise_weights(posterior, snakemake.params.truth)
    ]
    keys = {name: wildcards[name] for name in ("dataset", "schedule", "sampler")}
    write_rows(snakemake.output.table, rows, **keys)
