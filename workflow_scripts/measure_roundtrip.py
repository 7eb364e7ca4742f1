"""Measures the round-trip error of a flow on held-out points."""

from inflationary_flows import Flow
from inflationary_flows.data.splits import load_splits
from inflationary_flows.experiments.roundtrip.measure import measure_roundtrip
from inflationary_flows.files.tables import write_rows
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job

with job(snakemake):
    rows = measure_roundtrip(
        Flow.load(snakemake.input.flow).to(device_for(snakemake.resources)),
        load_splits(snakemake.input.splits).test,
        samples=snakemake.params.samples,
        paper_steps=snakemake.params.paper_steps,
    )
    write_rows(snakemake.output.table, rows, **dict(snakemake.wildcards))
