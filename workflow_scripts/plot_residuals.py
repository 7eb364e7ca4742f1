"""Draws the auto-correlation of denoising residuals."""

import pandas as pd

from inflationary_flows.artifacts.job import job
from inflationary_flows.artifacts.labels import Labels
from inflationary_flows.plotting.shells import plot_residuals
from inflationary_flows.plotting.style import save_figure

with job(snakemake):
    table = Labels.read(snakemake.params.labels).applied(pd.read_csv(snakemake.input.table))
    save_figure(plot_residuals(table), snakemake.output.pdf, snakemake.output.png)
