"""Own tables: read as their numbers, whatever wrote them, or refused with one message; never read as other numbers."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import struct
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from conftest import run_workflow
from inflationary_flows.__main__ import main
from inflationary_flows.data.preparation import make_splits
from inflationary_flows.data.tables import read_points, read_table, table_dimension
from inflationary_flows.errors import DataError

RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(40, 3)).round(4)
FRAME = pd.DataFrame(POINTS, columns=["a", "b", "c"])
FRACTIONS = {"train": 0.7, "validation": 0.15, "test": 0.15}


def text_of(frame: pd.DataFrame = FRAME, **options: Any) -> str:
    """A table as pandas writes it."""
    return str(frame.to_csv(**{"index": False, **options}))


def lines(header: str, *rows: str) -> str:
    """A text with a header and the rows, again and again: there must be rows enough for splits."""
    return "\n".join([header, *rows * (40 // len(rows))]) + "\n"


def config_of(**dataset: Any) -> dict[str, Any]:
    """A configuration with one own table."""
    return {
        "datasets": {"mine": {"kind": "csv", "path": "t.csv", "schedules": ["prp"], **dataset}},
        "schedules": {"prp": {"signal_left": 1e-3}},
        "networks": {"toy": {"kind": "mlp"}},
        "training": {"toy": {"steps": 1000}},
    }


@pytest.fixture
def check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs `check` on a configuration with an own table; gives the exit code and what was printed."""
    monkeypatch.chdir(tmp_path)

    def run(content: str | bytes | None = None, **dataset: Any) -> tuple[int, str]:
        if content is not None:
            path = Path(dataset.get("path", "t.csv"))
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        Path("my.yaml").write_text(yaml.safe_dump(config_of(**dataset)), encoding="utf-8")
        capsys.readouterr()
        code = main(["check", "my.yaml"])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        assert not (printed.out and printed.err)
        return code, printed.out + printed.err

    return run


def accepted(outcome: tuple[int, str], *parts: str) -> None:
    code, text = outcome
    assert code == 0, text
    assert text.startswith("mine: table read with ")
    for part in parts:
        assert part in text


def refused(outcome: tuple[int, str], *parts: str) -> None:
    code, text = outcome
    assert code == 2, text
    assert len(text.splitlines()) == 2
    assert ": expected " in text
    assert "\nHint: " in text
    for part in parts:
        assert part in text


