"""The command line fits a flow to a table, and uses it, with tables in and out and no Snakemake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from inflationary_flows import Flow
from inflationary_flows.__main__ import main
from repository import REPOSITORY

SHORT = ["--steps", "40", "--width", "16", "--quiet"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table of German spreadsheets, and the flow that a command has fitted to it."""
    folder = tmp_path_factory.mktemp("commands")
    a, b, c = np.random.default_rng(0).standard_normal((3, 200))
    table = pd.DataFrame({"kind": np.arange(200) % 3, "height": 100 * a, "width": a**2 + b, "depth": c})
    table.to_csv(folder / "table.csv", sep=";", decimal=",", index=False)
    arguments = ["fit", str(folder / "table.csv"), "--keep", "2", "--label-column", "kind"]
    assert main([*arguments, "-o", str(folder / "flow.safetensors"), *SHORT]) == 0
    return folder


def rows(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "table.csv", sep=";", decimal=",").drop(columns="kind")


def read(folder: Path, *arguments: str, capsys: pytest.CaptureFixture[str]) -> pd.DataFrame:
    """What a command prints."""
    assert main([arguments[0], str(folder / "flow.safetensors"), *arguments[1:], "-o", str(folder / "out.csv")]) == 0
    assert capsys.readouterr().out == ""
    return pd.read_csv(folder / "out.csv")


def test_fit_is_that_of_python(folder):
    flow = Flow.load(folder / "flow.safetensors")
    settings = {"training": {"steps": 40}, "network": {"width": 16}}
    again = Flow.fit(rows(folder), kept_dims=2, progress=False, **settings)
    pd.testing.assert_frame_equal(flow.sample(20), again.sample(20), check_exact=True)


def test_commands_do_what_methods_do(folder, capsys):
    flow, table = Flow.load(folder / "flow.safetensors"), str(folder / "table.csv")
    exact = {"check_exact": True}
    pd.testing.assert_frame_equal(read(folder, "sample", "-n", "7", capsys=capsys), flow.sample(7), **exact)
    latents = read(folder, "inflate", table, capsys=capsys)
    pd.testing.assert_frame_equal(latents, flow.inflate(rows(folder)), **exact)
    latents[["z3", "z1", "z2"]].to_csv(folder / "latents.csv", index=False)
    again = read(folder, "generate", str(folder / "latents.csv"), capsys=capsys)
    np.testing.assert_allclose(again, rows(folder), atol=1e-3)
    density = read(folder, "log-prob", table, capsys=capsys)
    np.testing.assert_array_equal(density["log_prob"], flow.log_prob(rows(folder)))


def test_holes_are_filled_by_draws_or_by_their_median(folder, capsys):
    table = rows(folder).head(6)
    table.loc[1, "width"], table.loc[4, ["height", "depth"]] = np.nan, np.nan
    table.to_csv(folder / "holes.csv", index=False)
    options = [str(folder / "holes.csv"), "--seed", "3"]
    drawn = read(folder, "impute", *options, "--draws", "5", capsys=capsys)
    expected = Flow.load(folder / "flow.safetensors").impute(table, draws=5, seed=3)
    assert list(drawn["draw"]) == list(np.repeat(range(5), 6))
    np.testing.assert_allclose(drawn.drop(columns="draw"), expected)
    one = read(folder, "impute", *options, capsys=capsys)
    assert one.shape == table.shape
    seen = table.notna().to_numpy()
    np.testing.assert_array_equal(one.to_numpy()[seen], table.to_numpy()[seen])
    assert drawn["width"][1::6].min() - 3 < one["width"][1] < drawn["width"][1::6].max() + 3
    command = ["fit", str(folder / "holes.csv"), "-o", str(folder / "few.safetensors")]
    assert main(command) == 2
    assert "row 2" in capsys.readouterr().err
    assert main([*command, "--skip-holes"]) == 2
    assert "4" in capsys.readouterr().err


def test_tables_are_printed_or_written_as_parquet(folder, capsys):
    flow = str(folder / "flow.safetensors")
    assert main(["sample", flow, "-n", "2"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "height,width,depth"
    assert main(["sample", flow, "-n", "2", "-o", str(folder / "rows.parquet")]) == 0
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "rows.parquet"), Flow.load(flow).sample(2))


