"""Draws the distance of generated to fresh points against its floor."""

import pandas as pd

from inflationary_flows.plotting.curves import plot_flow_quality
from inflationary_flows.plotting.labels import Labels
from inflationary_flows.plotting.style import save_figure
from inflationary_flows.runtime.job import job

with job(snakemake):
    labels = Labels.read(snakemake.params.labels)
    table = labels.applied(pd.read_csv(snakemake.input.table))
    save_figure(plot_flow_quality(table), snakemake.output.pdf, snakemake.output.png)
