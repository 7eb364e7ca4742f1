"""Draws the eigenvalues of images against their number."""

import pandas as pd

from inflationary_flows.plotting.labels import Labels
from inflationary_flows.plotting.spectra import plot_spectra
from inflationary_flows.plotting.style import save_figure
from inflationary_flows.runtime.job import job

with job(snakemake):
    labels = Labels.read(snakemake.params.labels)
    table = pd.read_csv(snakemake.input.table)
    table["dataset"] = table["dataset"].map(labels.dataset)
    save_figure(plot_spectra(table), snakemake.output.pdf, snakemake.output.png)
