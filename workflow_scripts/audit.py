"""Checks all results against their sidecars, and fails if anything is wrong."""

from pathlib import Path

from inflationary_flows.audit.__main__ import summarise
from inflationary_flows.audit.checks import audit
from inflationary_flows.runtime.job import job
from inflationary_flows.runtime.provenance import RESULTS

with job(snakemake) as logger:
    found = audit(RESULTS, Path(snakemake.scriptdir))
    logger.info("%s", summarise(found))
    print(summarise(found), flush=True)
    if found.findings:
        raise SystemExit(1)
