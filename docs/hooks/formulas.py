"""Formulas as MathML, made when the site is built: browsers show it without a script.

Documents write $...$ and $$...$$, as git hosts understand them.  The extension `pymdownx.arithmatex` finds these,
latex2mathml translates them.
"""

from __future__ import annotations

import html
import re
from itertools import pairwise
from xml.etree import ElementTree

from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError
from mkdocs.structure.pages import Page

# How arithmatex marks what it has found.
_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
_DISPLAYED = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.DOTALL)

_NAMESPACE = "http://www.w3.org/1998/Math/MathML"
_SCRIPTED = {f"{{{_NAMESPACE}}}{tag}" for tag in ("msub", "msup", "msubsup", "munder")}
_IDENTIFIER, _OPERATOR, _ROW, _SPACE = (f"{{{_NAMESPACE}}}{tag}" for tag in ("mi", "mo", "mrow", "mspace"))
ElementTree.register_namespace("", _NAMESPACE)


def mathml(latex: str, *, displayed: bool) -> str:
    """A formula in LaTeX as MathML.

    Raises:
        ValueError: if it holds something that latex2mathml does not know, which it would pass on as text.
    """
    result: str = convert(latex.strip(), display="block" if displayed else "inline")
    if unknown := re.search(r"\\[A-Za-z]+", result):
        raise ValueError(
            f"{latex.strip()}: expected known commands, got {unknown[0]}. Hint: write the formula otherwise"
        )
    # latex2mathml takes the relation for a letter.
    root = ElementTree.fromstring(result.replace("<mi>&#x0007E;</mi>", "<mo>&#x0223C;</mo>"))
    for row in list(root.iter()):
        _space_functions(row)
    return ElementTree.tostring(root, encoding="unicode")


def _space_functions(row: ElementTree.Element) -> None:
    """Sets functions such as log and tr as TeX does: upright, a thin space beside what is no operator or bracket."""
    functions = {id(child) for child in row if _as_function(child)}
    if row.tag in _SCRIPTED:
        return
    for left, right in pairwise(list(row)):
        beside = right if id(left) in functions else left
        if functions & {id(left), id(right)} and _first(beside).tag not in (_OPERATOR, _SPACE):
            row.insert(list(row).index(right), ElementTree.Element(_SPACE, {"width": "0.167em"}))


def _as_function(element: ElementTree.Element) -> bool:
    """Whether an element names a function, perhaps with an index or power; its name is set upright."""
    name = element[0] if element.tag in _SCRIPTED else element
    letters = {_OPERATOR: "[A-Za-z]+", _IDENTIFIER: "[a-z]{2,}"}.get(name.tag, "")
    if not letters or not re.fullmatch(letters, name.text or ""):
        return False
    name.tag, name.attrib = _IDENTIFIER, {"mathvariant": "normal"}
    return True


def _first(element: ElementTree.Element) -> ElementTree.Element:
    """What a row begins with, such as a bracket."""
    return element[0] if element.tag == _ROW and len(element) else element


def translated(content: str) -> str:
    """HTML with all formulas that arithmatex found as MathML."""
    for pattern, displayed in ((_DISPLAYED, True), (_INLINE, False)):
        content = pattern.sub(lambda found, block=displayed: mathml(html.unescape(found[1]), displayed=block), content)
    return content


def on_page_content(content: str, page: Page, **_: object) -> str:
    """Translates the formulas of a page."""
    try:
        return translated(content)
    except ValueError as problem:
        raise PluginError(f"{page.file.src_uri}: {problem}") from None
