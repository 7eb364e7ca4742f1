"""Draws traces and rank histograms of all chains."""

from inflationary_flows.files.datasets import load_dataset
from inflationary_flows.plotting.hmc import WeightPosterior, plot_traces
from inflationary_flows.plotting.labels import Labels
from inflationary_flows.plotting.style import save_figure
from inflationary_flows.runtime.job import job

with job(snakemake):
    labels = Labels.read(snakemake.params.labels)
    posteriors = []
    for (dataset, schedule, sampler, n), path in zip(
        snakemake.params.posteriors, snakemake.input.posteriors, strict=True
    ):
        title = f"{labels.dataset(dataset)}, {labels.schedule(schedule)}, {sampler} sampler, n = {n}"
        posteriors.append(WeightPosterior(title, load_dataset(path)["weights"].values))
    save_figure(plot_traces(posteriors), snakemake.output.pdf, snakemake.output.png)
