"""Reports the posteriors of the weights of the flows of a data set, if their chains have passed the gate."""

from itertools import product

from inflationary_flows.files.datasets import load_dataset
from inflationary_flows.files.tables import write_rows
from inflationary_flows.inference.diagnostics import check_gate, diagnose, summarise_weights
from inflationary_flows.runtime.job import job

with job(snakemake):
    params, dataset, posteriors = snakemake.params, snakemake.wildcards.dataset, snakemake.input.posteriors
    found = []
    for ((schedule, seed), name), path in zip(product(params.flows, params.posteriors), posteriors, strict=True):
        sampler, n = name.split("_n")
        posterior = load_dataset(path)
        check_gate(diagnose(posterior, params.gate), f"{dataset}, {schedule}, seed {seed}, {sampler} sampler, n = {n}")
        rows = summarise_weights(posterior, params.truth)
        keys = {"schedule": schedule, "sampler": sampler}
        found += [{**keys, **row, "n_observations": int(n), "seed": seed} for row in rows]
    write_rows(snakemake.output.table, found, dataset=dataset)
