"""Makes rank histograms of the true weights from all batches of replicates."""

import numpy as np

from inflationary_flows.files.tables import write_rows
from inflationary_flows.files.tensors import load_tensors
from inflationary_flows.metrics.ranks import moment_p_values, rank_rows
from inflationary_flows.runtime.job import job

with job(snakemake):
    params, wildcards = snakemake.params, snakemake.wildcards
    batches = [load_tensors(path, "sbc_ranks")[0] for path in snakemake.input.ranks]
    names = [key.removesuffix("/ranks") for key in batches[0] if key.endswith("/ranks")]
    rows = []
    for name in sorted(names, key=lambda name: name != "learned"):
        fractions = (np.concatenate([batch[f"{name}/ranks"] for batch in batches]) + 0.5) / (params.ranks + 1)
        # All weights of a replicate together tell more than each alone.
        moments, own = moment_p_values(fractions), {"flow": name, "noise_std": params.noise_std}
        for k, of_weight in enumerate(fractions.T, 1):
            histogram = rank_rows(of_weight, f"weight{k}", bins=params.bins, seed=params.seed)
            rows += [{**own, **row, **moments} for row in histogram]
    write_rows(snakemake.output.table, rows, **dict(wildcards.items()))
