"""Draws generated digits, and digits before and after a round trip."""

import numpy as np

from inflationary_flows.plotting.digits import plot_digit_roundtrips, plot_digit_samples
from inflationary_flows.plotting.labels import Labels
from inflationary_flows.plotting.style import save_figure
from inflationary_flows.runtime.job import job

with job(snakemake):
    labels, output = Labels.read(snakemake.params.labels), snakemake.output
    titles = [labels.schedule(schedule) for _, schedule, _ in snakemake.params.flows]
    snapshots = dict(zip(titles, [dict(np.load(path)) for path in snakemake.input], strict=True))
    save_figure(plot_digit_samples(snapshots), output.samples_pdf, output.samples_png)
    save_figure(plot_digit_roundtrips(snapshots), output.roundtrip_pdf, output.roundtrip_png)
