"""Prints jobs and hours of the whole workflow, and writes them as a table."""

import pandas as pd

from inflationary_flows.files.tables import write_csv
from inflationary_flows.report.plan import PLAN_COLUMNS, plan_rows, plan_text
from inflationary_flows.runtime.job import job

with job(snakemake):
    rows = plan_rows(snakemake.params.counts)
    print(plan_text(rows), flush=True)
    write_csv(snakemake.params.table, pd.DataFrame(rows, columns=list(PLAN_COLUMNS)))
