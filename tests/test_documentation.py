"""The documentation: links lead somewhere, commands exist, and the site is whole and stands alone."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import markdown
import pytest
from pymdownx.slugs import slugify

from inflationary_flows.experiments.registry import experiments
from repository import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "docs/hooks"))

from api_pages import modules, section_page
from formulas import mathml, translated
from lists import with_wide_lists
from repository_pages import links, page_of, source_of, target_of

DOCUMENTS = [
    *(REPOSITORY / name for name in ("README.md", "CHANGELOG.md", "results/README.md")),
    *sorted((REPOSITORY / "docs").rglob("*.md")),
]
METHOD = sorted((REPOSITORY / "docs/method").glob("*.md"))
_CODE = re.compile(r"^ *```.*?^ *```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
_FENCED = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)


def name_of(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def anchors_of(path: Path) -> set[str]:
    """Anchors of a document's headings, as git hosts and the site make them: repeated ones are numbered."""
    found: dict[str, int] = {}
    anchors = set()
    for heading in re.findall(r"^#+ (.*)$", _FENCED.sub("", path.read_text(encoding="utf-8")), re.MULTILINE):
        anchor = slugify(case="lower")(heading.replace("`", ""), "-")
        found[anchor] = found.get(anchor, -1) + 1
        anchors.add(f"{anchor}-{found[anchor]}" if found[anchor] else anchor)
    return anchors


