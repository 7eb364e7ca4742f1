"""The registry knows what the rules make; all of it has captions that hold for any run; docs/figures.md has both."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from conftest import run_workflow, write_edited
from inflationary_flows.__main__ import main
from inflationary_flows.errors import ConfigError
from inflationary_flows.report.captions import caption_html, caption_markdown
from inflationary_flows.report.registry import (
    ANIMATIONS,
    FIGURES,
    NAMES,
    TABLES,
    Registry,
    Shown,
    read_registry,
)
from repository import REPOSITORY, compare_images

REGISTRY = REPOSITORY / "rules/figures.yaml"
CAPTIONS = REPOSITORY / "docs/captions"
PAGE = REPOSITORY / "docs/figures.md"
SHOWN = read_registry(REGISTRY).shown

# Numbers that no configuration changes: of the paper's figures, tables and metrics, of bands and quantiles.
FIXED = re.compile(
    r"(figures?|tables?) \d( (and|to) \d)*"
    r"|[23]-D|CIFAR-10|modulo 256|8 bits|50,000 images|30, 40 and 62"
    r"|95 % (probability|point|quantile)|5 % and the|2 % around|0\.7 are"
)


def wildcards_of(shown: Shown) -> dict[str, str]:
    return dict.fromkeys(shown.wildcards, "some_name")


def rules_text() -> str:
    return "\n".join(path.read_text() for path in sorted(REPOSITORY.glob("rules/*.smk")))


def as_pattern(path: str) -> str:
    """A path with wildcards as a regular expression."""
    return re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))


@pytest.fixture(scope="module")
def announced_jobs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, list[str], list[str]]]:
    """Rule, inputs and outputs of every job of the smoke configuration, images compared too, as a dry-run tells."""
    directory = tmp_path_factory.mktemp("dry")
    config = write_edited(directory, compare_images)
    outcome = run_workflow(directory, "all", "--dry-run", "--quiet", "reason", config=config)
    assert outcome.code == 0, outcome.text
    jobs = re.findall(r"^ *(?:local)?rule (\w+):\n(?: +input: (.*)\n)? +output: (.*)\n", outcome.text, re.MULTILINE)
    return [(rule, inputs.split(", ") if inputs else [], outputs.split(", ")) for rule, inputs, outputs in jobs]


def test_page_is_what_the_command_prints(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(REPOSITORY)
    assert main(["figures"]) == 0
    assert capsys.readouterr().out == PAGE.read_text(encoding="utf-8"), (
        "python -m inflationary_flows figures > docs/figures.md"
    )


def test_every_link_of_the_page_leads_somewhere() -> None:
    text = PAGE.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert len(anchors) == len(headings)
    for target in re.findall(r"\]\(([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        assert (PAGE.parent / path).exists() if path else anchor in anchors, target


def test_paper_comes_first_and_numbers_count_up() -> None:
    for kind in NAMES:
        numbers = [shown.number for shown in SHOWN if shown.kind == kind]
        groups = {group: [n for n in numbers if n.startswith(group)] for group in "ABS"}
        paper = [n for n in numbers if n[0].isdigit()]
        assert numbers == paper + groups["A"] + groups["B"] + groups["S"]
        for group, members in groups.items():
            assert members == [f"{group}{place}" for place in range(1, len(members) + 1)]
    assert [shown.number for shown in SHOWN if shown.kind == FIGURES][:5] == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: f"{shown.kind}-{shown.key}")
def test_caption_is_valid_and_holds_for_any_configuration(shown: Shown) -> None:
    html = caption_html(shown, wildcards_of(shown), CAPTIONS)
    assert html.startswith("<p>")
    assert html.endswith("</p>")
    for name in shown.wildcards:
        assert f"wildcards.{name}" in (CAPTIONS / shown.caption).read_text(encoding="utf-8")
    text = " ".join(caption_markdown(shown, wildcards_of(shown), CAPTIONS).split())
    assert not re.findall(r"\S*\d\S*", FIXED.sub("", text))
    assert 2 <= len(re.findall(r"\.(?= |$)", text)) <= 5


@pytest.mark.parametrize("shown", [s for s in SHOWN if s.kind != TABLES and s.number[0] != "B"], ids=lambda s: s.key)
def test_caption_of_what_the_paper_has_tells_both_apart(shown: Shown) -> None:
    text = " ".join((CAPTIONS / shown.caption).read_text(encoding="utf-8").split())
    assert 0 < text.index("Paper: ") < text.index("Here: ")


def test_every_caption_belongs_to_an_entry() -> None:
    assert set(CAPTIONS.rglob("*.rst")) == {CAPTIONS / shown.caption for shown in SHOWN}


def test_rules_make_nothing_that_the_registry_lacks() -> None:
    registry, text = read_registry(REGISTRY), rules_text()
    literals = re.findall(r'"(results/(?:figures|animations|tables)/[^"\n]+\.(?:png|pdf|gif|csv))"', text)
    named = {path.replace("{{", "{").replace("}}", "}") for path in literals} - {"results/tables/{table}.csv"}
    assert {path for path in named if registry.find(path) is None} == set()
    tables = {f"results/tables/{shown.key}.csv" for shown in SHOWN if shown.rule == "merge_table"}
    assert {path for shown in SHOWN for path in shown.paths} - named <= tables


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: f"{shown.kind}-{shown.key}")
def test_rule_exists_and_declares_the_files(shown: Shown) -> None:
    (block,) = re.findall(rf"^rule {shown.rule}:\n((?:(?: .*)?\n)+)", rules_text(), re.MULTILINE)
    output = block[block.index("    output:") :]
    constants = dict(re.findall(r'^([A-Z]+) = "(results/animations/[^"]+)"$', rules_text(), re.MULTILINE))
    for name, value in constants.items():
        output = re.sub(rf"\b{name}\b", f'"{value}"', output)
    for path in ["results/tables/{table}.csv"] if shown.rule == "merge_table" else shown.paths:
        assert f'"{path}"' in output


@pytest.mark.slow
def test_every_entry_is_made_as_it_says(announced_jobs: list[tuple[str, list[str], list[str]]]) -> None:
    registry = read_registry(REGISTRY)
    made: set[Shown] = set()
    for rule, inputs, outputs in announced_jobs:
        for path in outputs:
            match = registry.find(path)
            if not path.startswith(tuple(f"results/{kind}/" for kind in NAMES)):
                continue
            assert match is not None, f"{path} is not in the registry"
            shown = match[0]
            made.add(shown)
            assert shown.rule == rule, path
            for item in inputs:
                assert any(re.fullmatch(as_pattern(known), item) for known in shown.inputs), f"{path}: {item}"
            for known in shown.inputs:
                assert any(re.fullmatch(as_pattern(known), item) for item in inputs), f"{path}: {known}"
    assert {shown.label for shown in SHOWN} - {shown.label for shown in made} == set()


@pytest.mark.slow
def test_inputs_are_made_by_the_rules_that_are_named(
    announced_jobs: list[tuple[str, list[str], list[str]]],
) -> None:
    for made, named in read_registry(REGISTRY).makers.items():
        rules = {
            rule for rule, _, outputs in announced_jobs for path in outputs if re.fullmatch(as_pattern(made), path)
        }
        # A pattern of free names may also fit other files; the rule must be among those that make some.
        assert named in rules, made


@pytest.mark.parametrize(
    ("dataset", "schedule"),
    [
        ("circles", "prp"),
        ("s_curve", "prr2"),
        ("circles_in_3d", "prr-1.02"),
        ("circles", "in_3d_prp"),
        ("a", "d2_gap1.5"),
    ],
)
@pytest.mark.parametrize("folder", ["", "results/"])
def test_names_with_underscores_are_told_apart_by_what_is_known(dataset: str, schedule: str, folder: str) -> None:
    registry = read_registry(REGISTRY)
    known = {"dataset": [dataset, "a_d2"], "schedule": [schedule]}
    for kind, stem, suffix in ((FIGURES, "propagation_", ".pdf"), (ANIMATIONS, "", ".gif")):
        match = registry.find(f"{folder}{kind}/{stem}{dataset}_{schedule}{suffix}", known)
        assert match is not None
        assert match[0].kind == kind
        assert match[1] == {"dataset": dataset, "schedule": schedule}


def test_files_find_their_entries() -> None:
    registry = read_registry(REGISTRY)

    def key_of(path: str) -> tuple[str, str] | None:
        match = registry.find(path)
        return (match[0].kind, match[0].key) if match else None

    for shown in SHOWN:
        for path in shown.paths:
            assert registry.find(path) == (shown, {name: f"{{{name}}}" for name in shown.wildcards})
    assert key_of("results/figures/digits_samples.png") == (FIGURES, "digits_samples")
    assert key_of("results/figures/samples_digits.png") == (FIGURES, "samples_{dataset}")
    assert key_of("results/figures/fig05_photo_patches.pdf") == (FIGURES, "fig05_{dataset}")
    assert key_of("results/tables/coverage.csv") == (TABLES, "coverage")
    assert key_of("results/figures/coverage.png") == (FIGURES, "coverage")
    for path in ("results/figures/fig05.png", "results/figures/coverage.csv", "results/report.html", "coverage.png"):
        assert key_of(path) is None
    assert key_of("results/images/digits/figures/coverage.png") is None


def write_registry(folder: Path, edit: Callable[[dict], None]) -> Path:
    content = yaml.safe_load(REGISTRY.read_text(encoding="utf-8"))
    edit(content)
    path = folder / "figures.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("edit", "where"),
    [
        (lambda content: content.pop("tables"), "the sections"),
        (lambda content: content["figures"].update(fig01=None), r"figures\.fig01"),
        (lambda content: content["figures"]["fig01"].pop("title"), r"figures\.fig01: expected the keys"),
        (lambda content: content["figures"]["fig01"].update(number=1), r"figures\.fig01\.number"),
        (lambda content: content["figures"]["fig01"].update(inputs="x"), r"figures\.fig01\.inputs"),
        (
            lambda content: content["figures"]["fig02"].update(number="1"),
            r"figures\.fig02: expected a label of its own",
        ),
        (lambda content: content["makers"].pop("results/metrics/marginals.npz"), r"add it to makers"),
        (lambda content: content.update(animations=[]), "animations"),
    ],
)
def test_malformed_registry_is_refused_with_its_place(tmp_path: Path, edit: Callable[[dict], None], where: str) -> None:
    with pytest.raises(ConfigError, match=where):
        read_registry(write_registry(tmp_path, edit))


def test_missing_registry_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["figures", "--registry", str(tmp_path / "none.yaml")]) == 2
    assert "expected a registry of figures, got none" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("An unknown reference_ stands here.", "valid reStructuredText"),
        ("``open", "valid reStructuredText"),
        ("Of {{ snakemake.wildcards.schedule }}.", r"snakemake\.wildcards\.dataset"),
        (".. raw:: html\n\n   <script></script>\n", "valid reStructuredText"),
        (None, "the caption of samples"),
    ],
)
def test_bad_caption_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    shown = Shown(FIGURES, "samples_{dataset}", "A7", "Samples", "Images", "plot_image_samples", ())
    if text is not None:
        (tmp_path / shown.caption).write_text(text)
    with pytest.raises(ConfigError, match=message):
        caption_html(shown, {"dataset": "digits"}, tmp_path)


def test_caption_in_html_and_markdown_says_the_same(tmp_path: Path) -> None:
    shown = Shown(FIGURES, "samples_{dataset}", "A7", "Samples", "Images", "plot_image_samples", ())
    assert shown.caption == "samples.rst"
    text = "*Images* of ``{{ snakemake.wildcards.dataset }}``, 2 < 3.\n\nAnd more."
    (tmp_path / shown.caption).write_text(text)
    assert Registry((shown,)).find("results/figures/samples_some_digits_.png") == (shown, {"dataset": "some_digits_"})
    markdown = caption_markdown(shown, {"dataset": "some_digits_"}, tmp_path)
    assert markdown == "*Images* of `some_digits_`, 2 \\< 3.\n\nAnd more."
    html = caption_html(shown, {"dataset": "some_digits_"}, tmp_path)
    assert re.sub(r"<[^>]+>", "", html).split() == ["Images", "of", "some_digits_,", "2", "&lt;", "3.", "And", "more."]
