"""The job that propagates examples refuses rows that its test split lacks, and propagates those that it has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from inflationary_flows.__main__ import main
from inflationary_flows.data.preparation import make_splits
from job_scripts import Named, run_script
from test_arrays import COLUMNS, write_flow

ROWS = 60
CONFIG = {
    "datasets": {"mine": {"kind": "csv", "path": "mine.csv", "schedules": ["prp"]}},
    "schedules": {"prp": {"signal_left": 1e-2}},
    "networks": {"toy": {"kind": "mlp"}},
    "training": {"toy": {"steps": 300}},
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a table of the user's and a flow of two coordinates."""
    monkeypatch.chdir(tmp_path)
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(ROWS, 2)), columns=COLUMNS)
    table.to_csv("mine.csv", index=False)
    return tmp_path


def propagate(indices: list[int], noise_std: float | dict[str, float] = 0.1) -> Path:
    """Runs the job on rows of the test split, and returns its table."""
    fractions = {"train": 0.7, "validation": 0.15, "test": 0.15}
    splits = make_splits({"kind": "csv", "path": "mine.csv", "seed": 0, "fractions": fractions})
    splits.save("splits.safetensors", "splits.json")
    flow = write_flow(Path("flow.safetensors"))
    settings = {"noise_std": noise_std, "samples": 20, "levels": [0.5], "frames": 2, "seed": 0}
    params = Named(
        experiment="propagation",
        needs=["splits"],
        each_flow=True,
        flows=[["prp", "0"]],
        indices=indices,
        **settings,
    )
    table = Path("results/tables/propagation.csv")
    outputs = Named(propagation=str(table))
    inputs = Named(splits="splits.safetensors", flows=[str(flow)])
    run_script("measure", inputs, outputs, params, Named(dataset="mine"))
    return table


def test_rows_of_the_test_split_are_propagated(folder: Path) -> None:
    table = pd.read_csv(propagate([0, 8]))
    assert list(table["example"].unique()) == [0, 1]


def test_columns_have_their_own_noise(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.read_csv(propagate([0]))
    pd.testing.assert_frame_equal(pd.read_csv(propagate([0], {"width": 0.1, "height": 0.1})), table)
    apart = pd.read_csv(propagate([0], {"width": 0.2, "height": 0.1}))
    assert not np.isclose(apart["sd"], table["sd"]).all()
    with pytest.raises(SystemExit):
        propagate([0], {"width": 0.1})
    assert "noise_std: expected a number > 0, 2 of them, or" in capsys.readouterr().err


@pytest.mark.parametrize("names", [["height"], ["depth", "height", "width"]])
def test_check_compares_columns_of_noise_with_those_of_the_table(
    folder: Path, capsys: pytest.CaptureFixture[str], names: list[str]
) -> None:
    config = folder / "my.yaml"
    for chosen, code in ((names, 2), (list(COLUMNS[::-1]), 0)):
        noise = {"indices": [0], "noise_std": dict.fromkeys(chosen, 0.1)}
        experiments = {"propagation": {"examples": {"mine": noise}}}
        config.write_text(yaml.safe_dump({**CONFIG, "experiments": experiments}), encoding="utf-8")
        assert main(["check", str(config)]) == code
    expected = f"noise_std: expected the columns height, width, got {', '.join(names)}.\nHint: "
    assert expected in capsys.readouterr().err


def test_a_row_that_the_test_split_of_a_table_lacks_is_one_message_of_check_and_of_the_job(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    indices = [0, 99999]
    experiments = {"propagation": {"examples": {"mine": {"indices": indices}}}}
    config = folder / "my.yaml"
    config.write_text(yaml.safe_dump({**CONFIG, "experiments": experiments}), encoding="utf-8")
    assert main(["check", str(config)]) == 2
    assert "the test split: expected rows from 0 to 8, got the example 99999.\nHint: " in capsys.readouterr().err
    with pytest.raises(SystemExit):
        propagate(indices)
    message = capsys.readouterr().err
    assert (
        "index of an example: expected an integer from 0 to 8, a row of the test split, got 99999.\nHint: " in message
    )
    assert "Traceback" not in message
    assert not Path("results/tables/propagation.csv").exists()