def formulas_of(path: Path) -> list[str]:
    text = _CODE.sub("", path.read_text(encoding="utf-8"))
    return [first or second for first, second in re.findall(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", text, re.DOTALL)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_relative_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    wrong = []
    text = document.read_text(encoding="utf-8")
    for path, anchor in links(text):
        target = REPOSITORY / target_of(name_of(document), path)
        if not target.exists() or (anchor and anchor[1:] not in anchors_of(target)):
            wrong.append(path + anchor)
    wrong += [f"#{anchor}" for anchor in re.findall(r"\]\(#([^)]+)\)", text) if anchor not in anchors_of(document)]
    assert wrong == []


def test_links_are_seen_outside_of_code_alone() -> None:
    text = "[a](b.md#c), ![d](e.png), [`f`](../g.yaml)\n```text\n[h](i.md)\n```\n`[j](k)` [l](https://m.n) [o](#p)"
    assert list(links(text)) == [("b.md", "#c"), ("e.png", ""), ("../g.yaml", "")]


def test_lists_are_read_as_git_hosts_read_them() -> None:
    text = "Text\n- a\n  on\n\n  more\n- b\n  1. c\n\n     ```text\n       d\n     ```\n\n     e\n  2. f\n\nEnd\n"
    rendered = markdown.markdown(with_wide_lists(text), extensions=["pymdownx.superfences"])
    assert [re.sub(r"\s", "", rendered).count(f"<{tag}>") for tag in ("ul", "ol", "li")] == [1, 1, 4]
    assert re.search(r"<pre>.*<code>  d\n</code></pre>", rendered)
    assert rendered.endswith("<p>End</p>")


@pytest.mark.parametrize(
    ("file", "page"),
    [
        ("README.md", "index.md"),
        ("docs/own_data.md", "own_data.md"),
        ("results/README.md", "repository/results/README.md"),
        ("config.yaml", "repository/config.yaml.md"),
        ("LICENSE", "repository/LICENSE.md"),
    ],
)
def test_every_file_has_a_page_and_every_page_its_file(file: str, page: str) -> None:
    assert page_of(file) == page
    assert source_of(page) == file


def test_modules_lead_to_their_section_of_the_api() -> None:
    library = "workflow_scripts/inflationary_flows/"
    assert page_of(f"{library}mathematics/flow.py") == "api/mathematics.md#inflationary_flows.mathematics.flow"
    assert page_of(f"{library}plotting/__init__.py") == "api/plotting.md#inflationary_flows.plotting"
    assert page_of(f"{library}seeding.py") == "api/inflationary_flows.md#inflationary_flows.seeding"


def test_every_module_of_the_library_is_in_the_api() -> None:
    library = REPOSITORY / "workflow_scripts"
    files = (path.relative_to(library) for path in library.glob("inflationary_flows/**/*.py"))
    parts = [path.with_suffix("").parts for path in files]
    public = {".".join(names).removesuffix(".__init__") for names in parts if names[-1] != "__main__"}
    pages = {section: section_page(names) for section, names in modules().items()}
    listed = {name for page in pages.values() for name in re.findall(r"^::: (\S+)$", page, re.MULTILINE)}
    assert listed == public
    assert {"mathematics", "networks", "training", "data", "inference", "experiments", "plotting"} <= set(pages)
    assert {"artifacts", "config", "audit", "report"} <= set(pages)


@pytest.mark.parametrize("document", METHOD, ids=name_of)
def test_formulas_are_known_to_the_translator(document: Path) -> None:
    formulas = formulas_of(document)
    assert formulas
    for formula in formulas:
        assert mathml(formula, displayed=False).startswith("<math ")


def test_formulas_become_mathml() -> None:
    assert "<mfrac><mrow><mi>a</mi></mrow><mrow><mi>b</mi></mrow></mfrac>" in mathml(r"\frac{a}{b}", displayed=True)
    assert 'display="block"' in mathml("a", displayed=True)
    assert 'display="inline"' in mathml("a", displayed=False)
    page = translated('<p><span class="arithmatex">\\(a &lt; b\\)</span> is <div class="arithmatex">\\[c\\]</div></p>')
    assert page.count("<math ") == 2
    assert "arithmatex" not in page
    assert "&lt;" in page


def test_functions_are_upright_and_stand_apart_from_their_arguments() -> None:
    upright, space = '<mi mathvariant="normal">{}</mi>', '<mspace width="0.167em" />'
    assert upright.format("log") + space + "<mi>p</mi>" in mathml(r"\log p", displayed=False)
    assert upright.format("tr") + '<mo stretchy="false">(' in mathml(r"\operatorname{tr}(S)", displayed=False)
    assert f"<mi>c</mi>{space}{upright.format('diag')}" in mathml(r"c \operatorname{diag} d", displayed=False)


def test_unknown_commands_of_formulas_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got \\nosuchthing"):
        mathml(r"a \nosuchthing b", displayed=False)


def test_every_page_of_the_method_names_the_modules_of_its_equations() -> None:
    for document in METHOD:
        targets = {target_of(name_of(document), path) for path, _ in links(document.read_text())}
        assert sum(target.endswith(".py") for target in targets) >= 3, document.name


def test_commands_of_the_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    rules = "\n".join(path.read_text() for path in [REPOSITORY / "Snakefile", *REPOSITORY.glob("rules/*.smk")])
    known = set(re.findall(r"^(?:rule|checkpoint) (\w+):", rules, re.MULTILINE))
    known |= {f"{job}_{name}" for name in experiments() for job in ("measure", "merge", "plot")}
    known |= {name for name, experiment in experiments().items() if experiment.stage is None}
    missing = []
    for document in DOCUMENTS:
        text = document.read_text()
        code = "\n".join(re.findall(r"^ *```.*?^ *```|`[^`\n]+`", text, re.DOTALL | re.MULTILINE))
        made = re.findall(r"(?<![\w.-])make ([a-z][a-z-]*)", code)
        run = re.findall(r"(?<![\w.-])snakemake (?:-R )?((?:[a-z_]+ ?)+)(?![\w./-])", code)
        missing += [f"{document.name}: make {name}" for name in made if name not in targets]
        missing += [f"{document.name}: snakemake {n}" for names in run for n in names.split() if n not in known]
    assert missing == []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does, but for the output of tutorials, which `make docs` itself runs."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "RUN_TUTORIALS": "false"}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.long
class TestSite:
    def test_pages_load_nothing_from_elsewhere(self, site: Path) -> None:
        pages = list(site.rglob("*.html"))
        assert len(pages) > len(DOCUMENTS)
        tag = re.compile(r"<(?:script|link|img|iframe|source|video|audio|object|embed)\b[^>]*>", re.IGNORECASE)
        for page in pages:
            loaded = re.findall(r"(?:src|href|data)=[\"']?([^\"'\s>]+)", " ".join(tag.findall(page.read_text())))
            assert [address for address in loaded if re.match(r"(https?:)?//", address)] == [], page
        for sheet in site.rglob("*.css"):
            assert re.findall(r"url\([\"']?(?:https?:)?//[^)]*\)|@import[^;]*//", sheet.read_text()) == [], sheet

    def test_formulas_are_mathml_without_a_script(self, site: Path) -> None:
        for document in METHOD:
            page = (site / "method" / document.with_suffix(".html").name).read_text()
            assert page.count("<math ") == len(formulas_of(document))
            assert not re.search(r"arithmatex|mathjax|katex", page, re.IGNORECASE)

    def test_the_public_api_has_arguments_below_its_examples(self, site: Path) -> None:
        page = (site / "api.html").read_text()
        names = re.findall(r"^### `(\w+[.]?\w*)`", (REPOSITORY / "docs/api.md").read_text(), re.MULTILINE)
        assert len(names) > 25
        assert [name for name in names if f'.{name}"' not in page] == []
        assert "Number of rows." in html.unescape(re.sub(r"<[^>]+>", "", page))

    def test_every_module_has_its_section(self, site: Path) -> None:
        for section, names in modules().items():
            page = (site / f"api/{section}.html").read_text()
            assert [name for name in names if f'id="{name}"' not in page] == []

    def test_files_outside_of_the_documentation_are_pages(self, site: Path) -> None:
        config = html.unescape(re.sub(r"<[^>]+>", "", (site / "repository/config.yaml.html").read_text()))
        for line in (REPOSITORY / "config.yaml").read_text().splitlines():
            assert line.strip() in config
        home = (site / "index.html").read_text()
        assert 'href="repository/config.yaml.html"' in home
        assert 'href="own_data.html"' in home
        assert 'src="images/fig02.png"' in home

    def test_search_knows_every_document(self, site: Path) -> None:
        index = (site / "search/search_index.json").read_text()
        for document in DOCUMENTS:
            page = page_of(name_of(document)).removesuffix(".md").removesuffix("README") + ".html"
            assert page.replace("/.html", "/index.html") in index
        assert {"figures.html", "results.html"} <= set(re.findall(r"\w+\.html", index))
