"""Draws balls in data space, their images along the flow, and the latent posteriors with credible contours."""

from inflationary_flows.files.datasets import load_dataset
from inflationary_flows.plotting.propagation import plot_propagation
from inflationary_flows.plotting.style import save_figure
from inflationary_flows.runtime.job import job

with job(snakemake):
    posterior = load_dataset(snakemake.input.posterior)
    save_figure(plot_propagation(posterior), snakemake.output.pdf, snakemake.output.png)
