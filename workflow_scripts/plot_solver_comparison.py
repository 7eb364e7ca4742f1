"""Draws the error of every solver against network evaluations."""

import pandas as pd

from inflationary_flows.plotting.curves import plot_solver_comparison
from inflationary_flows.plotting.labels import Labels
from inflationary_flows.plotting.style import save_figure
from inflationary_flows.runtime.job import job

with job(snakemake):
    labels = Labels.read(snakemake.params.labels)
    table = labels.applied(pd.read_csv(snakemake.input.table))
    save_figure(plot_solver_comparison(table), snakemake.output.pdf, snakemake.output.png)
