"""Follows the participation ratio of all marginals over time."""

from pathlib import Path

from inflationary_flows.artifacts.flows import load_basis
from inflationary_flows.experiments.pr_over_time.measure import trace_participation_ratio
from inflationary_flows.files.tables import write_rows
from inflationary_flows.runtime.job import job

with job(snakemake):
    params = snakemake.params
    bases = dict(zip(params.datasets, map(Path, snakemake.input), strict=True))
    spectra = {name: load_basis(path).eigenvalues.numpy() for name, path in bases.items()}
    rows = [
        {"dataset": dataset, "schedule": schedule, **row}
        for dataset, schedule in params.pairs
        for row in trace_participation_ratio(spectra[dataset], params.schedules[schedule], points=params.points)
    ]
    write_rows(snakemake.output.table, rows)
