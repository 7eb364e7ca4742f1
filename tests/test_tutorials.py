"""Tutorials are run when the site is built: their output is on the page, and a block that fails ends the build."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from mkdocs.exceptions import PluginError

from repository import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "docs/hooks"))

from tutorials import executed

HOOK = REPOSITORY / "docs/hooks/tutorials.py"
PAGES = sorted((REPOSITORY / "docs/tutorials").glob("*.md"))


def block(code: str, language: str = "python") -> str:
    return f"```{language}\n{code}\n```\n"


def test_a_page_shows_what_its_blocks_print_and_draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    draw = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nopen('file.txt', 'w').close()"
    page = executed(f"# Page\n\n{block('a = 1')}\ntext\n\n{block('print(a + 1)')}\n{block(draw)}\nend\n", "page.md")
    first, printed, drawn = page.split("```python\n")[1:]
    assert "Output" not in first
    assert '```{.text .output title="Output"}\n2\n```' in printed
    assert drawn.count('<img alt="The figure of the code above" src="data:image/png;base64,') == 1
    assert drawn.endswith("\nend\n")
    # Files of a page lie in a folder of its own.
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_tutorial_code_is_left_alone() -> None:
    page = "```yaml\na: 1\n```\n\n```pycon\n>>> 1 / 0\n```\n"
    assert executed(page, "page.md") == page


def test_commands_are_run() -> None:
    page = executed(block("$ inflationary-flows sample \\\n      --help", "console"), "page.md")
    assert "number of rows" in page.partition("Output")[2]


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (
            f"# Page\n\n{block('a = 1')}\n{block('b = a / 0')}",
            r"page\.md: the block at line 7 fails\.(.|\n)*ZeroDivision",
        ),
        (block("raise SystemExit(0)"), "the block at line 1 fails"),
        (block("$ inflationary-flows sample nowhere.safetensors", "console"), r"nowhere\.safetensors: expected"),
        (block("$ rm file", "console"), "expected a command of inflationary-flows, got rm"),
    ],
)
def test_a_block_that_fails_is_named(page: str, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        executed(page, "page.md")


@pytest.mark.parametrize(("code", "fails"), [("print(1)", False), ("print(1 / 0)", True)])
def test_a_block_that_fails_ends_the_build(tmp_path: Path, code: str, fails: bool) -> None:
    (tmp_path / "docs/tutorials").mkdir(parents=True)
    (tmp_path / "docs/tutorials/page.md").write_text(f"# Page\n\n{block(code)}", encoding="utf-8")
    config = {"site_name": "a", "theme": "mkdocs", "hooks": [str(HOOK)], "extra": {"run_tutorials": True}}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == fails, done.stderr
    assert ("ZeroDivisionError" in done.stderr) == fails


def test_all_pages_are_in_the_navigation_and_have_code() -> None:
    text = (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8")
    assert len(PAGES) >= 4
    for page in PAGES:
        assert f"tutorials/{page.name}" in text
        assert "```python\n" in page.read_text(encoding="utf-8")
    assert "run_tutorials: !ENV [RUN_TUTORIALS, true]" in text
