"""The pages on figures and on tables, made from the registry of experiments."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from inflationary_flows import experiments
from inflationary_flows.experiments.registry import Experiment, Shown, Table, all_shown, owner_of
from inflationary_flows.report.captions import caption_markdown

# Links start in docs/, where the site has both pages.
_EXPERIMENTS = "../workflow_scripts/inflationary_flows/experiments"
_FIGURES_HEADER = """\
# Figures and animations

Each entry names the command that makes the file and the modules of its experiment: `spec.py` says what is measured and
shown, `figure.py` draws, the others measure. `make trace FILE=results/figures/fig02.png` follows a file back to data
and seeds. `{dataset}` stands for the data sets of the configuration. Figures that the configuration has no data for are
not made. The [tables](results.md) are explained column by column.
"""
_RESULTS_HEADER = """\
# Tables

Tables are in `results/tables/`. Names of files, columns and metrics are stable. `dataset`, `schedule` and `seed` name
the flow as in the configuration. Numbers are in the units of the data unless stated otherwise. Each entry names the
command that makes the table and the modules of its experiment. The [figures](figures.md) show most of them.
"""
_SECTIONS = {"paper": "Figures of the paper", "A": "Its appendix", "B": "Not in the paper", "S": "Animations"}


def figures_page() -> str:
    """Writes the page on figures and animations, in Markdown, in the order of the paper.

    Raises:
        ConfigError: if a caption is malformed.
    """
    shown = [one for one in all_shown() if not isinstance(one, Table)]
    sections = {title: [one for one in shown if _group(one) == group] for group, title in _SECTIONS.items()}
    return _page(_FIGURES_HEADER, sections)


def results_page() -> str:
    """Writes the page on tables, in Markdown, by category.

    Raises:
        ConfigError: if a caption is malformed.
    """
    sections: dict[str, list[Shown]] = {}
    for one in all_shown():
        if isinstance(one, Table):
            sections.setdefault(one.category, []).append(one)
    return _page(_RESULTS_HEADER, sections)


# By the command that prints a page, which is its name on the site as well.
PAGES = {"figures": figures_page, "results": results_page}


def _group(shown: Shown) -> str:
    """The letter that its number begins with; numbers of the paper's main part have none."""
    return "paper" if shown.number[0].isdigit() else shown.number[0]


def _page(header: str, sections: dict[str, list[Shown]]) -> str:
    blocks = [header.rstrip()]
    for title, members in sections.items():
        blocks.append(f"## {title}")
        for shown in members:
            blocks += _describe(shown)
    return "\n\n".join(blocks) + "\n"


def _describe(shown: Shown) -> Iterator[str]:
    """Paragraphs of one entry."""
    yield f"### {_heading(shown)}"
    yield caption_markdown(shown)
    if isinstance(shown, Table):
        rows = [f"| `{name}` | {meaning} |" for name, meaning in shown.columns.items()]
        yield "\n".join(["| column | meaning |", "|---|---|", *rows])
        if shown.notes:
            yield inspect.cleandoc(shown.notes)
    yield "\n".join(_walk(shown, owner_of(shown)))


def _walk(shown: Shown, experiment: Experiment) -> Iterator[str]:
    """How the file is made, and where to read on."""
    yield f"- make it: `snakemake {shown.paths[0]}`"
    files = sorted(Path(experiments.__path__[0], experiment.name).glob("[!_]*.py"))
    modules = (f"[`{file.name}`]({_EXPERIMENTS}/{experiment.name}/{file.name})" for file in files)
    yield f"- experiment `{experiment.name}`: {', '.join(modules)}"
    page, others = ("figures", experiment.pictures) if isinstance(shown, Table) else ("results", experiment.tables)
    if others:
        named = (f"[{_name(other)}]({page}.md#{_anchor(_heading(other))})" for other in others)
        yield f"- {'shown in' if isinstance(shown, Table) else 'tables'}: {', '.join(named)}"


def _heading(shown: Shown) -> str:
    return f"{_name(shown)}: {shown.title}"


def _name(shown: Shown) -> str:
    """What the pages call it: readers look for tables by their files."""
    return f"{shown.key}.csv" if isinstance(shown, Table) else shown.label


def _anchor(heading: str) -> str:
    """The anchor of a heading as git hosts make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
