"""Draws the generative mixture and the posteriors of its weights, and both samplers on the same data."""

from inflationary_flows.files.datasets import load_dataset
from inflationary_flows.files.tensors import load_tensors
from inflationary_flows.plotting.hmc import WeightPosterior, plot_samplers, plot_weights
from inflationary_flows.plotting.labels import Labels
from inflationary_flows.plotting.style import save_figure
from inflationary_flows.runtime.job import job

with job(snakemake):
    params, output = snakemake.params, snakemake.output
    labels = Labels.read(params.labels)

    def read(paths):
        titles = [f"{labels.dataset(dataset)}, {labels.schedule(schedule)}" for dataset, schedule, _ in params.flows]
        draws = [load_dataset(path)["weights"].values for path in paths]
        return [WeightPosterior(title, weights) for title, weights in zip(titles, draws, strict=True)]

    observed = load_tensors(snakemake.input.observations[0], "observations")[0]
    figure = plot_weights(observed, read(snakemake.input.posteriors), params.truth)
    save_figure(figure, output.pdf, output.png)
    joint, collapsed = read(snakemake.input.joint), read(snakemake.input.collapsed)
    figure = plot_samplers(joint, collapsed, params.truth, params.observations)
    save_figure(figure, output.samplers_pdf, output.samplers_png)
