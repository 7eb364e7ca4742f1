"""Draws the first images of a draw on one sheet."""

from inflationary_flows.artifacts.images import load_images
from inflationary_flows.plotting.contact_sheet import save_contact_sheet
from inflationary_flows.runtime.job import job

with job(snakemake):
    images, metadata = load_images(snakemake.input.images)
    save_contact_sheet(snakemake.output.sheet, images, metadata[0]["levels"])
