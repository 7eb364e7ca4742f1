"""Tables of the user's own: where their results go, what is made of them, and what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from conftest import run_workflow
from inflationary_flows.config import folder_of_run, load_config, resolve
from inflationary_flows.config.study import Study
from inflationary_flows.data.splits import Splits
from inflationary_flows.experiments import layout
from inflationary_flows.experiments.imputed.spec import imputing
from inflationary_flows.experiments.own_tables.figure import draw_own_latents, draw_own_marginals, draw_own_pairs
from inflationary_flows.experiments.own_tables.measure import (
    BETTER,
    EQUAL,
    WORSE,
    compare_columns,
    compare_likelihood,
    measure,
)
from inflationary_flows.experiments.registry import experiments
from inflationary_flows.mathematics.denoisers import MixtureDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.plotting.material import Material
from oracles import PRP, mixture_flow
from repository import REPOSITORY

TABLE = REPOSITORY / "tests/data/own_table.csv"
TOY_MLP = {"kind": "mlp", "width": 16, "blocks": 1}
OWN: dict[str, Any] = {
    "datasets": {"mine": {"kind": "csv", "path": str(TABLE), "schedules": ["prp", "prr2"]}},
    "schedules": {"prp": {"signal_left": 1e-2}, "prr2": {"kept_dims": 2, "signal_left": 1e-4}},
    "networks": {"toy": TOY_MLP},
    "training": {"toy": {"steps": 20, "warmup_steps": 2}},
}


def written(path: Path, **sections: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({**OWN, **sections}), encoding="utf-8")
    return path


def names(study: Study) -> list[str]:
    return [experiment.name for experiment in layout.asked_for(study)]


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ("my.yaml", "my"),
        ("configs/my study.yaml", "configs/my study"),
        ("configs/my.v2.yaml", "configs/my.v2"),
        ("none", "none_run"),
        # What a run has written down goes on with it.
        ("my/results/config.resolved.yaml", "my"),
    ],
)
def test_another_configuration_has_a_folder_beside_it(given: str, folder: str, tmp_path: Path) -> None:
    assert folder_of_run([tmp_path / given]) == tmp_path / folder


def test_results_of_the_projects_own_configuration_stay_where_they_are(tmp_path: Path) -> None:
    own = REPOSITORY / "config.yaml"
    assert folder_of_run([]) is folder_of_run([own]) is None
    assert folder_of_run([REPOSITORY / "configs/../config.yaml"]) is None
    # Of the same name elsewhere it is another one, and so is one that changes it.
    assert folder_of_run([tmp_path / "config.yaml"]) == tmp_path / "config"
    assert folder_of_run([own, tmp_path / "my.yaml"]) == tmp_path / "my"
    # Its results would lie among those of config.yaml.
    assert folder_of_run([REPOSITORY / "results.yaml"]) == REPOSITORY / "results_run"
    ignored = ["my/results/tables/a.csv", "configs/full/results/report.html", "my/results.crate.zip"]
    done = subprocess.run(["git", "check-ignore", *ignored], cwd=REPOSITORY, text=True, capture_output=True, check=True)
    assert done.stdout.split() == ignored


@pytest.mark.slow
def test_folders_of_runs_are_no_folders_of_anything_else(tmp_path: Path) -> None:
    (tmp_path / "birds").mkdir()
    assert folder_of_run([tmp_path / "birds.yaml"]) == tmp_path / "birds"
    (tmp_path / "birds/one.png").touch()
    assert folder_of_run([tmp_path / "birds.yaml"]) == tmp_path / "birds_run"
    (tmp_path / "my/results").mkdir(parents=True)
    assert folder_of_run([tmp_path / "my.yaml"]) == tmp_path / "my"
    assert folder_of_run([tmp_path / "my.yml"]) == tmp_path / "my_yml"
    # Of files in a folder called results only what a run writes belongs to a run.
    (tmp_path / "results").mkdir()
    assert folder_of_run([tmp_path / "results/config.resolved.yaml"]) == tmp_path
    assert folder_of_run([tmp_path / "results/my.yaml"]) == tmp_path / "results/my"


def test_a_run_with_another_configuration_touches_no_other_results(tmp_path: Path) -> None:
    """From any folder; files are looked for where the run was started too, in the jobs as well."""
    path = written(tmp_path / "configs/my.yaml", datasets={"mine": {**OWN["datasets"]["mine"], "path": "a table.csv"}})
    (tmp_path / "a table.csv").write_bytes(TABLE.read_bytes())
    command = [sys.executable, "-m", "snakemake", "results/data/mine/splits.json", "--cores", "1"]
    command += ["--snakefile", str(REPOSITORY / "Snakefile"), "--configfile", "configs/my.yaml"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "configs/my/results/data/mine/splits.json").is_file()
    assert {entry.name for entry in path.parent.iterdir()} == {"my", "my.yaml"}
    assert not (tmp_path / "results").exists()
    assert "prepare_splits: mine" in done.stderr
    assert "Results: configs/my/results" in done.stderr
    again = subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True, check=False)
    assert "Nothing to be done" in again.stderr
    assert "Results: configs/my/results" in again.stderr


def test_own_tables_get_what_is_about_them(tmp_path: Path) -> None:
    path = written(tmp_path / "my.yaml")
    study = Study(load_config(path))
    assert names(study) == ["dimension_choice", "imputed", "own_tables", "training_curves"]
    shown = {file for experiment in layout.asked_for(study) for file in layout.shown_files(study, experiment)}
    assert {Path(file).stem for file in shown} == {
        *("own_pairs_mine", "own_latents_mine", "own_marginals_mine", "training_curves"),
        *("own_likelihood", "own_marginals"),
    }
    # Written out, the configuration says so, and asks for the same again.
    assert Study(load_config(resolve(study.config))).config.only == names(study)
    outcome = run_workflow(tmp_path, "report", "-n", config=path)
    assert outcome.jobs == {
        **{"prepare_splits": 1, "fit_eigenbasis": 1, "train_network": 2, "assemble_flow": 2},
        **{"measure_own_tables": 1, "merge_own_tables": 1, "plot_own_tables": 1, "plot_training_curves": 1},
    }


def test_holes_of_own_tables_are_imputed_by_one_flow(tmp_path: Path) -> None:
    holes = {"mine": {**OWN["datasets"]["mine"], "missing": "impute", "schedules": ["prr2", "prp"]}}
    path = written(tmp_path / "my.yaml", datasets=holes)
    assert imputing(Study(load_config(path))) == [("mine", "prp", "0")]
    outcome = run_workflow(tmp_path, "results/imputed/mine.parquet", "-n", config=path)
    assert outcome.jobs == {
        **dict.fromkeys(("prepare_splits", "fit_eigenbasis", "train_network", "assemble_flow"), 1),
        "measure_imputed": 1,
    }
    holes["mine"]["schedules"] = ["prr2"]
    assert imputing(Study(load_config(written(path, datasets=holes)))) == [("mine", "prr2", "0")]


def test_what_is_named_is_made_of_own_tables_too(tmp_path: Path) -> None:
    propagation = {"propagation": {"examples": {"mine": {"indices": [0]}}}}
    study = Study(load_config(written(tmp_path / "my.yaml", experiments=propagation)))
    assert names(study) == ["dimension_choice", "imputed", "own_tables", "propagation", "training_curves"]
    assert names(Study(load_config(written(tmp_path / "my.yaml", only=["flow_quality"])))) == ["flow_quality"]
    # With a toy beside it, it is a study of the paper's.
    both = {**OWN["datasets"], "circles": {"schedules": ["prp"]}}
    assert names(Study(load_config(written(tmp_path / "my.yaml", datasets=both)))) == list(experiments())


def gaussian_flow(variances: list[float], settings: dict[str, Any]) -> Flow:
    """The flow whose model is the Gaussian of these variances exactly."""
    basis = Eigenbasis.fit(np.random.default_rng(0).standard_normal((4000, len(variances))) * np.sqrt(variances))
    schedule = make_schedule(basis.eigenvalues, **settings)
    zero = torch.zeros(1, len(variances), dtype=torch.float64)
    return Flow(MixtureDenoiser(schedule, zero, covariance=torch.diag(basis.eigenvalues)), basis)


def test_likelihood_says_in_words_which_is_better() -> None:
    flow, x = mixture_flow(PRP)
    assert compare_likelihood(flow, x[:200], 0)["verdict"] == BETTER
    # The flow that is the Gaussian.
    gaussian = gaussian_flow([2.0, 0.5], PRP)
    rows = np.random.default_rng(1).standard_normal((200, 2)) * np.sqrt([2.0, 0.5])
    found = compare_likelihood(gaussian, rows, 0)
    assert found["verdict"] == EQUAL
    assert found["difference"] == pytest.approx(0, abs=1e-4)
    entropy = 0.5 * np.log((2 * np.pi * np.e) ** 2 * (2.0 + 0.02**2) * (0.5 + 0.02**2))
    assert found["log_likelihood"] == pytest.approx(-entropy, abs=4 * found["se"] + 0.05)
    # An impostor: of two rings of points, a flow that has learned another mixture.
    assert compare_likelihood(flow, rows, 0)["verdict"] == WORSE


def test_distances_of_columns_are_those_of_distribution_functions() -> None:
    random = np.random.default_rng(0)
    x, y = random.standard_normal((37, 2)), random.normal([0.0, 2.0], size=(23, 2))
    rows = compare_columns(x, y, ["same", "shifted"])
    for place, row in enumerate(rows):
        at = np.concatenate([x[:, place], y[:, place]])
        below = [np.mean(points[:, place][:, None] <= at, axis=0) for points in (x, y)]
        assert row["ks"] == pytest.approx(np.abs(below[0] - below[1]).max())
    same, shifted = rows
    assert same["ks"] < same["ks_95"]
    assert shifted["ks"] > shifted["ks_95"]
    assert shifted["p_value"] < 1e-6


def test_one_of_twenty_samples_of_one_distribution_is_beyond_the_95_percent_point() -> None:
    random = np.random.default_rng(0)
    columns = [str(place) for place in range(600)]
    rows = compare_columns(random.standard_normal((400, 600)), random.standard_normal((60, 600)), columns)
    beyond = np.mean([row["ks"] > row["ks_95"] for row in rows])
    # Three standard errors of .05 are .027; the asymptotic point is a little high.
    assert 0.015 < beyond < 0.075


def splits_of(x: np.ndarray, columns: list[str], label: str | None = None) -> Splits:
    parts = np.split(x, [len(x) // 2, 3 * len(x) // 4])
    labels = [np.arange(len(part)) % 3.0 for part in parts]
    if label is not None:
        labels[0][0] = np.nan
    provenance = {"columns": columns, "settings": {"label_column": label} if label else {}}
    return Splits(*parts, *labels, scale=np.ones(x.shape[1]), provenance=provenance)


@pytest.mark.parametrize("label", [None, "kind"])
def test_generated_rows_have_the_columns_of_the_table_and_figures_are_drawn(label: str | None) -> None:
    # With a label, a table of a single column.
    columns = ["schedule", "price in $"][: 1 if label else 2]
    flow, x = mixture_flow(PRP, dimension=len(columns))
    flows = {("prp", "0"): flow, ("prp", "1"): flow}
    settings: dict[str, Any] = {"rows": 50, "samples": 80, "likelihood_rows": 10, "seed": 0}
    made = measure(flows=flows, splits=splits_of(x[:400], columns, label), **settings)
    generated = pd.DataFrame([*made.rows["generated"]])
    # A column of the table keeps its name.
    assert list(generated) == ["flow_schedule", "seed", *columns]
    assert len(generated) == 100
    np.testing.assert_allclose(generated[columns][:50], flow.sample(50, 0))
    tables = {name: pd.DataFrame([{"dataset": "mine", **row} for row in rows]) for name, rows in made.tables.items()}
    # As it is read from the file.
    tables["own_marginals"]["seed"] = tables["own_marginals"]["seed"].astype(int)
    assert set(tables["own_marginals"]["column"]) == set(columns)
    assert set(tables["own_likelihood"]["n"]) == {10}
    material = Material(
        tables=tables,
        arrays={"own_tables": [dict(made.arrays["own_tables"])]},
        params={"flows": [("mine", "prp", "0")]},
        wildcards={"dataset": "mine"},
    )
    assert len(draw_own_pairs(material).findobj(lambda artist: hasattr(artist, "get_xlabel"))) == (1 if label else 3)
    assert draw_own_latents(material).axes[-1].get_ylabel() == ("kind" if label else columns[0])
    titles = [axis.get_title() for axis in draw_own_marginals(material).axes]
    assert len(titles) == len(columns)
    assert all("95 %" in title for title in titles)
