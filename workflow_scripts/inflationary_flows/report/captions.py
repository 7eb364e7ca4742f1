"""Captions of figures, animations and tables: reStructuredText in the `spec.py` of their experiment.

In it jinja2 fills `snakemake.wildcards`, as in Snakemake's own report.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
from docutils import nodes
from docutils.core import publish_doctree, publish_parts
from docutils.utils import SystemMessage
from docutils.writers.html5_polyglot import Writer
from markupsafe import Markup

from inflationary_flows.errors import ConfigError, shorten
from inflationary_flows.experiments.registry import Shown, all_shown
from inflationary_flows.files.files import atomic_write

# Warnings are errors, and captions read no other files.
_DOCUTILS = {
    "report_level": 2,
    "halt_level": 2,
    "warning_stream": False,
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "_disable_config": True,
}
# How Markdown marks what captions may have within their paragraphs.
_MARKS = {nodes.literal: "`", nodes.emphasis: "*", nodes.strong: "**"}
_MARKDOWN = re.compile(r"([\\`*\[\]<])")


def caption_html(shown: Shown, wildcards: Mapping[str, str]) -> Markup:
    """Renders a caption as HTML.

    Arguments:
        shown: The entry.
        wildcards: Values of its wildcards, as `find` of the registry returns them.

    Raises:
        ConfigError: if the caption names an unknown wildcard, or is no valid reStructuredText.
    """
    text = _fill(shown, wildcards)
    try:
        parts = publish_parts(text, source_path=_place(shown), writer=Writer(), settings_overrides=_DOCUTILS)
    except SystemMessage as problem:
        raise _malformed(shown, problem) from problem
    return Markup(parts["body"].strip())


def caption_markdown(shown: Shown) -> str:
    """Renders a caption as Markdown, its lines and wildcards as they are.

    Raises:
        ConfigError: as `caption_html`, or if the caption has more than paragraphs with words in italics, bold or code.
    """
    text = _fill(shown, {name: f"{{{name}}}" for name in shown.wildcards})
    try:
        document = publish_doctree(text, source_path=_place(shown), settings_overrides=_DOCUTILS)
    except SystemMessage as problem:
        raise _malformed(shown, problem) from problem
    paragraphs = []
    for paragraph in document.children:
        if not isinstance(paragraph, nodes.paragraph):
            raise ConfigError(_place(shown), "paragraphs", f"a {paragraph.tagname}", "say it in sentences.")
        paragraphs.append("".join(_mark(child, shown) for child in paragraph.children))
    return "\n\n".join(paragraphs)


def write_captions(folder: Path) -> None:
    """Writes every caption as a file, named by `Shown.caption_file`, as Snakemake's own report reads it.

    A file that holds its caption already is left as it is.
    """
    for shown in all_shown():
        path, text = folder / shown.caption_file, f"{inspect.cleandoc(shown.caption)}\n"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            with atomic_write(path) as temporary:
                temporary.write_text(text, encoding="utf-8")


def _mark(node: Any, shown: Shown) -> str:
    """A part of a paragraph as Markdown."""
    text = node.astext()
    if isinstance(node, nodes.Text):
        return _MARKDOWN.sub(r"\\\1", text)
    mark = _MARKS.get(type(node))
    if mark is None:
        hint = "captions have words in italics, bold or code, and nothing else."
        raise ConfigError(_place(shown), "plain text or marked words", f"a {node.tagname}: {shorten(text)}", hint)
    return f"{mark}{text}{mark}"


def _fill(shown: Shown, wildcards: Mapping[str, str]) -> str:
    """A caption with all wildcards filled in."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    job = SimpleNamespace(wildcards=SimpleNamespace(**wildcards))
    try:
        return environment.from_string(inspect.cleandoc(shown.caption)).render(snakemake=job)
    except jinja2.TemplateError as problem:
        allowed = " or ".join(f"{{{{ snakemake.wildcards.{name} }}}}" for name in wildcards) or "text alone"
        hint = "captions can name wildcards only."
        raise ConfigError(_place(shown), allowed, shorten(str(problem), 80), hint) from problem


def _malformed(shown: Shown, problem: Exception) -> ConfigError:
    return ConfigError(
        _place(shown), "valid reStructuredText", shorten(str(problem), 160), "correct the caption in spec.py."
    )


def _place(shown: Shown) -> str:
    """Where messages say that a caption is."""
    return f"the caption of {shown.kind}/{shown.key}"
