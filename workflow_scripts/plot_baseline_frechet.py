"""Draws Frechet distances of images that compared methods generate."""

import pandas as pd

from inflationary_flows.plotting.baselines import plot_baseline_frechet
from inflationary_flows.plotting.labels import Labels
from inflationary_flows.plotting.style import save_figure
from inflationary_flows.runtime.job import job

with job(snakemake):
    labels = Labels.read(snakemake.params.labels)
    table = labels.applied(pd.read_csv(snakemake.input.table))
    figure = plot_baseline_frechet(table, labels.methods(table["method"]))
    save_figure(figure, snakemake.output.pdf, snakemake.output.png)
