"""Draws Frechet distances and round-trip errors, published and ours."""

import pandas as pd

from inflationary_flows.plotting.frechet import (
    measured_points,
    plot_paper_comparison,
    published_points,
    uncompared,
)
from inflationary_flows.plotting.labels import Labels
from inflationary_flows.plotting.style import save_figure
from inflationary_flows.runtime.job import job

with job(snakemake):
    params, paths = snakemake.params, snakemake.input
    labels = Labels.read(params.labels)
    comparison = pd.read_csv(paths.comparison)
    points = published_points(comparison)
    if isinstance(paths.frechet, str) and isinstance(paths.roundtrip, str):
        frechet, roundtrip = pd.read_csv(paths.frechet), pd.read_csv(paths.roundtrip)
        dimensions = uncompared(comparison, params.dimensions)
        points = pd.concat([points, measured_points(frechet, roundtrip, params.schedules, dimensions)])
    figure = plot_paper_comparison(points, {name: labels.dataset(name) for name in params.dimensions})
    save_figure(figure, snakemake.output.pdf, snakemake.output.png)
