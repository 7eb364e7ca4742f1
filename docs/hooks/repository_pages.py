"""Pages of the site that come from files outside of docs/, and links to them.

Documents are written for the repository: README.md links to docs/images.md, and docs/images.md to ../config.yaml.
Here the README becomes the home page, every other file that a document links to a page below repository/, and every
link leads to the page of its file.  Modules of the library lead to their section of the API.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).parents[2]
LIBRARY = "workflow_scripts/inflationary_flows/"
HOME = "README.md"
# Documents outside of docs/ that have a place in the site even if no other document links to them.
OUTSIDE = (HOME, "CHANGELOG.md", "results/README.md")

# Code, in which nothing is a link; else the target of a link or image, and its anchor.
_LINK = re.compile(r"```.*?```|`[^`\n]*`|(?<=\]\()(?P<path>[^()\s#]+)(?P<anchor>#[^()\s]*)?(?=\))", re.DOTALL)
_LANGUAGES = {
    ".yaml": "yaml",
    ".yml": "yaml",
    ".cff": "yaml",
    ".json": "json",
    ".py": "python",
    ".smk": "python",
    ".toml": "toml",
}


def links(text: str) -> Iterator[tuple[str, str]]:
    """Relative links of a document: path and anchor, as they are written."""
    for found in _LINK.finditer(text):
        if found["path"] and ":" not in found["path"]:
            yield found["path"], found["anchor"] or ""


def target_of(source: str, link: str) -> str:
    """The file that a link of a document leads to; both paths are those below the repository."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), link))


def page_of(path: str) -> str:
    """Where the site has a file of the repository; with an anchor, if that is a part of a page."""
    if path == HOME:
        return "index.md"
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if path.startswith(LIBRARY) and path.endswith(".py"):
        parts = path.removeprefix(LIBRARY).removesuffix(".py").removesuffix("/__init__").split("/")
        section = parts[0] if (REPOSITORY / LIBRARY / parts[0]).is_dir() else "inflationary_flows"
        return f"api/{section}.md#{'.'.join(['inflationary_flows', *parts])}"
    return f"repository/{path}" if path.endswith(".md") else f"repository/{path}.md"


def source_of(page: str) -> str:
    """The file of the repository that a page comes from: the inverse of `page_of` for documents."""
    if page == "index.md":
        return HOME
    path = page.removeprefix("repository/")
    if path == page:
        return f"docs/{page}"
    return path if (REPOSITORY / path).is_file() else path.removesuffix(".md")


def linked_files() -> list[str]:
    """Files outside of docs/ and of the library that documents link to, and those of `OUTSIDE`."""
    documents = [path.relative_to(REPOSITORY).as_posix() for path in sorted((REPOSITORY / "docs").rglob("*.md"))]
    documents += OUTSIDE
    found = dict.fromkeys(OUTSIDE)
    for source in documents:
        for link, _ in links((REPOSITORY / source).read_text(encoding="utf-8")):
            path = target_of(source, link)
            if not path.startswith(("docs/", LIBRARY)) and (REPOSITORY / path).is_file():
                found[path] = None
                if path.endswith(".md") and path not in documents:
                    documents.append(path)
    return list(found)


def content_of(path: str) -> str:
    """A document as it is; another file as a page that shows its text."""
    text = (REPOSITORY / path).read_text(encoding="utf-8")
    if path.endswith(".md"):
        return text
    language = _LANGUAGES.get(Path(path).suffix, "text")
    return f"---\nsearch:\n  exclude: true\n---\n\n# {path}\n\n````{language}\n{text}````\n"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages from outside of docs/."""
    for path in linked_files():
        files.append(File.generated(config, page_of(path), content=content_of(path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Lets the links of a page lead to pages."""
    here = page.file.src_uri
    source = source_of(here)

    def led(found: re.Match[str]) -> str:
        if not found["path"] or ":" in found["path"]:
            return found[0]
        target = page_of(target_of(source, found["path"]))
        return posixpath.relpath(target, posixpath.dirname(here)) + (found["anchor"] or "")

    return _LINK.sub(led, markdown)
