"""Draws Frechet distance and round-trip error against network evaluations."""

import pandas as pd

from inflationary_flows.plotting.frechet import plot_evaluation_sweep
from inflationary_flows.plotting.labels import Labels
from inflationary_flows.plotting.style import save_figure
from inflationary_flows.runtime.job import job

with job(snakemake):
    labels = Labels.read(snakemake.params.labels)
    table = labels.applied(pd.read_csv(snakemake.input.table))
    save_figure(plot_evaluation_sweep(table), snakemake.output.pdf, snakemake.output.png)