def test_summary_is_of_the_rows_set_aside_or_of_others(folder, capsys):
    flow = folder / "flow.safetensors"
    assert main(["summary", str(flow)]) == 0
    assert capsys.readouterr().out == f"{Flow.load(flow).summary()}\n"
    assert main(["summary", str(flow), str(folder / "table.csv")]) == 0
    assert "given rows" in capsys.readouterr().out


def test_kinds_of_columns_are_said_by_options(folder, capsys):
    table, path = str(folder / "table.csv"), str(folder / "kinds.safetensors")
    bounds = ["--bounded", "kind=0:2,depth=-9:", "--integer", "kind"]
    assert main(["fit", table, "-o", path, *bounds, *SHORT]) == 0
    assert Flow.load(path).record["column_kinds"] == {
        "integer": ["kind"],
        "bounded": {"kind": [0.0, 2.0], "depth": [-9.0, None]},
    }
    capsys.readouterr()
    assert main(["sample", path, "-n", "200", "-o", str(folder / "kinds.csv")]) == 0
    assert set(pd.read_csv(folder / "kinds.csv")["kind"]) == {0, 1, 2}


WRONG = {
    "no table": ["fit", "missing.csv", "-o", "x.safetensors"],
    "a table of another kind": ["fit", "table.pdf", "-o", "x.safetensors"],
    "too many dimensions": ["fit", "table.csv", "--keep", "9", "-o", "x.safetensors"],
    "an unknown kernel": ["fit", "table.csv", "--schedule", "fast", "-o", "x.safetensors"],
    "an unknown column": ["fit", "table.csv", "--columns", "height,hat", "-o", "x.safetensors"],
    "a share above one": ["fit", "table.csv", "--test", "1.5", "-o", "x.safetensors"],
    "a file of another name": ["fit", "table.csv", "-o", "x.pkl"],
    "a folder that is missing": ["fit", "table.csv", "-o", "missing/x.safetensors"],
    "a flow that is a table": ["sample", "table.csv"],
    "rows below none": ["sample", "flow.safetensors", "-n", "-1"],
    "a table of pictures to write": ["sample", "flow.safetensors", "-o", "x.png"],
    "a table of other columns": ["inflate", "flow.safetensors", "other.csv"],
    "latents that are data": ["generate", "flow.safetensors", "table.csv"],
}


@pytest.mark.parametrize("arguments", WRONG.values(), ids=WRONG)
def test_mistakes_end_in_one_message(folder, monkeypatch, capsys, arguments):
    monkeypatch.chdir(folder)
    (folder / "other.csv").write_text("a,b,c\n1.5,2.5,3.5\n2.5,3.5,1.5\n", encoding="utf-8")
    before = set(folder.iterdir())
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "expected" in told.err
    assert "Hint: " in told.err
    assert set(folder.iterdir()) == before


def test_a_reader_that_has_seen_enough_ends_the_program_without_a_word(folder):
    command = f"{sys.executable} -m inflationary_flows sample {folder / 'flow.safetensors'} -n 4000 | head -1"
    environment = {"PYTHONPATH": str(REPOSITORY / "workflow_scripts"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, shell=True, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == "height,width,depth\n"
    assert done.stderr == ""


@pytest.mark.parametrize("command", ["fit", "sample", "inflate", "generate", "log-prob", "summary", "check"])
def test_every_command_has_its_help(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    assert "usage: inflationary-flows" in capsys.readouterr().out


def test_dimensions_are_chosen_after_fitting(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    table, options = "table.csv", ["--label-column", "kind", *SHORT]
    assert main(["fit", table, "--keep", "any", "-o", "any.safetensors", *options]) == 0
    flow = Flow.load("any.safetensors")
    for keep, kept_dims in (("1", 1), ("all", None)):
        assert main(["inflate", "any.safetensors", table, "--keep", keep, "-o", "out.csv"]) == 0
        expected = flow.with_schedule(kept_dims=kept_dims).inflate(rows(folder))
        pd.testing.assert_frame_equal(pd.read_csv("out.csv"), expected, check_exact=True)
    capsys.readouterr()
    assert main(["inflate", "any.safetensors", table, "--keep", "3"]) == 2
    assert "kept_dims: expected a number from 1 to 2, as the network was trained for, got 3" in capsys.readouterr().err
    assert main(["inflate", "flow.safetensors", table, "--keep", "1"]) == 2
    assert "expected a flow whose network knows several schedules" in capsys.readouterr().err
