"""Draws images, their latents and what is recovered from these (figure 5 of the paper)."""

import numpy as np

from inflationary_flows.plotting.images import plot_round_trips
from inflationary_flows.plotting.labels import Labels
from inflationary_flows.plotting.style import save_figure
from inflationary_flows.runtime.job import job

with job(snakemake):
    labels, output = Labels.read(snakemake.params.labels), snakemake.output
    titles = [labels.schedule(schedule) for schedule in snakemake.params.schedules]
    pictures = dict(zip(titles, [dict(np.load(path)) for path in snakemake.input.pictures], strict=True))
    save_figure(plot_round_trips(pictures, levels=snakemake.params.levels), output.pdf, output.png)
