"""Fetches one file and checks that it is the right one."""

from inflationary_flows.artifacts.files import atomic_write
from inflationary_flows.artifacts.job import job
from inflationary_flows.data.download import fetch

with job(snakemake) as logger:
    params, output = snakemake.params, snakemake.output
    digest = fetch(params.url, output.file, params.checksum, logger)
    with atomic_write(output.sha256) as path:
        # The form that `sha256sum --check` reads.
        path.write_text(f"{digest}  {snakemake.wildcards.file}\n", encoding="utf-8")
