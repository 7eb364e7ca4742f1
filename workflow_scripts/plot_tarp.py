"""Draws expected coverage against nominal level."""

import pandas as pd

from inflationary_flows.plotting.calibration import plot_tarp
from inflationary_flows.plotting.labels import Labels
from inflationary_flows.plotting.style import save_figure
from inflationary_flows.runtime.job import job

with job(snakemake):
    table = Labels.read(snakemake.params.labels).applied(pd.read_csv(snakemake.input.table))
    save_figure(plot_tarp(table), snakemake.output.pdf, snakemake.output.png)
