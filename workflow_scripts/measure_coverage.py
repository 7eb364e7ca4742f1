"""Counts points inside of shells of latents, before and after generation and after the way back."""

import numpy as np

from inflationary_flows import Flow
from inflationary_flows.experiments.shell_retention.measure import measure_coverage
from inflationary_flows.files.files import atomic_write
from inflationary_flows.files.tables import write_rows
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job

with job(snakemake):
    params = snakemake.params
    rows, drawn = measure_coverage(
        Flow.load(snakemake.input.flow).to(device_for(snakemake.resources)),
        latents=params.latents,
        radii=params.radii,
        vertices=params.vertices,
        seed=params.seed,
        steps=params.steps,
    )
    write_rows(snakemake.output.table, rows, **dict(snakemake.wildcards))
    with atomic_write(snakemake.output.shells) as path:
        np.savez(path, **drawn)
