"""Compares points that a model generates with held-out ones, and these with what comes back of them."""

from pathlib import Path

import numpy as np

from inflationary_flows.artifacts.bases import load_basis
from inflationary_flows.artifacts.models import load_model
from inflationary_flows.data.splits import load_splits
from inflationary_flows.experiments.baselines.quality import measure_method_quality
from inflationary_flows.files.files import atomic_write
from inflationary_flows.files.tables import write_rows
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job

with job(snakemake):
    params = snakemake.params
    rows, points = measure_method_quality(
        load_model(snakemake.input.model).to(device_for(snakemake.resources)),
        test=load_splits(snakemake.input.splits).test,
        basis=load_basis(Path(snakemake.input.eigenbasis)),
        samples=params.samples,
        shown=params.shown,
        seed=params.seed,
    )
    write_rows(snakemake.output.table, rows, **dict(snakemake.wildcards))
    with atomic_write(snakemake.output.points) as path:
        np.savez_compressed(path, **points)
