"""Draws the auto-correlation of denoising residuals."""

import pandas as pd

from inflationary_flows.plotting.labels import Labels
from inflationary_flows.plotting.shells import plot_residuals
from inflationary_flows.plotting.style import save_figure
from inflationary_flows.runtime.job import job

with job(snakemake):
    table = Labels.read(snakemake.params.labels).applied(pd.read_csv(snakemake.input.table))
    save_figure(plot_residuals(table), snakemake.output.pdf, snakemake.output.png)
