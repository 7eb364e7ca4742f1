"""Times the image path beside the bare network."""

from inflationary_flows.experiments.image_speed.speed import measure_image_speed
from inflationary_flows.files.tables import write_rows
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job

with job(snakemake):
    params = snakemake.params
    rows = [
        row
        for preset in params.presets
        for row in measure_image_speed(
            preset,
            batch_size=params.batch_size,
            repeats=params.repeats,
            device=device_for(snakemake.resources),
        )
    ]
    write_rows(snakemake.output.table, rows)
