"""Draws the differences between latents of the same points under different networks."""

import pandas as pd

from inflationary_flows.plotting.calibration import plot_identifiability
from inflationary_flows.plotting.labels import Labels
from inflationary_flows.plotting.style import save_figure
from inflationary_flows.runtime.job import job

with job(snakemake):
    table = Labels.read(snakemake.params.labels).applied(pd.read_csv(snakemake.input.table))
    save_figure(plot_identifiability(table), snakemake.output.pdf, snakemake.output.png)
