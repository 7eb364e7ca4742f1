"""Lists as git hosts read them.

A git host takes for a part of an item what is indented as far as its text, two spaces after a dash and three after a
number, and begins a list without a blank line.  Python-Markdown asks for four spaces and for the blank line.
"""

from __future__ import annotations

import re

from mkdocs.structure.pages import Page

_MARKER = re.compile(r"(?:[-*]|\d+\.) +")


def with_wide_lists(markdown: str) -> str:
    """The same text with four spaces for every level of a list, and a blank line where Python-Markdown needs one."""
    lines: list[str] = []
    # Columns, as written, where the text of the open items begins, and where the open fence does.
    items: list[int] = []
    fence: int | None = None
    after_blank, apart = True, True
    for line in markdown.splitlines():
        text = line.lstrip()
        indent = len(line) - len(text)
        marker = None if fence is not None else _MARKER.match(text)
        if not text:
            lines.append("")
            after_blank = True
            continue
        if fence is None and (after_blank or marker):
            while items and indent < items[-1]:
                items.pop()
        if marker and apart and not after_blank:
            lines.append("")
        # Up to three further spaces mean nothing, but for what is within a fence.
        left = items[-1] if items else 0
        extra = max(0, indent - (left if fence is None else fence))
        lines.append(" " * (4 * len(items) + (extra if extra > 3 or fence is not None else 0)) + text)
        # A list may follow the first lines of an item, but no paragraph, without a blank line.
        apart = not marker and (apart or after_blank)
        after_blank = False
        if marker:
            items.append(indent + marker.end())
        if text.startswith("```"):
            fence = indent if fence is None else None
    return "\n".join(lines) + "\n"


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Widens the lists of a page."""
    return with_wide_lists(markdown)
