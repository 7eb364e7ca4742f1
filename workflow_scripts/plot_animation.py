"""Draws inflation and generation of one flow as a GIF."""

import numpy as np

from inflationary_flows.plotting.animation import draw_frames, save_animation
from inflationary_flows.plotting.labels import Labels
from inflationary_flows.runtime.job import job

with job(snakemake):
    params, wildcards = snakemake.params, snakemake.wildcards
    labels = Labels.read(params.labels)
    title = f"{labels.dataset(wildcards.dataset)}, {labels.schedule(wildcards.schedule)}"
    frames = draw_frames(dict(np.load(snakemake.input.animation)), title, points=params.points)
    save_animation(snakemake.output.gif, frames, frame_seconds=params.frame_seconds, hold_seconds=params.hold_seconds)
