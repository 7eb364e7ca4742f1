"""The registry of experiments: numbers, captions, columns, and the pages and files that follow from it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pymdownx.slugs import slugify

from inflationary_flows.__main__ import main
from inflationary_flows.errors import ConfigError
from inflationary_flows.experiments.registry import NAMES, Figure, Shown, Table, all_shown, find, owner_of
from inflationary_flows.report.captions import caption_html, caption_markdown, write_captions
from inflationary_flows.report.catalogue import PAGES
from repository import REPOSITORY

SHOWN = all_shown()
TABLES = [shown for shown in SHOWN if isinstance(shown, Table)]

# Numbers that no configuration changes: of the paper's figures, tables and metrics, of bands and quantiles.
FIXED = re.compile(
    r"(figures?|tables?) \d( (and|to) \d)*"
    r"|[23]-D|CIFAR-10|modulo 256|8 bits|50,000 images|30, 40 and 62"
    r"|95 % (probability|point|quantile)|5 % and the|2 % around|0\.7 are"
)


def name_of(shown: Shown) -> str:
    return f"{shown.kind}-{shown.key}"


def samples(caption: str) -> Figure:
    return Figure("samples_{dataset}", "A7", "Samples", "Images", caption)


def test_paper_comes_first_and_numbers_count_up() -> None:
    for kind in NAMES:
        numbers = [shown.number for shown in SHOWN if shown.kind == kind]
        groups = {group: [n for n in numbers if n.startswith(group)] for group in "ABS"}
        paper = [n for n in numbers if n[0].isdigit()]
        assert numbers == paper + groups["A"] + groups["B"] + groups["S"]
        for group, members in groups.items():
            assert members == [f"{group}{place}" for place in range(1, len(members) + 1)]
    assert [shown.number for shown in SHOWN if shown.kind == "figures"][:5] == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("shown", SHOWN, ids=name_of)
def test_caption_is_valid_and_holds_for_any_configuration(shown: Shown) -> None:
    html = caption_html(shown, dict.fromkeys(shown.wildcards, "some_name"))
    assert html.startswith("<p>")
    assert html.endswith("</p>")
    for name in shown.wildcards:
        assert f"wildcards.{name}" in shown.caption
    text = " ".join(caption_markdown(shown).split())
    assert not re.findall(r"\S*\d\S*", FIXED.sub("", text))
    assert 2 <= len(re.findall(r"\.(?= |$)", text)) <= 9


@pytest.mark.parametrize("shown", [s for s in SHOWN if s.kind != "tables" and s.number[0] != "B"], ids=name_of)
def test_caption_of_what_the_paper_has_tells_both_apart(shown: Shown) -> None:
    text = " ".join(shown.caption.split())
    assert 0 < text.index("Paper: ") < text.index("Here: ")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.key)
def test_every_column_of_every_table_has_a_meaning(table: Table) -> None:
    assert table.columns
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in table.columns)
    assert all(meaning.strip() and "\n" not in meaning and "|" not in meaning for meaning in table.columns.values())


def test_files_find_their_entries() -> None:
    def key_of(path: str) -> tuple[str, str] | None:
        match = find(path)
        return (match[0].kind, match[0].key) if match else None

    for shown in SHOWN:
        assert shown in owner_of(shown).shown
        for path in shown.paths:
            assert find(path) == (shown, {name: f"{{{name}}}" for name in shown.wildcards})
    assert key_of("results/figures/digits_samples.png") == ("figures", "digits_samples")
    assert key_of("results/figures/samples_digits.png") == ("figures", "samples_{dataset}")
    assert key_of("results/figures/fig05_photo_patches.pdf") == ("figures", "fig05_{dataset}")
    assert key_of("results/tables/tarp.csv") == ("tables", "tarp")
    assert key_of("results/figures/tarp.png") == ("figures", "tarp")
    for path in ("results/figures/fig05.png", "results/figures/tarp.csv", "results/report.html", "tarp.png"):
        assert key_of(path) is None
    assert key_of("results/images/digits/figures/tarp.png") is None


@pytest.mark.parametrize("dataset", ["circles", "s_curve", "circles_in_3d"])
@pytest.mark.parametrize("folder", ["", "results/"])
def test_names_with_underscores_are_found(dataset: str, folder: str) -> None:
    known = {"dataset": ["circles", "s_curve", "circles_in_3d"]}
    for path in (f"figures/propagation_{dataset}.pdf", f"animations/{dataset}.gif"):
        match = find(folder + path, known)
        assert match is not None
        assert match[0].kind == path.partition("/")[0]
        assert match[1] == {"dataset": dataset}
        assert find(folder + path.replace(dataset, "of_no_set"), known) is None


def test_specs_import_no_torch() -> None:
    code = "import sys; from inflationary_flows.experiments.registry import all_shown; all_shown(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "pandas", "matplotlib"} & set(done.stdout.split())


@pytest.mark.parametrize("page", PAGES)
def test_pages_hold_every_entry_and_their_links_lead_somewhere(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([page]) == 0
    text = capsys.readouterr().out
    for shown in SHOWN:
        if isinstance(shown, Table) == (page == "results"):
            assert f": {shown.title}\n" in text
            assert caption_markdown(shown) in text
            assert f"experiments/{owner_of(shown).name}/spec.py)" in text
    for target in re.findall(r"\]\(([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        if path.removesuffix(".md") in PAGES:
            headings = re.findall(r"^#+ (.*)$", PAGES[path.removesuffix(".md")](), re.MULTILINE)
            assert not anchor or anchor in {slugify(case="lower")(heading, "-") for heading in headings}, target
        else:
            assert (REPOSITORY / "docs" / path).exists(), target


def test_captions_are_written_where_they_changed(tmp_path: Path) -> None:
    write_captions(tmp_path)
    files = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert set(files) == {shown.caption_file for shown in SHOWN}
    assert len(files) == len(SHOWN)
    (tmp_path / "figures_samples.rst").write_text("changed")
    write_captions(tmp_path)
    assert "``{{ snakemake.wildcards.dataset }}``" in (tmp_path / "figures_samples.rst").read_text()
    assert {name for name, time in files.items() if (tmp_path / name).stat().st_mtime_ns != time} == {
        "figures_samples.rst"
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("An unknown reference_ stands here.", "valid reStructuredText"),
        ("``open", "valid reStructuredText"),
        ("Of {{ snakemake.wildcards.schedule }}.", r"snakemake\.wildcards\.dataset"),
        (".. raw:: html\n\n   <script></script>\n", "valid reStructuredText"),
    ],
)
def test_bad_caption_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"figures/samples_\{{dataset\}}: expected .*{message}"):
        caption_html(samples(text), {"dataset": "digits"})


@pytest.mark.parametrize("text", ["- a list", "A `link <https://a.b>`_ out."])
def test_captions_are_paragraphs_of_plain_text(text: str) -> None:
    with pytest.raises(ConfigError, match=r"expected (paragraphs|plain text)"):
        caption_markdown(samples(text))


def test_caption_in_html_and_markdown_says_the_same() -> None:
    shown = samples("*Images* of ``{{ snakemake.wildcards.dataset }}``, 2 < 3.\n\nAnd more.")
    assert caption_markdown(shown) == "*Images* of `{dataset}`, 2 \\< 3.\n\nAnd more."
    html = caption_html(shown, {"dataset": "some_digits_"})
    assert re.sub(r"<[^>]+>", "", html).split() == ["Images", "of", "some_digits_,", "2", "&lt;", "3.", "And", "more."]
