"""The page docs/figures.md: every figure, animation and table with its caption, and the way to its script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from inflationary_flows.report.captions import caption_markdown
from inflationary_flows.report.registry import ANIMATIONS, FIGURES, TABLES, Registry, Shown

_HEADER = """\
# Figures, animations and tables

Made by `python -m inflationary_flows figures` from [`rules/figures.yaml`](../rules/figures.yaml) and the captions in
`docs/captions/`, which reports show as well.

Each entry is a way to walk: from the file to the script that makes it, which has the name of its rule, and on to what
the script reads and to the scripts behind that. The library functions that scripts call say in their docstrings which
equation they are. Of a file that is there, `make trace FILE=results/figures/fig02.png` prints the whole way back to
data and seeds, see [audit.md](audit.md).

`{dataset}`, `{schedule}`, `{method}` and `{seed}` stand for names and numbers of the configuration; what it has nothing
for is not made. [results.md](results.md) explains tables column by column.
"""
_SECTIONS = {
    "paper": "Figures of the paper",
    "appendix": "Its appendix",
    "own": "What the paper does not have",
    ANIMATIONS: "Animations",
    TABLES: "Tables",
}


def write_catalogue(registry: Registry, captions: Path) -> str:
    """Writes the page, in Markdown.

    Arguments:
        registry: All entries, in the order of the page.
        captions: Folder of the captions.

    Raises:
        ConfigError: if a caption is missing or malformed.
    """
    lines = [_HEADER]
    for section, title in _SECTIONS.items():
        lines.append(f"## {title}\n")
        for shown in registry.shown:
            if _section(shown) == section:
                lines += [f"{line}\n" for line in _describe(shown, registry, captions)]
    return "\n".join(lines).rstrip() + "\n"


def _section(shown: Shown) -> str:
    """Where an entry stands; numbers of the appendix begin with A, those of our own with B."""
    if shown.kind != FIGURES:
        return shown.kind
    return {"A": "appendix", "B": "own"}.get(shown.number[0], "paper")


def _describe(shown: Shown, registry: Registry, captions: Path) -> Iterator[str]:
    """Paragraphs of one entry."""
    yield f"### {_heading(shown)}"
    yield caption_markdown(shown, {name: f"{{{name}}}" for name in shown.wildcards}, captions)
    inputs = "\n".join(f"    - {_link(path, registry)}" for path in shown.inputs) or "    - the configuration alone"
    yield f"- make it: `snakemake {shown.paths[0]}`\n- rule and script: {_script(shown.rule)}\n- from:\n{inputs}"


def _heading(shown: Shown) -> str:
    return f"{shown.label}: {shown.title}"


def _script(rule: str) -> str:
    """A rule, with a link to its script."""
    return f"[`{rule}`](../workflow_scripts/{rule}.py)"


def _link(path: str, registry: Registry) -> str:
    """An input, with a link to where the page has it, else to the script that makes it."""
    match = registry.find(path)
    if match is None:
        return f"`{path}`, by {_script(registry.makers[path])}"
    return f"[`{path}`](#{_anchor(_heading(match[0]))})"


def _anchor(heading: str) -> str:
    """The anchor of a heading as git hosts make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
