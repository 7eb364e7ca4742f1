"""Pages of the API: one for each sub-package, with a section for each module, from docstrings.

The modules are those that lie in the library when the site is built, so that a new one needs no entry anywhere.
The page of the public API has examples; what docstrings say of arguments and results is added below them.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PACKAGE = Path(__file__).parents[2] / "workflow_scripts/inflationary_flows"

# The modules of the classes that the public page has.
PUBLIC = {
    "Flow": "artifacts.flows",
    "ScheduleSettings": "mathematics.schedules",
    "SolverSettings": "mathematics.flow",
    "Summary": "metrics.summary",
    "Posterior": "inference.posterior",
    "Calibration": "metrics.calibration",
    "Decoded": "artifacts.flows",
    "PropagatedPoint": "mathematics.uncertainty",
    "InjectiveFlow": "artifacts.injective_flows",
    "InflationaryFlowsError": "errors",
}
_OPTIONS = (
    "{heading_level: 4, inherited_members: true, show_root_full_path: false, show_source: false,"
    # The addresses of these docstrings are those of the section API.
    " skip_local_inventory: true}"
)


def modules() -> dict[str, list[str]]:
    """Public modules by section: the package itself, and each of its sub-packages."""
    sections: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        section = parts[1] if len(parts) > 2 else parts[0]
        name = ".".join(part for part in parts if part != "__init__")
        if not any(part.startswith("_") for part in name.split(".")):
            sections.setdefault(section, []).append(name)
    # The package itself comes before its sub-packages.
    order = sorted(sections, key=lambda section: (section != PACKAGE.name, section))
    return {section: sorted(sections[section]) for section in order}


def file_of(module: str) -> Path:
    """The source of a module."""
    path = PACKAGE.parent.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def summary(module: str) -> str:
    """First sentence of a module's docstring."""
    docstring = ast.get_docstring(ast.parse(file_of(module).read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.split("\n\n")[0].split())


def section_page(names: list[str]) -> str:
    """The page of a section: the package first, then its modules."""
    package, *inner = names
    blocks = [f"::: {package}\n    options: {{heading_level: 1, members: false}}", *(f"::: {name}" for name in inner)]
    return "\n\n".join(blocks) + "\n"


def index_page(sections: dict[str, list[str]]) -> str:
    """The page that lists all modules."""
    lines = ["# API", "", "[Architecture](../architecture.md) says which sub-package imports which."]
    for section, names in sections.items():
        lines += ["", f"## {section}", "", "| module | what |", "|---|---|"]
        lines += [f"| [`{name}`]({section}.md#{name}) | {summary(name)} |" for name in names]
    return "\n".join(lines) + "\n"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Adds the section API to the navigation."""
    assert config.nav is not None
    pages = [{section: f"api/{section}.md"} for section in modules()]
    config.nav.append({"API": ["api/index.md", *pages]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages of the API."""
    sections = modules()
    files.append(File.generated(config, "api/index.md", content=index_page(sections)))
    for section, names in sections.items():
        files.append(File.generated(config, f"api/{section}.md", content=section_page(names)))
    return files


def with_docstrings(markdown: str) -> str:
    """The page of the public API, with the docstring of each part below its examples."""
    parts = re.split(r"^(?=##)", markdown, flags=re.MULTILINE)
    for place, part in enumerate(parts):
        if named := re.match(r"### `((\w+)[\w.]*)`", part):
            path = f"inflationary_flows.{PUBLIC[named[2]]}.{named[1]}"
            parts[place] = f"{part}::: {path}\n    options: {_OPTIONS}\n\n"
    return "".join(parts)


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Adds docstrings to the page of the public API."""
    return with_docstrings(markdown) if page.file.src_uri == "api.md" else markdown
