"""Times the mathematics without a network."""

from inflationary_flows.artifacts.job import job
from inflationary_flows.artifacts.tables import write_rows
from inflationary_flows.experiments.complexity.measure import measure_scaling

with job(snakemake):
    rows = measure_scaling(
        points=snakemake.params.points,
        dimensions=snakemake.params.dimensions,
        steps=snakemake.params.steps,
    )
    write_rows(snakemake.output.table, rows)
