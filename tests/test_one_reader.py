"""One reader of configurations: whatever a file holds, wherever it is read, there is one meaning or one message."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from inflationary_flows.__main__ import main
from repository import REPOSITORY

SMALL: dict[str, Any] = {
    "datasets": {
        "circles": {"schedules": ["prp"], "sizes": {"train": 60, "validation": 20, "test": 20}},
        "mine": {"kind": "csv", "path": "table.csv", "schedules": ["prp"]},
    },
    "schedules": {"prp": {"signal_left": 0.01}},
    "networks": {"toy": {"kind": "mlp", "width": 8}},
    "training": {"toy": {"steps": 10, "warmup_steps": 1}},
}
_ROWS = random.Random(0)
TABLE = "a,b,c\n" + "".join(f"{_ROWS.gauss()},{_ROWS.gauss()},{_ROWS.gauss()}\n" for _ in range(60))


def with_values(**paths: Any) -> dict[str, Any]:
    """SMALL with values at places such as `schedules__prp__rho`."""
    changed = copy.deepcopy(SMALL)
    for path, value in paths.items():
        node = changed
        *parents, last = path.split("__")
        for part in parents:
            node = node.setdefault(part, {})
        node[last] = value
    return changed


def write(path: Path, content: Any, table: bool = True) -> Path:
    """Writes a configuration, and a table beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    if table:
        path.with_name("table.csv").write_text(TABLE, encoding="utf-8")
    return path


def checked(capsys: pytest.CaptureFixture[str], path: Path | str) -> str | None:
    """The one message of `check`, or None if it finds nothing wrong."""
    code = main(["check", str(path)])
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    if code == 0:
        return None
    assert code == 2
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert len(lines) == 2, printed.err
    assert ": expected " in lines[0]
    assert lines[1].startswith("Hint: ")
    assert len(printed.err) < 9_000
    return printed.err.rstrip("\n")


LINES = [
    line
    for path in (REPOSITORY / "config.yaml", REPOSITORY / "configs/paper.yaml", REPOSITORY / "tests/configs/smoke.yaml")
    for line in path.read_text(encoding="utf-8").splitlines()
    if line.strip() and not line.strip().startswith("#")
]
# Aliases, tags, numbers and texts that YAML readers differ on; one a line.
ODD = r"""
&a [*a]
*unknown
&a {b: &b [*a, *a]}
!!python/object:os.system {}
!!python/name:os.system
!!binary x
!!timestamp x
!!int ''
!!bool x
!!set {a, b}
!!omap [a: 1]
!!str [1]
!own x
<<: [1]
<<: {a: 1}
2024-01-01
2024-13-45
1:30:00
0x10
010
0o17
1e999
.nan
-.inf
yes
~
=
''
"\0"
"\ud83d"
"\ud83d\ude00"
"\e[31m"
|
>
- - - -
? [a]
%
@
---
...
{{}}
{a: [}
'
""".strip().splitlines()
ODD += ["9" * 5_000, "0x" + "f" * 5_000, "[" * 100_000, "{" * 100_000, *"\t\0\x1b\ufeff\u2028", "", "letters" * 900]
FILES = yaml.safe_dump(SMALL, sort_keys=False).splitlines()


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Configurations with lines that were changed, moved, left out or taken from elsewhere, and with odd ones."""
    lines = list(draw(st.sampled_from([FILES, FILES, LINES[:40]])))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(lines) - 1))
        odd = draw(st.one_of(st.sampled_from(ODD), st.text(max_size=20), st.sampled_from(LINES)))
        line, indent = lines[place], lines[place][: len(lines[place]) - len(lines[place].lstrip())]
        key = line.partition(":")[0] + ": "
        lines[place : place + draw(st.integers(0, 2))] = [
            draw(st.sampled_from([key + odd, indent + odd, line + odd, odd]))
        ]
        lines = lines or [""]
    return "\n".join(lines)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(['*' + old] * 10)}]\n" for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)


@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=st.one_of(texts(), st.text(max_size=60)))
@example(text=BOMB)
@example(text=BOMB.replace("[", "{<<: [").replace("]", "]}"))
@example(text="datasets: &a {b: *a}")
@example(text="[" * 100_000)
@example(text="{a: " * 100_000)
@example(text="- " * 50_000 + "x")
def test_no_text_ends_in_a_traceback(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text(TABLE, encoding="utf-8")
    Path("any.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    checked(capsys, "any.yaml")
