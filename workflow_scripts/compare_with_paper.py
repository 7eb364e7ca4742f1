"""Puts published values and ours beside each other."""

from pathlib import Path

import pandas as pd

from inflationary_flows.experiments.paper_comparison.measure import compare_with_paper
from inflationary_flows.files.tables import write_csv
from inflationary_flows.runtime.job import job

with job(snakemake):
    # A configuration without image flows has no tables of them: all is then "not run".
    tables = snakemake.input
    frechet, roundtrip, participation, baselines = (
        pd.read_csv(paths) if isinstance(paths, str) else pd.DataFrame()
        for paths in (tables.frechet, tables.roundtrip, tables.participation, tables.get("baselines"))
    )
    table = compare_with_paper(
        pd.read_csv(Path(snakemake.scriptdir).parent / "configs/paper_tables.csv"),
        frechet,
        roundtrip,
        participation,
        schedules=snakemake.params.schedules,
        kinds=snakemake.params.kinds,
        baselines=baselines,
        methods=snakemake.params.get("methods"),
    )
    write_csv(snakemake.output.table, table)
