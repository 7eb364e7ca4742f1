"""Draws how many points shells keep, and the shells themselves."""

import numpy as np
import pandas as pd

from inflationary_flows.plotting.labels import Labels
from inflationary_flows.plotting.shells import plot_coverage, plot_coverage_schematic
from inflationary_flows.plotting.style import save_figure
from inflationary_flows.runtime.job import job

with job(snakemake):
    labels = Labels.read(snakemake.params.labels)
    table = labels.applied(pd.read_csv(snakemake.input.table))
    save_figure(plot_coverage(table), snakemake.output.pdf, snakemake.output.png)
    flows = []
    for (dataset, schedule, _), path in zip(snakemake.params.flows, snakemake.input.shells, strict=True):
        with np.load(path) as arrays:
            flows.append((labels.dataset(dataset), labels.schedule(schedule), dict(arrays)))
    figure = plot_coverage_schematic(flows)
    save_figure(figure, snakemake.output.schematic_pdf, snakemake.output.schematic_png)
