"""Captions of figures, animations and tables: reStructuredText below `docs/captions`.

In it jinja2 fills `snakemake.wildcards`, as in Snakemake's own report.
"""

from __future__ import annotations

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
from inflationary_flows.report.registry import Shown

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


def caption_html(shown: Shown, wildcards: Mapping[str, str], folder: Path) -> Markup:
    """Renders a caption as HTML.

    Arguments:
        shown: The entry.
        wildcards: Values of its wildcards, as `Registry.find` returns them.
        folder: Folder of the captions.

    Raises:
        ConfigError: if the caption is missing, names an unknown wildcard, or is no valid reStructuredText.
    """
    where, text = _fill(shown, wildcards, folder)
    try:
        parts = publish_parts(text, source_path=where, writer=Writer(), settings_overrides=_DOCUTILS)
    except SystemMessage as problem:
        raise _malformed(where, problem) from problem
    return Markup(parts["body"].strip())


def caption_markdown(shown: Shown, wildcards: Mapping[str, str], folder: Path) -> str:
    """Renders a caption as Markdown, its lines as they are.

    Arguments:
        shown, wildcards, folder: As of `caption_html`.

    Raises:
        ConfigError: as `caption_html`, or if the caption has more than paragraphs with words in italics, bold or code.
    """
    where, text = _fill(shown, wildcards, folder)
    try:
        document = publish_doctree(text, source_path=where, settings_overrides=_DOCUTILS)
    except SystemMessage as problem:
        raise _malformed(where, problem) from problem
    paragraphs = []
    for paragraph in document.children:
        if not isinstance(paragraph, nodes.paragraph):
            raise ConfigError(where, "paragraphs", f"a {paragraph.tagname}", "say it in sentences.")
        paragraphs.append("".join(_mark(child, where) for child in paragraph.children))
    return "\n\n".join(paragraphs)


def _mark(node: Any, where: str) -> str:
    """A part of a paragraph as Markdown."""
    text = node.astext()
    if isinstance(node, nodes.Text):
        return _MARKDOWN.sub(r"\\\1", text)
    mark = _MARKS.get(type(node))
    if mark is None:
        hint = "captions have words in italics, bold or code, and nothing else."
        raise ConfigError(where, "plain text or marked words", f"a {node.tagname}: {shorten(text)}", hint)
    return f"{mark}{text}{mark}"


def _fill(shown: Shown, wildcards: Mapping[str, str], folder: Path) -> tuple[str, str]:
    """The path of a caption, and its text with all wildcards filled in."""
    path = folder / shown.caption
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    job = SimpleNamespace(wildcards=SimpleNamespace(**wildcards))
    try:
        return str(path), environment.from_string(path.read_text(encoding="utf-8")).render(snakemake=job)
    except FileNotFoundError:
        raise ConfigError(str(path), f"the caption of {shown.key}", "none", "write it, or correct the key.") from None
    except jinja2.TemplateError as problem:
        allowed = " or ".join(f"{{{{ snakemake.wildcards.{name} }}}}" for name in wildcards) or "text alone"
        raise ConfigError(
            str(path), allowed, shorten(str(problem), 80), "captions can name wildcards only."
        ) from problem


def _malformed(where: str, problem: Exception) -> ConfigError:
    return ConfigError(where, "valid reStructuredText", shorten(str(problem), 160), "correct the caption.")
