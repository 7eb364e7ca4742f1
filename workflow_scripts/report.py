"""Writes results/report.html, one file with figures, tables, costs and origins, and the tables that it quotes."""

from pathlib import Path

import yaml

from inflationary_flows.audit.checks import audit
from inflationary_flows.files.files import atomic_write, sha256_of
from inflationary_flows.files.tables import write_csv
from inflationary_flows.report.costs import benchmark_files
from inflationary_flows.report.page import Run, describe_run, find_entries, read_pictures, render
from inflationary_flows.report.quoted import QUOTED, SIZES, quoted_tables, table_of_tables
from inflationary_flows.report.tables import Table
from inflationary_flows.runtime.job import job
from inflationary_flows.runtime.provenance import RESULTS, note_read

with job(snakemake):
    params, page = snakemake.params, Path(snakemake.params.page)
    own = frozenset((*QUOTED, SIZES, page.relative_to(RESULTS).as_posix()))
    found = audit(RESULTS, Path(snakemake.scriptdir), ignore=own)
    configuration = Path(params.configuration).read_text(encoding="utf-8")
    resolved = yaml.safe_load(configuration)
    entries = find_entries(RESULTS, resolved)
    note_read(params.configuration, *benchmark_files(RESULTS / "benchmarks"))

    def write_tables(frames):
        for path, frame in frames.items():
            write_csv(RESULTS / path, frame)
            note_read(RESULTS / path)
        return {path: Table.read(RESULTS, path) for path in frames}

    tables = {entry.path: Table.read(RESULTS, entry.path) for entry in entries if entry.is_table}
    tables |= write_tables(quoted_tables(found, entries, params.stages))
    tables |= write_tables({SIZES: table_of_tables(tables.values())})
    run = Run(
        title="Inflationary flows: report of a run",
        subtitle=describe_run(resolved),
        note=resolved.get("note", ""),
        entries=entries,
        tables=tables,
        pictures=read_pictures(RESULTS, entries),
        found=found,
        configuration=(Path(params.configuration).name, sha256_of(params.configuration), configuration),
    )
    with atomic_write(page) as path:
        path.write_text(render(run), encoding="utf-8")
    print(f"{page}: {page.stat().st_size / 1e6:.1f} MB, {len(found.findings)} findings of the audit", flush=True)
