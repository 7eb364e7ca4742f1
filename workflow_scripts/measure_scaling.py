"""Times the mathematics without a network."""

from inflationary_flows.experiments.complexity.measure import measure_scaling
from inflationary_flows.files.tables import write_rows
from inflationary_flows.runtime.job import job

with job(snakemake):
    rows = measure_scaling(
        points=snakemake.params.points,
        dimensions=snakemake.params.dimensions,
        steps=snakemake.params.steps,
    )
    write_rows(snakemake.output.table, rows)