READ = {
    "semicolons and decimal commas": (
        text_of(sep=";", decimal=","),
        {},
        ('separator ";"', 'decimal ","', "rows 40, columns 3"),
    ),
    "tabs": (text_of(sep="\t"), {}, ('separator "tab"', 'decimal "."')),
    "tabs and decimal commas": (text_of(sep="\t", decimal=","), {}, ('separator "tab"', 'decimal ","')),
    "bars": (text_of(sep="|"), {}, ('separator "|"',)),
    "blanks": (text_of(sep=" "), {}, ('separator "blank"',)),
    "aligned columns": (FRAME.to_string(index=False) + "\n", {}, ('separator "blank"', "rows 40, columns 3")),
    "old line ends": (text_of(lineterminator="\r"), {}, ("rows 40, columns 3",)),
    "line ends of Windows": (text_of(lineterminator="\r\n"), {}, ("rows 40, columns 3",)),
    "a byte order mark": (text_of().encode("utf-8-sig"), {}, ('encoding "UTF-8 with BOM"',)),
    "UTF-16": (text_of().encode("utf-16"), {}, ('encoding "UTF-16"',)),
    "Latin letters": (
        text_of(FRAME.rename(columns={"a": "größe"})).encode("latin-1"),
        {"columns": ["größe", "b"]},
        ('encoding "Windows-1252"', "columns 2"),
    ),
    "gzip": (gzip.compress(text_of().encode()), {"path": "t.csv.gz"}, ('compression "gzip"',)),
    "xz": (lzma.compress(text_of().encode()), {"path": "t.csv.xz"}, ('compression "xz"',)),
    "bzip2": (bz2.compress(text_of().encode()), {"path": "t.csv.bz2"}, ('compression "bzip2"',)),
    "zstd": (
        pa.compress(text_of().encode(), "zstd", asbytes=True),
        {"path": "t.csv.zst"},
        ('compression "zstd"',),
    ),
    "gzip under a plain name": (gzip.compress(text_of().encode()), {}, ('compression "gzip"',)),
    "comments": ("# of an instrument\n\n# two\n" + text_of() + "# the end\n", {}, ("comments 3", "rows 40", "line 4")),
    "a header as a comment": ("# a b c\n" + text_of(sep=" ", header=False), {}, ("the comment above", "columns 3")),
    "Excel's word on the separator": ("sep=;\n" + text_of(sep=";"), {}, ('separator ";"', "columns 3")),
    "an index of pandas": (text_of(index=True), {}, ('index left out [""]', "columns 3")),
    "an index of pandas, read and written again": (
        text_of(FRAME.reset_index(names="Unnamed: 0")),
        {},
        ('index left out ["Unnamed: 0"]', "columns 3"),
    ),
    "columns that pandas numbers": (
        str(pd.DataFrame(POINTS).to_csv()),
        {},
        ('index left out [""]', "columns 3"),
    ),
    "dates as an index": (
        text_of(FRAME.set_index(pd.date_range("2020-01-01", periods=40)), index=True),
        {},
        ('index left out [""]', "columns 3"),
    ),
    "an index that is asked for": (
        text_of(FRAME.reset_index(names="Unnamed: 0")),
        {"columns": ["Unnamed: 0", "b"]},
        ("index left out []", "columns 2"),
    ),
    "names of rows by R": (
        '"a","b","c"\n' + "".join(f'"{n}",{x},{y},{z}\n' for n, (x, y, z) in enumerate(POINTS, 1)),
        {},
        ('index left out [""]', "one name short", "columns 3"),
    ),
    "a subset's names of rows by R": (
        '"a" "b" "c"\n' + "".join(f'"{7 * n}" {x} {y} {z}\n' for n, (x, y, z) in enumerate(POINTS, 1)),
        {},
        ('separator "blank"', 'index left out [""]', "columns 3"),
    ),
    "numbers of rows that the header does not name": (
        "a,b,c\n" + text_of(header=False, index=True),
        {},
        ('index left out [""]', "one name short"),
    ),
    "thousandths with decimal commas, as the user says": (
        lines("a;b", "1,234;5,678", "2,345;8,765", "3,456;7,123"),
        {"decimal": ","},
        ('decimal ","', "columns 2"),
    ),
    "one column with decimal commas, as the user says": (
        lines("a", "0,5", "1,7", "2,9"),
        {"decimal": ","},
        ('separator "none"', 'decimal ","', "columns 1"),
    ),
    "one column and an index, as the user says": (
        "a\n" + "".join(f"{n},{n * n % 7}\n" for n in range(40)),
        {"separator": ","},
        ('separator ","', 'index left out [""]', "columns 1"),
    ),
    "decimal commas in quotes, as the user says": (
        text_of(FRAME.astype(str).map(lambda entry: entry.replace(".", ","))),
        {"decimal": ","},
        ('separator ","', 'decimal ","'),
    ),
    "colours and texts with commas": (
        lines("colour,name,x,y", '#ff0001,"red, dark",0.1,0.2', "#00ff01,green,0.3,0.5"),
        {"columns": ["x", "y"], "label_column": "name"},
        ("comments 0", "rows 40"),
    ),
    "texts with lines that begin like comments": (
        lines("x,y,note", '0.1,0.2,"see\n# heading"', "0.3,0.5,none", '0.2,0.7,"\n#a,b\n#"', "0.3,0.1,"),
        {"columns": ["x", "y"]},
        ("comments 0", "rows 40"),
    ),
    "comments among quotes": (
        lines("x,y,note", '0.1,0.2,"see\n# heading"', "# a comment", "0.3,0.5,none", "# b"),
        {"columns": ["x", "y"]},
        ("comments 20", "rows 20"),
    ),
    "columns that pandas numbers, without an index": (
        str(pd.DataFrame(POINTS).to_csv(index=False)),
        {},
        ("which counts the columns", "rows 40, columns 3"),
    ),
    "years as names, in quotes": (
        '"2019","2020","2021"\n' + text_of(header=False),
        {},
        ("numbers as names", "rows 40, columns 3"),
    ),
    "years and a text as names": (text_of(FRAME.set_axis(["first", 2020, 2021], axis=1)), {}, ("rows 40",)),
    "a header as a comment above a missing entry": (
        "# a b c\nnan 0.1 0.2\n" + text_of(sep=" ", header=False),
        {"columns": ["b", "c"]},
        ("the comment above", "rows 41"),
    ),
    "whole numbers, and decimals far below": (
        "a;b\n" + "123;456\n" * 40_000 + "1.5;2\n1.234;5.678\n",
        {},
        ("rows 40002",),
    ),
    "points as the user says": (lines("a\tb", "1.234\t5.678", "2.345\t6.789"), {"decimal": "."}, ("columns 2",)),
    "a column called with a comma, as the user says": (
        lines('"a,b"', "1,5", "2,7"),
        {"decimal": ","},
        ('decimal ","', "columns 1"),
    ),
    "an index and hundreds between blanks, as the user says": (
        "a\n" + "".join(f"{n} {99 + n}\n" for n in range(1, 60)),
        {"separator": "blank"},
        ('index left out [""]', "columns 1"),
    ),
    **{
        f"an index called {name}": (
            text_of(FRAME.assign(**{name: range(1, 41)})[[name, "a", "b", "c"]]),
            {},
            (f'index left out ["{name}"]', "columns 3"),
        )
        for name in ("__index_level_0__", "Unnamed: 0.1", "Unnamed: 0_level_0", "...1")
    },
    "an index of pandas, written twice": (
        text_of(FRAME.assign(**{"Unnamed: 0.1": range(40), "Unnamed: 0": range(40)}).iloc[:, [3, 4, 0, 1, 2]]),
        {},
        ('index left out ["Unnamed: 0.1", "Unnamed: 0"]', "columns 3"),
    ),
    "an index of pandas behind the others": (
        text_of(FRAME.assign(__index_level_0__=range(5, 45))),
        {},
        ('index left out ["__index_level_0__"]', "columns 3"),
    ),
    "columns that R calls by their places": (
        text_of(FRAME.set_axis(["...1", "...2", "...3"], axis=1)),
        {},
        ("columns 3",),
    ),
    "a sum as a label": (
        text_of(FRAME.assign(kind=[*["x", "y"] * 19, "x", "Total"])),
        {"label_column": "kind"},
        ("summary rows [40]", "mine: warning: rows called a total", "(40)"),
    ),
    "sums in an index": (
        text_of(FRAME.set_index(pd.Index([*map(str, range(37)), "count", "MEAN", "std"]).map("r{}".format)), index=True)
        .replace("rcount", "count")
        .replace("rMEAN", "MEAN")
        .replace("rstd", "std"),
        {},
        ("summary rows [38, 39, 40]", "(38, 39, 40)"),
    ),
    "a sum in an index beside chosen columns": (
        text_of(FRAME.set_index(pd.Index([*"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLM", "Sum"])), index=True),
        {"columns": ["b", "a"]},
        ("summary rows [40]", "index left out []", "warning: rows called"),
    ),
    "a hundred thousand names of rows by R": (
        "a b\n" + "".join(f"{n if n != 100_000 else '1e+05'} {n % 7}.5 {n % 5}\n" for n in range(1, 100_002)),
        {},
        ('index left out [""]', "rows 100001, columns 2"),
    ),
    "a line of blanks between rows": (text_of() + "   \n" + text_of(header=False), {}, ("rows 80",)),
    "a line of blanks between quotes": (
        text_of(quoting=csv.QUOTE_ALL) + " \t \n" + text_of(header=False),
        {},
        ("rows 80",),
    ),
    "separators only at the end": (
        text_of(sep=";", decimal=",") + ";;\r\n;;\r\n",
        {},
        ("empty rows 2", "rows 40, columns 3"),
    ),
    "separators only at a far end": (
        text_of(sep=";", decimal=",") + ";;\r\n" * 100_000,
        {},
        ("empty rows 100000", "rows 40, columns 3"),
    ),
    "commas at the ends of all lines": (
        text_of().replace("\n", ",\n"),
        {},
        ("empty columns 1", "rows 40, columns 3"),
    ),
    "separators and blanks at the ends of all lines": (
        text_of(sep=";", decimal=",").replace("\n", "; \n") + ";;; \n",
        {},
        ("empty columns 1", "empty rows 1", "rows 40, columns 3"),
    ),
    "Excel's word on tabs": ("sep=\t\r\n" + text_of(sep="\t"), {}, ('separator "tab"', "line 2", "columns 3")),
    "signs before numbers": (lines("a,b", "+1,-2", "+3.5,4", "1,1"), {}, ("columns 2",)),
    "labels": (text_of(FRAME.assign(kind=["x", "y"] * 20)), {"label_column": "kind"}, ("columns 3",)),
}


