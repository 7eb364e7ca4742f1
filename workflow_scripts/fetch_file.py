"""Fetches one file and checks that it is the right one."""

from inflationary_flows.data.download import fetch
from inflationary_flows.files.files import atomic_write
from inflationary_flows.runtime.job import job

with job(snakemake) as logger:
    params, output = snakemake.params, snakemake.output
    digest = fetch(params.url, output.file, params.checksum, logger)
    with atomic_write(output.sha256) as path:
        # The form that `sha256sum --check` reads.
        path.write_text(f"{digest}  {snakemake.wildcards.file}\n", encoding="utf-8")
