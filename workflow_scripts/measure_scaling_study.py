"""Measures what the kept latents of a reducing flow tell of held-out points."""

from inflationary_flows import Flow
from inflationary_flows.data.splits import load_splits
from inflationary_flows.experiments.thin_coordinate_study.measure import measure_loss
from inflationary_flows.files.tables import write_rows
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job

with job(snakemake):
    rows = measure_loss(
        Flow.load(snakemake.input.flow).to(device_for(snakemake.resources)),
        load_splits(snakemake.input.splits).test,
        samples=snakemake.params.samples,
        seed=snakemake.params.seed,
    )
    write_rows(snakemake.output.table, rows, **dict(snakemake.wildcards))
