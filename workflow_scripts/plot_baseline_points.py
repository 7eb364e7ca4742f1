"""Draws points and images that compared methods generate, and images that they make again."""

import numpy as np

from inflationary_flows.plotting.baseline_points import Pictures, PointRow, plot_baseline_points
from inflationary_flows.plotting.labels import Labels
from inflationary_flows.plotting.style import save_figure
from inflationary_flows.runtime.job import job

with job(snakemake):
    params, labels = snakemake.params, Labels.read(snakemake.params.labels)
    models = {}
    for (method, dataset, schedule, seed), path in zip(params.models, snakemake.input.points, strict=True):
        models.setdefault((dataset, schedule, seed), {})[method] = dict(np.load(path))
    formats = {name: Pictures(tuple(image["shape"]), image["levels"]) for name, image in params.images.items()}
    titles = zip(labels.rows(list(models)), models, strict=True)
    rows = [PointRow(title, models[flow], formats.get(flow[0])) for title, flow in titles]
    figure = plot_baseline_points(rows, labels.methods(method for method, *_ in params.models))
    save_figure(figure, snakemake.output.pdf, snakemake.output.png)
