"""Measures the coverage of posteriors of clean points whose prior is a model of a toy."""

from inflationary_flows.artifacts.models import load_model
from inflationary_flows.data.oracles import draw_fresh
from inflationary_flows.experiments.baselines.coverage import CoverageSettings, measure_method_coverage
from inflationary_flows.files.tables import write_rows
from inflationary_flows.runtime.devices import device_for
from inflationary_flows.runtime.job import job
from inflationary_flows.seeding import derive_seed

with job(snakemake):
    params = snakemake.params
    # The points that flows are measured with, too: measure_tarp.py draws the same.
    coverage, summary = measure_method_coverage(
        load_model(snakemake.input.model).to(device_for(snakemake.resources)),
        draw_fresh(params.dataset, params.replicates, derive_seed("tarp truth", params.seed)),
        draw_fresh(params.dataset, params.pool, derive_seed("tarp pool", params.seed)),
        CoverageSettings(
            noise_stds=params.noise_stds,
            levels=params.levels,
            references=params.references,
            pool=params.pool,
            seed=params.seed,
        ),
    )
    write_rows(snakemake.output.table, coverage, **dict(snakemake.wildcards))
    write_rows(snakemake.output.summary, summary, **dict(snakemake.wildcards))
