"""Carries a Gaussian ball around each example to the latents."""

import numpy as np

from inflationary_flows import Flow
from inflationary_flows.data.sources import read_points
from inflationary_flows.data.splits import load_splits
from inflationary_flows.experiments.propagation.measure import choose_examples, interval_rows, propagate
from inflationary_flows.files.datasets import save_dataset
from inflationary_flows.files.tables import write_rows
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job

with job(snakemake):
    params = snakemake.params
    flow = Flow.load(snakemake.input.flow).to(device_for(snakemake.resources))
    test = load_splits(snakemake.input.splits).test
    examples = choose_examples(test, params.indices)
    if snakemake.input.get("examples"):
        examples = np.concatenate([examples, read_points(snakemake.input.examples, flow.dimension)])
    posterior = propagate(
        flow,
        examples,
        context=test,
        noise_std=params.noise_std,
        samples=params.samples,
        levels=params.levels,
        frames=params.frames,
        seed=params.seed,
    )
    save_dataset(snakemake.output.posterior, posterior)
    write_rows(snakemake.output.table, interval_rows(posterior), **dict(snakemake.wildcards))
