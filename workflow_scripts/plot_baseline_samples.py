"""Draws how far points that compared methods generate are from fresh ones, against the floor."""

import pandas as pd

from inflationary_flows.plotting.baselines import plot_baseline_samples
from inflationary_flows.plotting.labels import Labels
from inflationary_flows.plotting.style import save_figure
from inflationary_flows.runtime.job import job

with job(snakemake):
    labels = Labels.read(snakemake.params.labels)
    table = labels.applied(pd.read_csv(snakemake.input.table))
    # Sets of images of many coordinates have no floor, and may be all that is compared.
    floors = [pd.read_csv(path) for path in snakemake.input.floors]
    floor = pd.concat(floors, ignore_index=True) if floors else None
    if floor is not None:
        floor["dataset"] = floor["dataset"].map(labels.dataset)
    figure = plot_baseline_samples(table, labels.methods(table["method"]), floor)
    save_figure(figure, snakemake.output.pdf, snakemake.output.png)
