"""One HTML file of a run: what was made, in the paper's order, where it comes from, what it cost, what its audit found.

The file needs no server and no network: pictures are inside.  Every number outside of captions stands in a table of the
run, and the page says in which: cells by their table, row and column, other numbers as `<data>` elements with these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from inflationary_flows.audit.checks import Audit, Finding
from inflationary_flows.audit.sidecars import Input
from inflationary_flows.experiments.own_tables.spec import CATEGORY as OWN
from inflationary_flows.experiments.registry import SUFFIXES, all_shown, find
from inflationary_flows.plotting.labels import Labels
from inflationary_flows.report.captions import caption_html
from inflationary_flows.report.pictures import KINDS, Picture, fitted
from inflationary_flows.report.tables import Table, anchor_of, shortened

UNREGISTERED = "Further results"
# The category whose section opens with what its tests say.
CALIBRATION = "Calibration"
# Bytes of the pictures of a page, as text: with its tables it stays below 25 MB, and opens in less than two seconds.
PICTURE_BYTES = 16_000_000
# A table with more rows is folded away, and has a field to filter it.
MANY_ROWS = 12
# A cell with more characters may have several lines.
LONG_CELL = 64
_TEMPLATE = "template.html.j2"


@dataclass(frozen=True)
class Entry:
    """One figure, animation or table that the page shows.

    Attributes:
        path: Below the results.
        number: Such as "Figure 2"; may be empty.
        title: What it shows.
        category: Section that it belongs to.
        caption: HTML.
    """

    path: str
    number: str
    title: str
    category: str
    caption: str = ""

    @property
    def anchor(self) -> str:
        """Where the page has it."""
        return anchor_of(self.path)

    @property
    def is_table(self) -> bool:
        """Whether it is no picture."""
        return Path(self.path).suffix not in KINDS

    @property
    def moves(self) -> bool:
        """Whether it is an animation."""
        return Path(self.path).suffix == ".gif"


@dataclass(frozen=True)
class Run:
    """All that a page is made from.

    Attributes:
        title: Of the page.
        subtitle: What was run: names of data sets.
        note: What the configuration says about itself; may be empty.
        entries: What is shown, in order.
        tables: By path below the results: those shown, and the report's own.
        pictures: By path.
        found: What their audit found, with all sidecars.
        configuration: Path below the results and sha256 of the configuration, and its text.
    """

    title: str
    subtitle: str
    note: str
    entries: Sequence[Entry]
    tables: Mapping[str, Table]
    pictures: Mapping[str, Picture]
    found: Audit
    configuration: tuple[str, str, str]

    def inputs_of(self, path: str) -> tuple[Input, ...]:
        """What an artifact was made from."""
        sidecar = self.found.ledger.sidecars.get(path)
        return sidecar.inputs if sidecar else ()

    def findings_of(self, path: str) -> list[Finding]:
        """What is wrong with an artifact."""
        return [finding for finding in self.found.findings if finding.path == path]


def describe_run(resolved: Mapping[str, Any]) -> str:
    """Names the data sets of a resolved configuration, and the schedules of each."""
    labels = Labels(dict(resolved), drawn=False)
    named = (
        f"{labels.dataset(name)} ({', '.join(labels.schedule(schedule) for schedule in chosen['schedules'])})"
        for name, chosen in resolved["datasets"].items()
    )
    return ", ".join(named)


def find_entries(results: Path, resolved: Mapping[str, Any]) -> list[Entry]:
    """Finds what there is to show below a folder of results.

    Arguments:
        results: The folder.
        resolved: The resolved configuration, for names and labels of data sets.

    Returns:
        Entries in the order of the registry; what it does not know comes last.
    """
    places = {shown.label: place for place, shown in enumerate(all_shown())}
    known = {"dataset": list(resolved["datasets"])}
    labels = Labels(dict(resolved), drawn=False)
    found: list[tuple[int, Entry]] = []
    # Of a figure the first suffix is that of its picture.
    for folder, (suffix, *_) in SUFFIXES.items():
        for file in sorted((results / folder).glob(f"*{suffix}")):
            path = file.relative_to(results).as_posix()
            match = find(path, known) or find(path)
            if match is None:
                found.append((len(places), Entry(path, "", file.name, UNREGISTERED)))
                continue
            shown, wildcards = match
            named = [labels.dataset(dataset) for dataset in wildcards.values()]
            title = ": ".join([shown.title, ", ".join(named)] if named else [shown.title])
            caption = caption_html(shown, wildcards)
            found.append((places[shown.label], Entry(path, shown.label, title, shown.category, caption)))
    return [entry for _, entry in sorted(found, key=lambda pair: pair[0])]


def read_pictures(results: Path, entries: Iterable[Entry], budget: int = PICTURE_BYTES) -> dict[str, Picture]:
    """Reads the pictures among the entries, made smaller where all together would be larger than the budget."""
    pictures = fitted((Picture.read(results, entry.path) for entry in entries if not entry.is_table), budget)
    return {picture.path: picture for picture in pictures}


def render(run: Run) -> str:
    """Writes the page of a run."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sections: dict[str, list[Entry]] = {}
    # What is about the user's own tables comes first.
    for entry in sorted(run.entries, key=lambda entry: entry.category != OWN):
        sections.setdefault(entry.category, []).append(entry)
    shown_at = {entry.path: entry.anchor for entry in run.entries}
    # Of the report's own tables those without rows are left out.
    shown_at |= {path: table.anchor for path, table in run.tables.items() if table.rows}
    return environment.get_template(_TEMPLATE).render(
        run=run,
        sections=sections,
        shown_at=shown_at,
        shortened=shortened,
        anchor_of=anchor_of,
        calibration_section=CALIBRATION,
        many_rows=MANY_ROWS,
        long_cell=LONG_CELL,
    )
