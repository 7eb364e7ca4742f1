"""Puts table 4 of the paper and our Frechet distances of the same methods below each other."""

from pathlib import Path

import pandas as pd

from inflationary_flows.experiments.baselines.table4 import tabulate_table4
from inflationary_flows.files.tables import write_csv
from inflationary_flows.runtime.job import job

with job(snakemake):
    params, paths = snakemake.params, snakemake.input
    baselines, participation = (
        pd.read_csv(path) if isinstance(path, str) else pd.DataFrame()
        for path in (paths.table, paths.get("participation"))
    )
    table = tabulate_table4(
        pd.read_csv(Path(snakemake.scriptdir).parent / "configs/paper_tables.csv"),
        baselines,
        participation,
        schedules=params.schedules,
        kinds=params.kinds,
        methods=params.methods,
    )
    write_csv(snakemake.output.table, table)
