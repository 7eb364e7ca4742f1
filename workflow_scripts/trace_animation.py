"""Carries points or images to latents, and prior latents to data, in many small steps."""

import numpy as np

from inflationary_flows import Flow
from inflationary_flows.data.splits import load_splits
from inflationary_flows.experiments.animations.measure import trace_images
from inflationary_flows.experiments.snapshots.measure import trace_points
from inflationary_flows.files.files import atomic_write
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job

with job(snakemake):
    params = snakemake.params
    splits = load_splits(snakemake.input.splits)
    flow = Flow.load(snakemake.input.flow).to(device_for(snakemake.resources))
    chosen = {"frames": params.frames, "seed": params.seed}
    if splits.image is None:
        arrays = trace_points(flow, splits.test, splits.test_labels, samples=params.samples, **chosen)
    else:
        arrays = trace_images(flow, splits.test, splits.image, pictures=params.pictures, **chosen)
    with atomic_write(snakemake.output.animation) as path:
        np.savez_compressed(path, **arrays)
