"""Writes results, provenance and sources as one zip file, a Workflow Run RO-Crate, if nothing is wrong with them."""

from pathlib import Path

from inflationary_flows.audit.__main__ import summarise
from inflationary_flows.audit.bundle import write_bundle
from inflationary_flows.audit.checks import audit
from inflationary_flows.runtime.job import job
from inflationary_flows.runtime.provenance import RESULTS

with job(snakemake) as logger:
    scripts = Path(snakemake.scriptdir)
    found = audit(RESULTS, scripts)
    logger.info("%s", summarise(found))
    if found.findings:
        print(summarise(found), flush=True)
        raise SystemExit(1)
    write_bundle(Path(snakemake.params.bundle), RESULTS, scripts.parent)
    size = Path(snakemake.params.bundle).stat().st_size
    print(f"{snakemake.params.bundle}: {size / 1e6:.1f} MB", flush=True)
