"""Draws the same marginals as paths of the SDE, density of the Fokker-Planck equation and lines of the pfODE."""

import numpy as np
import pandas as pd

from inflationary_flows.plotting.marginals import plot_marginals
from inflationary_flows.plotting.style import save_figure
from inflationary_flows.runtime.job import job

with job(snakemake):
    arrays = dict(np.load(snakemake.input.arrays))
    figure = plot_marginals(arrays, pd.read_csv(snakemake.input.table))
    save_figure(figure, snakemake.output.pdf, snakemake.output.png)
