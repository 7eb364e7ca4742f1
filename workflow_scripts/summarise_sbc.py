"""Makes rank histograms of the true weights from all batches of replicates."""

import numpy as np

from inflationary_flows.files.tables import write_rows
from inflationary_flows.files.tensors import load_tensors
from inflationary_flows.metrics.ranks import rank_rows
from inflationary_flows.runtime.job import job

with job(snakemake):
    params, wildcards = snakemake.params, snakemake.wildcards
    batches = [load_tensors(path, "sbc_ranks")[0] for path in snakemake.input.ranks]
    ranks = np.concatenate([batch["ranks"] for batch in batches])
    fractions = (ranks + 0.5) / (params.ranks + 1)
    rows = [
        row
        for k in range(ranks.shape[1])
        for row in rank_rows(fractions[:, k], f"weight{k + 1}", bins=params.bins, seed=params.seed)
    ]
    keys = {"dataset": wildcards.dataset, "schedule": wildcards.schedule, "flow": "learned"}
    write_rows(snakemake.output.table, rows, **keys, noise_std=params.noise_std)