@pytest.mark.parametrize("name", READ)
def test_a_table_is_read_and_what_was_understood_is_said(name: str, check: Callable[..., tuple[int, str]]) -> None:
    content, dataset, parts = READ[name]
    accepted(check(content, **dataset), *parts)


@pytest.mark.parametrize("name", [name for name, (content, *_) in READ.items() if len(content) < 100_000])
def test_texts_are_the_same_numbers_without_pyarrow(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content, dataset, _ = READ[name]
    path = tmp_path / Path(dataset.get("path", "t.csv")).name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    asked = {"kind": "csv", **dataset, "path": path}
    table = read_table(asked)
    if table.record["compression"] != "zstd":
        without(monkeypatch, "pyarrow")
        again = read_table(asked)
        assert_array_equal(again.points, table.points)
        assert_array_equal(again.labels, table.labels)
        assert again.record == table.record


def without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Has a package be missing."""
    for module in [package, *(name for name in sys.modules if name.startswith(f"{package}."))]:
        monkeypatch.setitem(sys.modules, module, None)


REFUSED = {
    "decimal commas between commas": (lines("a,b", "1,5,2,5", "2,5,7,1"), {}, ("row 1", "2 fields", "got 4")),
    "commas at the ends of lines": (lines("a,b", "1,2,", "2,4,"), {}, ("row 1", "2 fields", "got 3")),
    "commas at the ends of all lines, and an entry far below": (
        "a,b,\n" + "1.25,2.5,\n" * 50_000 + "1,2,3\n",
        {},
        ("a name for every column", "column 3"),
    ),
    **{
        f"a first row of numbers with {first!r}": (
            f"{first}\n" + "".join(line + "\n" for line in text_of(header=False, **form).splitlines()),
            {},
            ("a header line",),
        )
        for first, form in (
            ("NaN,0.1,0.2", {}),
            ("0.1,NaN,0.2", {}),
            ("0.1,,0.2", {}),
            ("0.1,inf,0.2", {}),
            ("?,0.1,0.2", {}),
            ("2020-01-01,0.1,0.2", {}),
            ("NA;0,1;0,2", {"sep": ";", "decimal": ","}),
            ("\u22121.5,0.1,0.2", {}),
            ("\u22121.5,\u22120.1,\u22120.2", {}),
            ('"1,234.5",0.1,0.2', {}),
            ("1.5D+00 0.1 0.2", {"sep": " "}),
            ("0.1 -- 0.2", {"sep": " "}),
            ("0 1 2", {"sep": " "}),
            ("0.1,NAN,0.2", {}),
            ("n.a.,0.1,0.2", {}),
            ("0.1,#DIV/0!,0.2", {}),
            ("0.1,<LOD,0.2", {}),
            ("0.1,1.#INF,0.2", {}),
            ("True,0.1,0.2", {}),
        )
    },
    "years as names, without quotes": (text_of(FRAME.set_axis([2019, 2020, 2021], axis=1)), {}, ("a header line",)),
    "whole numbers below a header that counts": (lines("0,1,2", "1,5,3", "2,4,4"), {}, ("a header line",)),
    "a row of whole numbers above real ones": (lines("0,1", "0.1,0.995", "0.2,0.98"), {}, ("a header line",)),
    "points of thousands or decimals between tabs": (
        lines("a\tb", "1.234\t5.678", "2.345\t6.789"),
        {},
        ("1.234 or 1234", "decimal:"),
    ),
    "points of thousands or decimals between bars": (lines("a|b", "1.234|5.678"), {}, ("1.234 or 1234", "decimal:")),
    **{
        f"points of thousands or decimals far below, between {name}": (
            sign.join("ab") + "\n" + f"{sign.join(['123', '456'])}\n" * 40_000 + sign.join(["1.234", "5.678"]) + "\n",
            {},
            ("1.234 or 1234", "decimal:"),
        )
        for name, sign in (("semicolons", ";"), ("tabs", "\t"), ("bars", "|"))
    },
    "two columns, or one with decimal commas as the user says": (
        lines("a,b", "1,5", "2,7"),
        {"decimal": ","},
        ("one name", "2: ", "a,b"),
    ),
    "an index without a name, or blanks between thousands": (
        "a\n" + "".join(f"{n} {99 + n}\n" for n in range(1, 60)),
        {},
        ("an index", "thousands", "1 100", "separator:"),
    ),
    "separators only between rows": (
        text_of(sep=";") + ";;\n" + text_of(sep=";", header=False),
        {},
        ("row 41", "an empty entry"),
    ),
    "a repeated index that pandas names": (
        text_of(FRAME.assign(**{"__index_level_0__": [1, 2] * 20})),
        {},
        ("a name for every column", "column 4"),
    ),
    "a longer first row": (lines("a,b", "1,2,9", "3,4", "5,6"), {}, ("row 1", "2 fields", "got 3")),
    "a longer last row": (lines("a,b", *["1,2", "3,4"] * 20)[:-1] + ",5\n", {}, ("row 40", "2 fields", "got 3")),
    "a shorter row far below": (
        "a,b\n" + "1.25,2.5\n" * 50_000 + "1\n",
        {},
        ("row 50001", "2 fields", "got 1"),
    ),
    "a header that names a column too many": (lines("a;b", "1.5", "2.5"), {}, ("row 1", "2 fields", "got 1")),
    "a column of decimal commas, or two columns": (lines("a", "0,5", "7,5"), {}, ("0.5, or 0 and 5", "decimal:")),
    "an index without a name, or decimal commas": (
        "a,b\n" + "".join(f"{n},{n % 3},{n % 5}\n" for n in range(40)),
        {},
        ("an index", "or decimal commas", "separator:", "decimal:"),
    ),
    "thousands or thousandths": (lines("a;b", "1,234;5,678", "2,345;6,789"), {}, ("1.234 or 1234", "decimal:")),
    "points of thousands or decimals": (lines("a;b", "1.234;5.678", "2.345;6.789"), {}, ("1.234 or 1234", "decimal:")),
    "thousands": (lines("a;b", "1.234,5;1", "2.345,5;2"), {}, ("row 1", '"a"', "'1.234,5'", "thousands")),
    "decimal signs of both kinds": (lines("a;b", "0,5;0.5", "1,5;7.5"), {}, ("row 1", "a number", "decimal")),
    "a column without a name that is no index": (
        lines(",a,b", "5,1,2", "3,2,2"),
        {},
        ("a name for every column", "column 1"),
    ),
    "an index that ends": (
        ",a\n" + "".join(f"{n},{n % 7}\n" for n in range(60_000)) + "7,3\n",
        {},
        ("no index in all rows",),
    ),
    "columns of one name": (lines("a,a,b", "1,2,3", "3,4,6"), {"label_column": "a"}, ("every column name once", '"a"')),
    "a column as pandas calls it": (
        lines("a,a,b", "1,2,3", "3,4,6"),
        {"columns": ["a.1"]},
        ("every column name once", '"a"'),
    ),
    "rows without a header": (lines("5.1,3.5,setosa", "4.9,3,setosa", "4.7,3.2,rosa"), {}, ("a header line", "5.1")),
    "percentages": (lines("a,b", "5%,1", "7%,2"), {}, ("row 1", '"a"', "a number", "'5%'")),
    "money": (lines("a,b", "$5,1", "$7,2"), {}, ("row 1", '"a"', "'$5'")),
    "hexadecimal numbers": (lines("a,b", "0x10,1", "1,2"), {}, ("row 1", "'0x10'")),
    "underscores": (lines("a,b", "1_000,1", "1,2"), {}, ("row 1", "'1_000'")),
    "digits of another script": (lines("a,b", "١,1", "1,2"), {}, ("row 1", "a number")),
    "dates": (lines("a,b", "2020-01-01,1", "2020-01-02,2"), {}, ("row 1", "'2020-01-01'")),
    "an error of a spreadsheet": (lines("a,b", "#N/A,1", "1,2"), {}, ("row 1", '"a"', "NaN or an empty entry")),
    "a blank line in one column": ("a\n1\n2\n\n" + "3\n4\n" * 20, {}, ("row 3", "an empty entry")),
    "half a quote": ('a,b\n"1"5,2\n' + "3,4\n" * 20, {}, ("whole quotes",)),
    "a quote without end": ('a,b\n"1,2\n' + "3,4\n" * 20, {}, ("whole quotes",)),
    "NUL": (b"a,b\n1,\x002\n", {}, ("a readable csv file", "binary")),
    "another encoding": ("Åe,b\n1,2\n".encode("mac-roman"), {}, ("UTF-8 or Windows-1252",)),
    "UTF-8 and then something else": (
        "ö,b,l\n".encode() + b"1,2,x\n" * 60_000 + "3,4,ü\n".encode("latin-1"),
        {"label_column": "l"},
        ("UTF-8 at its beginning only",),
    ),
    "a cut archive": (gzip.compress(text_of().encode())[:-20], {"path": "t.csv.gz"}, ("a readable csv file",)),
    "a damaged archive": (
        lzma.compress(text_of().encode())[:60] + b"damage" * 30,
        {"path": "t.csv.xz"},
        ("a readable csv file",),
    ),
    "a zip archive": (b"PK\x03\x04 and more", {"path": "t.csv.zip"}, ("a readable csv file", "zip")),
    "a parquet file under another kind": (b"PAR1 and more", {}, ("a readable csv file", "parquet")),
    "a compressed file under another kind": (
        gzip.compress(b"x"),
        {"kind": "npz", "path": "t.npz.gz"},
        ("a readable npz file", "gzip"),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_table_that_cannot_be_read_in_one_way_is_refused(name: str, check: Callable[..., tuple[int, str]]) -> None:
    content, dataset, parts = REFUSED[name]
    refused(check(content, **dataset), *parts)


def test_a_bomb_is_not_unpacked(check: Callable[..., tuple[int, str]]) -> None:
    block = lzma.compress(b"a,b\n" + b"0,0\n" * (1 << 20))
    # Streams of xz may follow each other.
    refused(check(block * 70, path="t.csv.xz"), "plausible size")


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pd.date_range("2020-01-01", periods=40), "timestamp"),
        (pd.to_timedelta(range(40), unit="s"), "duration"),
        (pd.period_range("2020-01", periods=40, freq="M"), "int64"),
        ([True, False] * 20, "bool"),
        ([[1.0], [2.0]] * 20, "list"),
    ],
)
def test_a_parquet_column_of_something_else_is_refused(
    column: Any, kind: str, check: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    FRAME.assign(d=column).to_parquet(tmp_path / "t.parquet")
    own = {"kind": "parquet", "path": "t.parquet"}
    refused(check(**own), 't.parquet, column "d"', "real numbers", kind if kind != "int64" else "values of type")
    accepted(check(**own, columns=["a", "b", "c"]), "columns 3")


@pytest.mark.parametrize("named", [None, "id"])
def test_the_index_of_a_parquet_file_is_left_out(
    named: str | None, check: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    FRAME.set_index(pd.Index(RNG.permutation(40), name=named)).to_parquet(tmp_path / "t.parquet")
    own = {"kind": "parquet", "path": "t.parquet"}
    name = named or "__index_level_0__"
    accepted(check(**own), f'index left out ["{name}"]', "columns 3")
    assert table_dimension(own) == 3
    accepted(check(**own, columns=[name, "a"]), "index left out []", "columns 2")


def test_the_index_of_a_parquet_file_without_a_note_is_left_out(
    check: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    names = [*(f"r{row}" for row in range(39)), "Total"]
    for index in ([*range(7, 47)], names):
        table = pa.Table.from_pandas(FRAME.set_index(pd.Index(index)), preserve_index=True).replace_schema_metadata(
            None
        )
        pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
        accepted(check(kind="parquet", path="t.parquet"), 'index left out ["__index_level_0__"]', "columns 3")
    assert "summary rows [40]" in check(kind="parquet", path="t.parquet")[1]


def test_decimals_of_a_parquet_file_are_read_to_the_last_digit(tmp_path: Path) -> None:
    texts = ["0.1", "1234567.89", "-0.30", "7.77"]
    column = pa.array(texts).cast(pa.decimal128(12, 2))
    pyarrow.parquet.write_table(pa.table({"a": column}), tmp_path / "t.parquet")
    assert_array_equal(
        read_table({"kind": "parquet", "path": tmp_path / "t.parquet"}).points[:, 0], list(map(float, texts))
    )


def write_sheets(path: Path, **sheets: list[list[Any]]) -> None:
    """A workbook with sheets of these rows."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)


ROWS = [["a", "b", "c"], *POINTS.tolist()]


def test_a_workbook_is_read(check: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    own = {"kind": "xlsx", "path": "t.xlsx"}
    write_sheets(tmp_path / "t.xlsx", One=ROWS, Two=[])
    accepted(check(**own), 'sheet "One"', "columns 3", "rows 40")
    assert_array_equal(read_table(own).points, POINTS)
    FRAME.to_excel(tmp_path / "t.xlsx")
    accepted(check(**own), 'index left out [""]', "columns 3")
    write_sheets(tmp_path / "t.xlsx", One=ROWS, Two=ROWS)
    refused(check(**own), "2 sheets", "One, Two")
    accepted(check(**own, sheet="Two"), 'sheet "Two"')
    refused(check(**own, sheet="Three"), "Three", "One, Two")


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("1,5", "'1,5'"),
        (True, "'True'"),
        (pd.Timestamp("2020-01-01").to_pydatetime(), "2020"),
        (None, "an empty entry"),
        ("=1+1", "an empty entry"),
        ("#DIV/0!", "#DIV/0!"),
    ],
)
def test_a_cell_without_a_number_is_refused(
    cell: Any, says: str, check: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    rows = [*ROWS[:5], [1.5, cell, 2.5], *ROWS[5:]]
    write_sheets(tmp_path / "t.xlsx", One=rows)
    refused(check(kind="xlsx", path="t.xlsx"), 'row 5, column "b"', says)


def test_the_header_of_a_workbook_is_no_row(check: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    own = {"kind": "xlsx", "path": "t.xlsx"}
    write_sheets(tmp_path / "t.xlsx", One=[["NaN", 0.1, 0.2], *ROWS[1:]])
    refused(check(**own), "a header line")
    write_sheets(tmp_path / "t.xlsx", One=[["2019", "2020", "2021"], *ROWS[1:]])
    accepted(check(**own), "the first row, numbers as names", "columns 3")
    write_sheets(
        tmp_path / "t.xlsx", One=[["k", *ROWS[0]], *[["x", *row] for row in ROWS[1:-1]], ["Sum", 1.5, 2.5, 3.5]]
    )
    accepted(check(**own, label_column="k"), "summary rows [40]", "warning: rows called a total")


def test_a_text_is_no_workbook(check: Callable[..., tuple[int, str]]) -> None:
    refused(check(text_of(), kind="xlsx", path="t.xlsx"), "a readable xlsx file", "it is no workbook")


@pytest.mark.parametrize(("kind", "package"), [("parquet", "pyarrow"), ("xlsx", "openpyxl")])
def test_a_package_that_is_not_installed_is_named(
    kind: str, package: str, check: Callable[..., tuple[int, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    getattr(FRAME, {"parquet": "to_parquet", "xlsx": "to_excel"}[kind])(tmp_path / f"t.{kind}")
    without(monkeypatch, package)
    refused(check(kind=kind, path=f"t.{kind}"), f"the package {package}", "pip install 'inflationary-flows[tables]'")


def test_a_cell_beside_the_table_is_refused(check: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    write_sheets(tmp_path / "t.xlsx", One=[*ROWS, [1.0, 2.0, 3.0, 4.0]])
    refused(check(kind="xlsx", path="t.xlsx"), "row 41", "3 fields", "got 4")


def test_an_encrypted_workbook_is_refused(check: Callable[..., tuple[int, str]]) -> None:
    refused(check(b"\xd0\xcf\x11\xe0 and more", kind="xlsx", path="t.xlsx"), "encrypted workbook")


def test_npy_is_read(check: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", POINTS.astype(np.float32))
    accepted(check(kind="npy", path="t.npy"), 'type "float32"', "columns 3")
    assert_array_equal(read_table({"kind": "npy", "path": "t.npy"}).points, POINTS.astype(np.float32))


def npy_header(shape: tuple[int, ...]) -> bytes:
    """The beginning of an npy file."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return file.getvalue()


def zip_of(content: bytes, method: int = zipfile.ZIP_STORED) -> bytearray:
    """A zip archive with an array."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("x.npy", content)
    return bytearray(file.getvalue())


def encrypted(content: bytearray) -> bytes:
    """A zip archive that says it is encrypted."""
    for start, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(start) + place] |= 1
    return bytes(content)


def with_method(content: bytearray, method: int) -> bytes:
    """A zip archive whose content is said to be packed in some other way."""
    for start, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        struct.pack_into("<H", content, content.index(start) + place, method)
    return bytes(content)


NPY = npy_header((40, 3)) + POINTS.tobytes()


def damaged(content: bytes, share: float) -> bytes:
    """A file with other bytes from some place on."""
    start = int(len(content) * share)
    return content[:start] + bytes(255 - byte for byte in content[start : start + 40]) + content[start + 40 :]


HOSTILE = {
    "an npz cut": ("npz", bytes(zip_of(NPY))[:-200]),
    "an npz with damaged packing": ("npz", damaged(bytes(zip_of(NPY, zipfile.ZIP_DEFLATED)), 0.5)),
    "an npz with damaged lzma": ("npz", damaged(bytes(zip_of(NPY, zipfile.ZIP_LZMA)), 0.5)),
    "an npz with damaged bytes": ("npz", damaged(bytes(zip_of(NPY)), 0.5)),
    "an npz encrypted": ("npz", encrypted(zip_of(NPY))),
    "an npz packed in an unknown way": ("npz", with_method(zip_of(NPY), 97)),
    "an npz without an array": ("npz", bytes(zip_of(b"text"))),
    "an npz of a huge shape": ("npz", bytes(zip_of(npy_header((10**9, 10**6)) + b"0" * 99))),
    "an npy of a huge shape": ("npy", npy_header((10**9, 10**6)) + b"0" * 99),
    "an npy of a negative shape": ("npy", npy_header((-5, 3)) + b"0" * 99),
    "an npy cut": ("npy", NPY[:-8]),
    "an npy with a deep header": ("npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", 9000) + b"(" * 9000),
    "an npy of objects": (
        "npy",
        (lambda file: (np.save(file, np.array([[1, None]])), file.getvalue())[1])(io.BytesIO()),
    ),
    "a parquet file cut": ("parquet", FRAME.to_parquet()[:-30]),
    "a parquet file with a damaged end": ("parquet", damaged(FRAME.to_parquet(), 0.9)),
    "a parquet file with damaged pages": ("parquet", damaged(FRAME.to_parquet(compression="gzip"), 0.1)),
    "an encrypted parquet file": ("parquet", b"PARE" + FRAME.to_parquet()[4:-4] + b"PARE"),
    "a workbook cut": ("xlsx", bytes(zip_of(b"x"))[:-9]),
    "a workbook without sheets": ("xlsx", bytes(zip_of(b"x"))),
    "a workbook of zeros": ("xlsx", bytes(zip_of(bytes(1 << 22), zipfile.ZIP_DEFLATED))),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_damaged_or_hostile_file_gives_one_message(name: str, check: Callable[..., tuple[int, str]]) -> None:
    kind, content = HOSTILE[name]
    refused(check(content, kind=kind, path=f"t.{kind}"), f"t.{kind}")


def test_a_parquet_file_of_implausibly_many_rows_is_refused(
    check: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    rows = pa.table({name: pa.array(np.zeros(1 << 20)) for name in "ab"})
    with pyarrow.parquet.ParquetWriter(tmp_path / "t.parquet", rows.schema, compression="zstd") as writer:
        for _ in range(17):
            writer.write_table(rows)
    refused(check(kind="parquet", path="t.parquet"), "plausible size")


def test_a_hundred_thousand_columns_take_seconds(check: Callable[..., tuple[int, str]]) -> None:
    names = [f"x{number}" for number in range(100_000)]
    rows = RNG.integers(0, 9, (12, len(names))).astype(str)
    content = "\n".join(map(",".join, [names, *rows])) + "\n"
    before = time.process_time()
    accepted(check(content, columns=["x5", "x99999"]), "columns 2")
    refused(check(content, columns=["x5", "y"]), '"y"', "x0, x1")
    refused(check(content), "more rows than columns")
    assert time.process_time() - before < 20


def copies(n: int = 60, times: int = 5) -> pd.DataFrame:
    """Rows of which each stands several times."""
    return pd.concat([pd.DataFrame(RNG.normal(size=(n, 2)), columns=["a", "b"])] * times)


def test_copies_of_rows_are_counted_and_warned_of(check: Callable[..., tuple[int, str]]) -> None:
    text = text_of(copies())
    accepted(check(text), "duplicates 240", "mine: warning: 240 of 300 rows are exact copies", "keep_copies_together")
    accepted(check(text, keep_copies_together=True), "duplicates 240", "0 rows have a copy in another split.\n")
    assert "warning" not in check(text_of())[1]


def test_examples_of_a_table_are_checked_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(text_of(), encoding="utf-8")
    Path("few.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    settings = {"schedules": {"prp": {"signal_left": 1e-2}}, "networks": {"toy": {"kind": "mlp"}}}
    for example, part in (
        ({"indices": [0, 6]}, "expected rows from 0 to 5, got the example 6"),
        ({"file": "few.csv"}, 'few.csv: expected a column called "c"'),
        ({"indices": [5], "file": "t.csv"}, None),
    ):
        content = settings | {
            "datasets": {"mine": {"kind": "csv", "path": "t.csv", "schedules": ["prp"]}},
            "training": {"toy": {"steps": 1000}},
            "experiments": {"propagation": {"examples": {"mine": example}}},
        }
        Path("my.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        assert main(["check", "my.yaml"]) == (0 if part is None else 2)
        assert (part or "") in capsys.readouterr().err


def test_copies_of_rows_can_be_kept_in_one_split(tmp_path: Path) -> None:
    frame = copies()
    frame.iloc[0] = frame.iloc[60] = [0.0, 1.0]
    frame.iloc[120] = [-0.0, 1.0]
    frame.to_csv(tmp_path / "t.csv", index=False)
    own = {"kind": "csv", "path": str(tmp_path / "t.csv"), "seed": 0, "fractions": FRACTIONS}
    apart, together = make_splits(own), make_splits(own | {"keep_copies_together": True})
    assert apart.provenance["table"]["rows_copied_across"] > 100
    rows = {name: set(map(tuple, np.asarray(getattr(together, name)) + 0.0)) for name in FRACTIONS}
    assert (
        not (rows["train"] & rows["test"]) | (rows["train"] & rows["validation"]) | (rows["test"] & rows["validation"])
    )
    assert {name: len(getattr(together, name)) for name in FRACTIONS} == {"train": 210, "validation": 45, "test": 45}
    again = make_splits(own | {"keep_copies_together": True})
    assert_array_equal(together.train, again.train)


def test_keeping_copies_together_changes_nothing_where_there_are_none(tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    own = {"kind": "csv", "path": str(tmp_path / "t.csv"), "seed": 3, "fractions": FRACTIONS}
    assert_array_equal(make_splits(own).train, make_splits(own | {"keep_copies_together": True}).train)
    order = np.random.default_rng([3, 4]).permutation(40)
    assert_array_equal(make_splits(own).train, POINTS[order[:28]])


@pytest.mark.slow
def test_the_job_says_in_its_log_and_record_what_it_understood(tmp_path: Path) -> None:
    copies().to_csv(tmp_path / "t.csv.gz", sep=";", decimal=",")
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(config_of(path="t.csv.gz")), encoding="utf-8")
    outcome = run_workflow(tmp_path, "results/data/mine/splits.json", config=tmp_path / "my.yaml")
    # The index of a concatenated table begins again, and is therefore none.
    assert outcome.code != 0
    assert "no index" in outcome.text
    copies().to_csv(tmp_path / "t.csv.gz", sep=";", decimal=",", index=False)
    outcome = run_workflow(tmp_path, "results/data/mine/splits.json", config=tmp_path / "my.yaml")
    assert outcome.code == 0, outcome.text
    record = json.loads((tmp_path / "results/data/mine/splits.json").read_text(encoding="utf-8"))
    log = (tmp_path / "results/logs/prepare_splits/mine.log").read_text(encoding="utf-8")
    assert record["columns"] == ["a", "b"]
    across = record["table"].pop("rows_copied_across")
    assert record["table"] == {
        "separator": ";",
        "decimal": ",",
        "encoding": "UTF-8",
        "compression": "gzip",
        "header": "line 1",
        "comments": 0,
        "empty_rows": 0,
        "empty_columns": 0,
        "summary_rows": [],
        "index_left_out": [],
        "rows": 300,
        "columns": 2,
        "duplicates": 240,
        "counting_columns": [],
    }
    assert 'separator ";", decimal ",", encoding "UTF-8", compression "gzip"' in log
    for text in (log, outcome.text):
        assert f"240 of 300 rows are exact copies of earlier ones, and {across} rows have a copy" in text


def origin_of(frame: pd.DataFrame, **options: Any) -> dict[str, Any]:
    """Provenance of splits of a table with these columns."""
    return {"settings": {"kind": "csv", **options}, "columns": list(frame.columns)}


def test_points_are_found_by_the_names_of_their_columns(tmp_path: Path) -> None:
    origin, path = origin_of(FRAME), tmp_path / "p.tsv"
    FRAME.assign(label="x")[["label", "c", "a", "b"]].to_csv(path, sep="\t", index=False)
    assert_array_equal(read_points(path, 3, origin), POINTS)
    FRAME[["a", "b"]].assign(d=1.0).to_csv(path, sep="\t", index=False)
    with pytest.raises(DataError, match='a column called "c"'):
        read_points(path, 3, origin)
    for suffix, write in (("xlsx", FRAME.to_excel), ("csv.gz", FRAME.to_csv), ("parquet", FRAME.to_parquet)):
        write(tmp_path / f"p.{suffix}")
        assert_array_equal(read_points(tmp_path / f"p.{suffix}", 3, origin), POINTS)
    np.save(tmp_path / "p.npy", POINTS[0:1])
    assert_array_equal(read_points(tmp_path / "p.npy", 3, origin), POINTS[0:1])


def test_points_are_read_with_the_decimal_sign_of_their_data_set(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("a;b\n1,234;5,678\n", encoding="utf-8")
    with pytest.raises(DataError, match="one way"):
        read_points(tmp_path / "p.csv", 2, origin_of(FRAME[["a", "b"]]))
    assert_array_equal(read_points(tmp_path / "p.csv", 2, origin_of(FRAME[["a", "b"]], decimal=",")), [[1.234, 5.678]])


@pytest.mark.long
def test_propagated_points_may_have_their_columns_in_any_order(tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "t.csv", sep=";", decimal=",", index=False)
    config = config_of()
    config["networks"]["toy"] |= {"width": 8, "blocks": 1}
    config["training"]["toy"] = {"steps": 20, "warmup_steps": 2, "batch_size": 16, "gpu": 0}
    examples = {"mine": {"file": "p.tsv"}}
    config["experiments"] = {"propagation": {"samples": 10, "frames": 2, "examples": examples}}
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    tables = []
    for columns in (["a", "b", "c"], ["c", "a", "b"]):
        FRAME[:2][columns].to_csv(tmp_path / "p.tsv", sep="\t", decimal=",")
        outcome = run_workflow(tmp_path, "results/tables/propagation.csv", config=tmp_path / "my.yaml")
        assert outcome.code == 0, outcome.text
        assert "measure_propagation: mine" in outcome.text
        tables.append((tmp_path / "results/tables/propagation.csv").read_bytes())
    assert tables[0] == tables[1]
    FRAME[:2][["a", "b"]].assign(d=1.0).to_csv(tmp_path / "p.tsv", sep="\t", decimal=",")
    outcome = run_workflow(tmp_path, "results/tables/propagation.csv", config=tmp_path / "my.yaml")
    assert outcome.code != 0
    assert 'p.tsv: expected a column called "c" (columns), got the columns , a, b, d' in outcome.text


# What writes tables, and what of it comes back.

Write = Callable[[Path, pd.DataFrame], None]


def quoted(name: str, double: bool = True) -> str:
    return '"' + name.replace('"', '""' if double else '\\"') + '"'


def spelled(value: float, decimal: str) -> str:
    return repr(float(value)).removesuffix(".0").replace(".", decimal)


def write_text(path: Path, rows: list[list[str]], separator: str, end: str = "\n", encoding: str = "utf-8") -> None:
    path.write_bytes((end.join(separator.join(row) for row in rows) + end).encode(encoding))


def r_table(separator: str, decimal: str = ".", names: str = "short", double: bool = False) -> Write:
    """R's `write.table` (a header without a name for the names of rows), or `write.csv` (with an empty one)."""

    def write(path: Path, frame: pd.DataFrame) -> None:
        header = [quoted(name, double) for name in frame.columns]
        rows = [[spelled(value, decimal) for value in row] for row in frame.to_numpy()]
        if names != "none":
            rows = [[f'"{number}"', *row] for number, row in enumerate(rows, 1)]
        write_text(path, [header if names != "empty" else ['""', *header], *rows], separator)

    return write


def spreadsheet(separator: str, decimal: str, encoding: str = "utf-8-sig", trailing: bool = False) -> Write:
    """Excel's and LibreOffice's export: quotes where they must be, line ends of Windows."""

    def write(path: Path, frame: pd.DataFrame) -> None:
        marks = (separator, '"', "\n")
        header = [quoted(name) if any(mark in name for mark in marks) else name for name in frame.columns]
        rows = []
        for row in frame.to_numpy():
            entries = [spelled(value, decimal).upper() for value in row]
            rows.append([quoted(entry) if separator in entry else entry for entry in entries])
        empty = [""] if trailing else []
        write_text(path, [[*row, *empty] for row in [header, *rows]], separator, "\r\n", encoding)

    return write


def pandas_csv(**options: Any) -> Write:
    def write(path: Path, frame: pd.DataFrame) -> None:
        whole = {name: "int64" for name in frame if (frame[name] % 1 == 0).all() and frame[name].abs().max() < 2**53}
        frame.astype(whole).to_csv(path, **{"index": False, **options})

    return write


def numpy_text(delimiter: str) -> Write:
    def write(path: Path, frame: pd.DataFrame) -> None:
        np.savetxt(path, frame.to_numpy(), delimiter=delimiter, header=delimiter.join(frame.columns))

    return write


ORDINARY: dict[str, tuple[str, Write]] = {
    **{
        f"pandas {separator!r} {decimal} index {index}": (
            "csv",
            pandas_csv(sep=separator, decimal=decimal, index=index),
        )
        for separator, decimal in [(",", "."), (";", "."), (";", ","), ("\t", "."), ("\t", ","), ("|", "."), ("|", ",")]
        for index in (False, True)
    },
    "pandas, all quoted": ("csv", pandas_csv(quoting=csv.QUOTE_ALL)),
    "pandas, texts quoted": ("csv", pandas_csv(quoting=csv.QUOTE_NONNUMERIC, index=True)),
    "pandas, UTF-16": ("csv", pandas_csv(encoding="utf-16")),
    "pandas, Latin": ("csv", pandas_csv(encoding="cp1252", sep=";", decimal=",")),
    "pandas, gzip": ("csv.gz", pandas_csv()),
    "pandas, xz": ("csv.xz", pandas_csv()),
    "R write.csv": ("csv", r_table(",", names="empty", double=True)),
    "R write.csv2": ("csv", r_table(";", ",", names="empty", double=True)),
    "R write.csv, no names of rows": ("csv", r_table(",", names="none", double=True)),
    "R write.table": ("txt", r_table(" ")),
    "R write.table, tabs": ("tsv", r_table("\t")),
    "R write.table, commas": ("csv", r_table(",")),
    "Excel, semicolons": ("csv", spreadsheet(";", ",")),
    "Excel, commas": ("csv", spreadsheet(",", ".")),
    "Excel, Latin": ("csv", spreadsheet(";", ",", "cp1252")),
    "LibreOffice, tabs": ("csv", spreadsheet("\t", ",", "utf-8")),
    "NumPy, blanks": ("txt", numpy_text(" ")),
    "NumPy, commas": ("txt", numpy_text(",")),
    "parquet": ("parquet", lambda path, frame: frame.to_parquet(path)),
    "workbook": ("xlsx", lambda path, frame: frame.to_excel(path, index=False)),
    "workbook with index": ("xlsx", lambda path, frame: frame.to_excel(path)),
    "npy": ("npy", lambda path, frame: np.save(path, frame.to_numpy())),
    "npz": ("npz", lambda path, frame: np.savez_compressed(path, points=frame.to_numpy())),
}
AMBIGUOUS: dict[str, tuple[str, Write]] = {
    "pandas, commas for everything": ("csv", pandas_csv(decimal=",")),
    "pandas, commas for everything and an index": ("csv", pandas_csv(decimal=",", index=True)),
    "R, commas for everything": ("csv", r_table(",", ",")),
    "R, commas for everything, no names of rows": ("csv", r_table(",", ",", names="none")),
    "R, blanks and decimal commas": ("txt", r_table(" ", ",")),
    "LibreOffice, commas for everything": ("csv", spreadsheet(",", ",")),
    "LibreOffice, separators at the ends": ("csv", spreadsheet(";", ",", trailing=True)),
    "LibreOffice, commas at the ends": ("csv", spreadsheet(",", ".", trailing=True)),
    "pandas, no header": ("csv", pandas_csv(header=False)),
    "pandas, names of columns but no header of the index": ("csv", pandas_csv(index=True, index_label=False)),
}

finite = st.floats(allow_nan=False, allow_infinity=False)
# Small ones look like parts of each other.
any_number = st.one_of(
    finite,
    st.integers(-(2**53), 2**53).map(float),
    st.integers(-3, 12).map(float),
    st.integers(-4000, 4000).map(lambda value: value / 1000),
    st.sampled_from([0.0, -0.0, 5e-324, 1e300, 0.1, 1e-5]),
)
any_name = st.text("abxyzäöüµÅ ;,.|'\"-_%", min_size=1, max_size=6).filter(lambda name: any(map(str.isalpha, name)))
plain_name = st.text("abcdefghäöü_", min_size=1, max_size=8)


@st.composite
def frames(
    draw: st.DrawFn, names: st.SearchStrategy[str], numbers: st.SearchStrategy[float], least: int
) -> pd.DataFrame:
    """Tables of real numbers."""
    chosen = draw(st.lists(names, min_size=least, max_size=6, unique=True))
    rows = draw(st.lists(st.lists(numbers, min_size=len(chosen), max_size=len(chosen)), min_size=least, max_size=6))
    return pd.DataFrame(np.array(rows, dtype=np.float64), columns=chosen)


@contextmanager
def written(suffix: str, write: Write, frame: pd.DataFrame) -> Iterator[Path]:
    if suffix == "xlsx":
        # What writes workbooks rounds, as Excel does.
        frame[:] = [[float(f"{value:.15g}") for value in row] for row in frame.to_numpy()]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"t.{suffix}"
        write(path, frame)
        yield path


bounded = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", ORDINARY)
@bounded
@given(frame=frames(plain_name, st.floats(-1e9, 1e9).filter(lambda value: value == 0 or abs(value) > 1e-9), 2))
def test_ordinary_tables_come_back_as_their_numbers(name: str, frame: pd.DataFrame) -> None:
    suffix, write = ORDINARY[name]
    # Numbers that are all whole thousandths may be whole thousands.
    frame.iloc[0] = 0.25
    with written(suffix, write, frame) as path:
        assert_array_equal(read_points(path, frame.shape[1]), frame.to_numpy())
        assert_array_equal(read_points(path, frame.shape[1], origin_of(frame)), frame.to_numpy())


@pytest.mark.parametrize("name", [*ORDINARY, *AMBIGUOUS])
@bounded
@given(frame=frames(any_name, any_number, 1))
def test_any_table_comes_back_as_its_numbers_or_is_refused(name: str, frame: pd.DataFrame) -> None:
    suffix, write = (ORDINARY | AMBIGUOUS)[name]
    with written(suffix, write, frame) as path:
        for origin in (None, origin_of(frame)):
            try:
                points = read_points(path, frame.shape[1], origin)
            except DataError:
                continue
            assert_array_equal(points, frame.to_numpy())
