"""Draws the differences between latents of the same points under different networks."""

import pandas as pd

from inflationary_flows.artifacts.job import job
from inflationary_flows.artifacts.labels import Labels
from inflationary_flows.plotting.calibration import plot_identifiability
from inflationary_flows.plotting.style import save_figure

with job(snakemake):
    table = Labels.read(snakemake.params.labels).applied(pd.read_csv(snakemake.input.table))
    save_figure(plot_identifiability(table), snakemake.output.pdf, snakemake.output.png)
