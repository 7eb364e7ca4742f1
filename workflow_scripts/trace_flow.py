"""Carries points to latents and back, and keeps what figures show."""

import numpy as np

from inflationary_flows import Flow
from inflationary_flows.data.splits import load_splits
from inflationary_flows.experiments.snapshots.measure import trace_flow
from inflationary_flows.files.files import atomic_write
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job

with job(snakemake):
    splits = load_splits(snakemake.input.splits)
    snapshots = trace_flow(
        Flow.load(snakemake.input.flow).to(device_for(snakemake.resources)),
        splits.test,
        splits.test_labels,
        samples=snakemake.params.samples,
        frames=snakemake.params.frames,
        seed=snakemake.params.seed,
    )
    with atomic_write(snakemake.output.snapshots) as path:
        np.savez_compressed(path, **snapshots)
