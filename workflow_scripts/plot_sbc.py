"""Draws rank histograms of the mixture's weights."""

import pandas as pd

from inflationary_flows.plotting.calibration import plot_weight_ranks
from inflationary_flows.plotting.labels import Labels
from inflationary_flows.plotting.style import save_figure
from inflationary_flows.runtime.job import job

with job(snakemake):
    table = Labels.read(snakemake.params.labels).applied(pd.read_csv(snakemake.input.table))
    chosen = table[table["quantity"].str.startswith("weight")]
    save_figure(plot_weight_ranks(chosen), snakemake.output.pdf, snakemake.output.png)
