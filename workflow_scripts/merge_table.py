"""Puts tables of the same columns below each other, as text, so that no number changes."""

from pathlib import Path

from inflationary_flows.errors import ArtifactError
from inflationary_flows.files.files import atomic_write
from inflationary_flows.runtime.job import job

with job(snakemake):
    texts = {path: Path(path).read_text() for path in snakemake.input}
    header = next(iter(texts.values())).partition("\n")[0]
    for path, text in texts.items():
        if text.partition("\n")[0] != header:
            hint = "delete it and run the workflow again."
            raise ArtifactError(path, f"the columns {header}", text.partition("\n")[0], hint)
    with atomic_write(snakemake.output.table) as temporary:
        temporary.write_text("".join([header, "\n", *(t.partition("\n")[2] for t in texts.values())]))
