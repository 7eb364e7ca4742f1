"""Draws inflation and generation of toys that lie in a plane or space of more dimensions."""

import numpy as np

from inflationary_flows.plotting.labels import Labels
from inflationary_flows.plotting.style import save_figure
from inflationary_flows.plotting.toys import plot_toys
from inflationary_flows.runtime.job import job

with job(snakemake):
    titles = Labels.read(snakemake.params.labels).rows(snakemake.params.flows)
    snapshots = [dict(np.load(path)) for path in snakemake.input]
    figure = plot_toys(dict(zip(titles, snapshots, strict=True)))
    save_figure(figure, snakemake.output.pdf, snakemake.output.png)
