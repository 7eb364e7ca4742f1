"""Tutorials: their code is run when the site is built, and what it prints and draws stands below it.

Blocks of Python run in order, in one namespace and one empty folder a page; open figures of matplotlib follow them.
Blocks of the console run the commands after `$`, those of inflationary-flows.  A block that fails ends the build.
`RUN_TUTORIALS=false` leaves all this out, while pages are written.
"""

from __future__ import annotations

import base64
import io
import logging
import os
import re
import shlex
import subprocess
import sys
import tempfile
import traceback
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.pages import Page

LIBRARY = Path(__file__).parents[2] / "workflow_scripts"
PROGRAM = "inflationary-flows"
_BLOCK = re.compile(r"^```(?P<language>python|console)\n(?P<code>.*?)^```\n", re.DOTALL | re.MULTILINE)
_log = logging.getLogger("mkdocs.hooks.tutorials")


def figures() -> list[str]:
    """The open figures, as HTML; they are closed."""
    from matplotlib import pyplot

    found = []
    for number in pyplot.get_fignums():
        picture = io.BytesIO()
        pyplot.figure(number).savefig(picture, format="png", dpi=110, bbox_inches="tight", facecolor="white")
        found.append(f'<img alt="The figure of the code above" src="data:image/png;base64,{_text(picture)}">')
        pyplot.close(number)
    return found


def _text(picture: io.BytesIO) -> str:
    return base64.b64encode(picture.getvalue()).decode()


def python(code: str, namespace: dict[str, Any], where: str) -> str:
    """Runs a block; what it prints."""
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        # Its lines are counted as those of the page, for tracebacks.
        exec(compile(code, where, "exec"), namespace)
    return printed.getvalue()


def console(code: str) -> str:
    """Runs the commands of a block; what they print, errors too."""
    printed = []
    for command in re.findall(r"^\$ (.*)", code.replace("\\\n", " "), re.MULTILINE):
        words = shlex.split(command)
        if words[0] != PROGRAM:
            raise ValueError(f"expected a command of {PROGRAM}, got {words[0]}")
        run = [sys.executable, "-m", "inflationary_flows", *words[1:]]
        path = os.pathsep.join([str(LIBRARY), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            run, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if done.returncode:
            raise RuntimeError(f"{command}\n{done.stdout}")
        printed.append(done.stdout)
    return "".join(printed)


def executed(markdown: str, page: str) -> str:
    """A page with what its blocks print and draw.

    Raises:
        PluginError: if a block fails.
    """
    import matplotlib

    matplotlib.use("agg")
    namespace: dict[str, Any] = {"__name__": "__main__"}

    def with_output(found: re.Match[str]) -> str:
        line = markdown.count("\n", 0, found.start()) + 1
        try:
            if found["language"] == "console":
                printed = console(found["code"])
            else:
                printed = python("\n" * line + found["code"], namespace, page)
        except (Exception, SystemExit) as problem:
            raise PluginError(f"{page}: the block at line {line} fails.\n{traceback.format_exc()}") from problem
        output = f'\n```{{.text .output title="Output"}}\n{printed.rstrip()}\n```\n' if printed.strip() else ""
        return found[0] + output + "".join(f"\n{figure}\n" for figure in figures())

    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        return _BLOCK.sub(with_output, markdown)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: object) -> str:
    """Runs the tutorials."""
    if not page.file.src_uri.startswith("tutorials/") or not config.extra["run_tutorials"]:
        return markdown
    start = sum(os.times()[:4])
    result = executed(markdown, f"docs/{page.file.src_uri}")
    _log.info("%s ran for %.0f CPU seconds", page.file.src_uri, sum(os.times()[:4]) - start)
    return result
