"""Prints jobs and hours of the whole workflow, and writes them as a table."""

from pathlib import Path

import pandas as pd

from inflationary_flows.files.tables import write_csv
from inflationary_flows.report.plan import PLAN_COLUMNS, dry_run, plan_rows, plan_text, read_dry_run
from inflationary_flows.runtime.job import job

with job(snakemake):
    snakefile = Path(snakemake.scriptdir).parent / "Snakefile"
    jobs = read_dry_run(dry_run(snakefile, Path(snakemake.params.configuration)))
    rows = plan_rows(jobs, snakemake.params.stages)
    print(plan_text(rows), flush=True)
    write_csv(snakemake.params.table, pd.DataFrame(rows, columns=list(PLAN_COLUMNS)))
