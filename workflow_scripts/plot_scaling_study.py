"""Draws toys with a wide or a thin coordinate on their way to fewer dimensions, and what they lose."""

import numpy as np
import pandas as pd

from inflationary_flows.plotting.labels import Labels
from inflationary_flows.plotting.scaling_study import plot_scaling_study
from inflationary_flows.plotting.style import save_figure
from inflationary_flows.runtime.job import job

with job(snakemake):
    flows = snakemake.params.flows
    titles = Labels.read(snakemake.params.labels).rows(flows)
    snapshots = [dict(np.load(path)) for path in snakemake.input.snapshots]
    names = [(dataset, schedule, title) for (dataset, schedule, _), title in zip(flows, titles, strict=True)]
    rows = pd.DataFrame(names, columns=["dataset", "schedule", "row"])
    table = rows.merge(pd.read_csv(snakemake.input.table), on=["dataset", "schedule"])
    figure = plot_scaling_study(dict(zip(titles, snapshots, strict=True)), table)
    save_figure(figure, snakemake.output.pdf, snakemake.output.png)
