"""Follows the marginals of a mixture by SDE, Fokker-Planck equation and pfODE, each against the closed form."""

import numpy as np

from inflationary_flows.experiments.marginals.measure import trace_marginals
from inflationary_flows.files.files import atomic_write
from inflationary_flows.files.tables import write_rows
from inflationary_flows.runtime.job import job

with job(snakemake):
    params = {name: value for name, value in snakemake.params.items() if name != "source"}
    arrays, rows = trace_marginals(**params)
    with atomic_write(snakemake.output.arrays) as path:
        np.savez_compressed(path, **arrays)
    write_rows(snakemake.output.table, rows)
