"""Integrates one flow with every solver over a range of steps."""

from inflationary_flows import Flow
from inflationary_flows.data.splits import load_splits
from inflationary_flows.experiments.solver_comparison.measure import compare_solvers
from inflationary_flows.files.tables import write_rows
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job

with job(snakemake):
    rows = compare_solvers(
        Flow.load(snakemake.input.flow).to(device_for(snakemake.resources)),
        load_splits(snakemake.input.splits).test,
        steps=snakemake.params.steps,
        samples=snakemake.params.samples,
        seed=snakemake.params.seed,
        tolerances=snakemake.params.tolerances,
        reference_steps=snakemake.params.reference_steps,
    )
    write_rows(snakemake.output.table, rows, **dict(snakemake.wildcards))
