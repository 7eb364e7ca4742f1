"""Draws samples of all flows of one set of images."""

import numpy as np

from inflationary_flows.plotting.images import plot_image_samples
from inflationary_flows.plotting.labels import Labels
from inflationary_flows.plotting.style import save_figure
from inflationary_flows.runtime.job import job

with job(snakemake):
    labels, output = Labels.read(snakemake.params.labels), snakemake.output
    titles = [labels.schedule(schedule) for schedule in snakemake.params.schedules]
    pictures = [dict(np.load(path)) for path in snakemake.input.pictures]
    samples = {title: arrays["samples"] for title, arrays in zip(titles, pictures, strict=True)}
    figure = plot_image_samples(samples, levels=snakemake.params.levels, data=pictures[0]["original"])
    save_figure(figure, output.pdf, output.png)
