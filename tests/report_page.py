"""The HTML of a report as a test reads it: tables, pictures, numbers and what else is visible."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"img", "meta", "link", "input", "br", "hr", "wbr"}
# Numbers may stand without a source in these: headings and names, paths, dates, captions, and text of other files.
_EXEMPT = {"nav", "h1", "h2", "h3", "code", "time", "pre", "script", "style", "title", "table", "data"}
_EXEMPT_CLASSES = {"caption", "path", "lead"}
_NUMBER = re.compile(r"(?<![\w-])[+-]?\d[\d.,]*")


@dataclass
class Shown:
    """A table of the page: cells are pairs of the text that is seen and the exact one, by the number of their row."""

    path: str
    sha256: str
    columns: list[str] = field(default_factory=list)
    rows: dict[int, list[tuple[str, str]]] = field(default_factory=dict)


class Page(HTMLParser):
    """Reads a page.

    Attributes:
        tables: In order.
        images: Attributes of each.
        numbers: Attributes of each `<data>` element, its text as `text`.
        links: Targets of all `src` and `href`.
        anchors: All ids.
        bare: Numbers in visible text that say nothing of where they come from.
        text: All visible text.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: list[Shown] = []
        self.images: list[dict[str, str]] = []
        self.numbers: list[dict[str, str]] = []
        self.links: list[str] = []
        self.anchors: list[str] = []
        self.bare: list[str] = []
        self.text = ""
        self._open: list[tuple[str, dict[str, str]]] = []
        self.feed(html)
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.links += [attributes[name] for name in ("src", "href") if name in attributes]
        self.anchors += [attributes["id"]] if "id" in attributes else []
        if tag == "table" and "data-table" in attributes:
            self.tables.append(Shown(attributes["data-table"], attributes["data-sha256"]))
        elif tag == "th":
            self.tables[-1].columns.append(attributes["data-column"])
        elif tag == "tr" and "data-row" in attributes:
            self.tables[-1].rows[int(attributes["data-row"])] = []
        elif tag == "td" and self._in("tr", "data-row"):
            list(self.tables[-1].rows.values())[-1].append(("", attributes.get("title", "")))
        elif tag == "img":
            self.images.append(attributes)
        elif tag == "data":
            self.numbers.append({**attributes, "text": ""})
        if tag not in _VOID:
            self._open.append((tag, attributes))

    def handle_endtag(self, tag: str) -> None:
        opened, _ = self._open.pop()
        assert opened == tag, f"<{opened}> is closed by </{tag}>"

    def handle_data(self, data: str) -> None:
        if self._in("td"):
            cells = list(self.tables[-1].rows.values())[-1]
            text, exact = cells[-1]
            cells[-1] = (text + data, exact)
        elif self._in("data"):
            self.numbers[-1]["text"] += data
        if not self._in("script") and not self._in("style"):
            self.text += data
        classes = {name for _, attributes in self._open for name in attributes.get("class", "").split()}
        if not _EXEMPT.intersection(tag for tag, _ in self._open) and not classes & _EXEMPT_CLASSES:
            self.bare += _NUMBER.findall(data)

    def _in(self, tag: str, attribute: str | None = None) -> bool:
        return any(name == tag and (attribute is None or attribute in found) for name, found in self._open)
