"""Draws losses against training steps, and the error against the exact denoiser."""

import pandas as pd

from inflationary_flows.plotting.curves import plot_training_curves
from inflationary_flows.plotting.labels import Labels
from inflationary_flows.plotting.style import save_figure
from inflationary_flows.runtime.job import job

with job(snakemake):
    labels = Labels.read(snakemake.params.labels)
    curves = [
        pd.read_json(path, lines=True).assign(
            dataset=labels.dataset(dataset), schedule=labels.schedule(schedule), seed=seed
        )
        for path, (dataset, schedule, seed) in zip(snakemake.input, snakemake.params.flows, strict=True)
    ]
    figure = plot_training_curves(pd.concat(curves, ignore_index=True))
    save_figure(figure, snakemake.output.pdf, snakemake.output.png)
