"""Takes pictures of images, their latents, and what is recovered from these."""

import numpy as np

from inflationary_flows.artifacts.flow_files import load_flow
from inflationary_flows.data.splits import load_splits
from inflationary_flows.experiments.images.acceleration import accelerate
from inflationary_flows.experiments.images.pictures import take_pictures
from inflationary_flows.files.files import atomic_write
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job

with job(snakemake):
    params = snakemake.params
    splits = load_splits(snakemake.input.splits)
    flow = accelerate(load_flow(snakemake.input.flow), device_for(snakemake.resources))
    pictures = take_pictures(flow, splits.test, splits.image, pictures=params.pictures, sample_seed=params.sample_seed)
    with atomic_write(snakemake.output.pictures) as path:
        np.savez_compressed(path, **pictures)
