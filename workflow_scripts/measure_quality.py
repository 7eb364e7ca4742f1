"""Compares generated with fresh points, and latents with their exact law."""

import pandas as pd

from inflationary_flows import Flow
from inflationary_flows.data.oracles import exact_mixture
from inflationary_flows.data.splits import load_splits
from inflationary_flows.experiments.flow_quality.measure import measure_quality
from inflationary_flows.files.tables import write_rows
from inflationary_flows.mathematics.oracles import exact_denoiser
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job

with job(snakemake):
    params = snakemake.params
    splits = load_splits(snakemake.input.splits)
    flow = Flow.load(snakemake.input.flow).to(device_for(snakemake.resources))
    mixture = exact_mixture(params.dataset)
    rows = measure_quality(
        flow,
        validation=splits.validation,
        test=splits.test,
        floor=pd.read_csv(snakemake.input.floor).to_dict("records"),
        exact=exact_denoiser(flow.schedule, flow.basis, *mixture) if mixture else None,
        samples=params.samples,
        seed=params.seed,
        projections=params.projections,
        neighbours=params.neighbours,
        neighbour_samples=params.neighbour_samples,
    )
    write_rows(snakemake.output.table, rows, **dict(snakemake.wildcards))
