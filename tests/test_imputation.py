"""Missing values: tables with holes, draws of hidden cells, and how they are scored."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.datasets
import torch
from scipy.stats import kstest, norm

from inflationary_flows import Flow as FittedFlow
from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.data.preparation import make_splits, warnings_of
from inflationary_flows.data.splits import Splits, load_splits
from inflationary_flows.data.tables import read_points, read_table
from inflationary_flows.errors import ArtifactError, DataError
from inflationary_flows.experiments.imputation.figure import draw_imputation
from inflationary_flows.experiments.imputation.holes import make_holes
from inflationary_flows.experiments.imputation.measure import measure
from inflationary_flows.experiments.imputation.methods import (
    impute_gaussian,
    impute_iteratively,
    impute_neighbours,
)
from inflationary_flows.experiments.imputed.measure import measure as measure_imputed
from inflationary_flows.experiments.registry import experiments
from inflationary_flows.files.tensors import load_tensors, save_tensors
from inflationary_flows.mathematics.denoisers import MixtureDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.metrics.posterior_draws import crps, energy_scores, shares_below
from inflationary_flows.plotting.material import Material
from oracles import PRP, mixture_flow

# The file of a table, and its numbers.
Written = tuple[Path, pd.DataFrame]
FRACTIONS = {"train": 0.7, "validation": 0.15, "test": 0.15}


def gaussian_rows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of correlated columns, and their covariance."""
    mixing = np.array([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [-0.5, 0.5, 0.7]])
    return np.random.default_rng(seed).standard_normal((n, 3)) @ mixing.T, mixing @ mixing.T


class TestScores:
    def test_crps_is_that_of_pairs_and_unbiased_for_two_draws(self) -> None:
        random = np.random.default_rng(0)
        draws, truth = random.standard_normal((5, 7)), random.standard_normal(5)
        apart = np.abs(draws[:, :, None] - draws[:, None]).sum((1, 2)) / (7 * 6)
        np.testing.assert_allclose(crps(draws, truth), np.abs(draws - truth[:, None]).mean(1) - apart / 2)
        np.testing.assert_allclose(crps(draws, truth), energy_scores(draws[..., None], truth[:, None]))
        # The closed form of a Gaussian.
        at = np.array([-1.5, 0.0, 0.4])
        exact = at * (2 * norm.cdf(at) - 1) + 2 * norm.pdf(at) - 1 / np.sqrt(np.pi)
        found = crps(random.standard_normal((3, 200_000, 2)), np.repeat(at[:, None], 200_000, 1))
        np.testing.assert_allclose(found.mean(1), exact, atol=5 * found.std() / np.sqrt(200_000))

    def test_scores_prefer_the_truth_to_wider_narrower_and_moved_draws(self) -> None:
        random = np.random.default_rng(1)
        truth, draws = random.standard_normal((4000, 2)), random.standard_normal((4000, 20, 2))
        for other in (draws * 0.6, draws * 1.6, draws + 0.5):
            assert energy_scores(draws, truth).mean() < energy_scores(other, truth).mean()
            assert crps(draws[..., 0], truth[:, 0]).mean() < crps(other[..., 0], truth[:, 0]).mean()

    @pytest.mark.parametrize("count", [3, 19])
    def test_places_among_draws_are_uniform_for_few_draws_and_whole_numbers(self, count: int) -> None:
        random = np.random.default_rng(2)
        for law in (random.standard_normal, lambda size: random.poisson(1.0, size).astype(float)):
            draws, truth = law((5000, count)), law((5000,))
            assert kstest(shares_below(truth, draws, np.random.default_rng(0)), "uniform").pvalue > 1e-3
            assert kstest(shares_below(truth, draws * 0.7 - 0.2, np.random.default_rng(0)), "uniform").pvalue < 1e-3


class TestHoles:
    image = ImageFormat(2, 8, 6, 16)

    def holes(self, kind: Any, n: int = 50, dimension: int = 96, **changes: Any) -> np.ndarray:
        settings = {"cells": 3, "columns": 0.25, "patch": 4, "image": self.image, "seed": 0, **changes}
        return make_holes(kind, n, dimension, **settings)

    def test_patches_are_squares_in_all_channels(self) -> None:
        squares = self.holes("patches").reshape(50, 2, 8, 6)
        assert (squares.sum((2, 3)) == 16).all()
        assert (squares[:, 0] == squares[:, 1]).all()
        corners = [np.argwhere(square[0]) for square in squares]
        assert all((np.ptp(corner, axis=0) == 3).all() for corner in corners)
        assert len({tuple(corner[0]) for corner in corners}) > 5

    def test_cells_differ_and_columns_do_not(self) -> None:
        cells = self.holes("cells", dimension=7, image=None)
        assert (cells.sum(1) == 3).all()
        assert len(np.unique(cells, axis=0)) > 20
        columns = self.holes("columns", dimension=13, image=None)
        assert len(np.unique(columns, axis=0)) == 1
        assert columns[0].sum() == 3
        assert (self.holes("cells").sum(1) == 32).all()

    @pytest.mark.parametrize("kind", ["cells", "columns", "patches"])
    def test_no_row_loses_all(self, kind: Any) -> None:
        small = ImageFormat(1, 2, 2, 16)
        assert not self.holes(kind, dimension=4, image=small, cells=9, columns=0.99, patch=9).all(1).any()


class TestMethods:
    def test_gaussian_draws_have_the_conditional_law(self) -> None:
        train, _ = gaussian_rows(400, 0)
        rows = np.array([[0.5, np.nan, np.nan], [np.nan, -1.0, 0.3]])
        drawn = impute_gaussian(train, rows, 40_000, 0)
        # Another way to the same law: regression on what is seen, by the inverse covariance.
        precision, mean = np.linalg.inv(np.cov(train.T)), train.mean(0)
        for row, draws in zip(rows, drawn, strict=True):
            hidden, seen = np.isnan(row), ~np.isnan(row)
            covariance = np.linalg.inv(precision[np.ix_(hidden, hidden)])
            expected = mean[hidden] - covariance @ precision[np.ix_(hidden, seen)] @ (row - mean)[seen]
            np.testing.assert_allclose(draws[:, hidden].mean(0), expected, atol=0.02)
            np.testing.assert_allclose(np.cov(draws[:, hidden].T), np.squeeze(covariance), atol=0.02)
            assert (draws[:, seen] == row[seen]).all()

    def test_neighbours_come_from_the_group_that_is_seen(self) -> None:
        random = np.random.default_rng(3)
        group = random.integers(2, size=600)
        rows = np.stack([6.0 * group, 6.0 * group], 1) + random.standard_normal((600, 2))
        held, validation, train = np.split(rows, [50, 150])
        given, hidden = held * [1, np.nan], np.tile([False, True], (100, 1))
        drawn = impute_neighbours(train, given, 100, 0, validation, hidden)
        assert (drawn[..., 0] == held[:, None, 0]).all()
        # Within a group nothing is to be learned, so that many neighbours are taken.
        assert abs(drawn[group[:50] == 0, :, 1].mean()) < 0.5
        assert abs(drawn[group[:50] == 1, :, 1].mean() - 6) < 0.5
        assert drawn[..., 1].std(1).mean() == pytest.approx(1, abs=0.25)

    def test_chained_regressions_are_near_the_gaussian_on_gaussian_rows(self) -> None:
        rows, _ = gaussian_rows(330, 4)
        train, truth = rows[:300], rows[300:]
        holes = make_holes("cells", 30, 3, cells=1, columns=0.5, patch=1, image=None, seed=0)
        given = np.where(holes, np.nan, truth)
        scores = {}
        for name, drawn in (
            ("iterative", impute_iteratively(train, given, 20, 0, 5)),
            ("gaussian", impute_gaussian(train, given, 200, 0)),
            ("unconditional", np.repeat(train[None, :200], 30, 0)),
        ):
            scores[name] = crps(drawn.transpose(0, 2, 1)[holes], truth[holes]).mean()
        assert scores["iterative"] == pytest.approx(scores["gaussian"], rel=0.15)
        assert scores["iterative"] < 0.85 * scores["unconditional"]


@pytest.fixture
def table(tmp_path: Path) -> tuple[Path, pd.DataFrame]:
    """A table with a label and holes, written in several ways, and the same with NaN."""
    rows, _ = gaussian_rows(120, 5)
    frame = pd.DataFrame(rows.round(6), columns=["a", "b", "c"])
    frame.loc[frame.index % 10 == 3, "b"] = np.nan
    frame.loc[7, ["a", "c"]] = np.nan
    text = frame.assign(kind=np.arange(120) % 3).astype(object)
    text.loc[13, "b"], text.loc[23, "b"] = "NA", "NaN"
    text.to_csv(tmp_path / "table.csv", index=False)
    return tmp_path / "table.csv", frame


def settings(path: Path, **changes: Any) -> dict[str, Any]:
    own = {
        "kind": "csv",
        "path": str(path),
        "label_column": "kind",
        "fractions": FRACTIONS,
        "standardise": True,
        "seed": 0,
    }
    return {**own, "missing": "impute", **changes}


class TestTables:
    def test_rows_without_holes_are_split_and_all_are_kept(self, table: Written, tmp_path: Path) -> None:
        path, frame = table
        splits = make_splits(settings(path))
        whole = frame.dropna().to_numpy()
        found = np.concatenate([splits.train, splits.validation, splits.test])
        assert np.array_equal(found[np.lexsort(found.T)], whole[np.lexsort(whole.T)])
        np.testing.assert_array_equal(splits.rows, frame.to_numpy())
        record = splits.provenance["table"]
        assert (record["rows"], record["rows_with_holes"], record["holes"]) == (120, 13, {"a": 1, "b": 12, "c": 1})
        assert sum(splits.provenance["sizes"].values()) == 107
        assert any("13 of 120 rows have holes" in warning for warning in warnings_of(splits.provenance))
        splits.save(tmp_path / "splits.safetensors", tmp_path / "splits.json")
        again = load_splits(tmp_path / "splits.safetensors")
        np.testing.assert_array_equal(again.rows, frame.to_numpy())
        np.testing.assert_array_equal(again.train, splits.train)
        assert load_splits_without(tmp_path, "holes") == load_splits_without(tmp_path, "train") == "refused"

    def test_splits_of_a_table_without_holes_are_the_same_with_the_key(self, table: Written) -> None:
        path, frame = table
        frame.dropna().assign(kind=1).to_csv(path, index=False)
        with_key, without = (make_splits(settings(path, **change)) for change in ({}, {"missing": None}))
        np.testing.assert_array_equal(with_key.train, without.train)
        np.testing.assert_array_equal(with_key.rows, frame.dropna())
        assert without.rows is None
        assert "rows_with_holes" not in without.provenance["table"]

    def test_holes_are_refused_without_the_key_which_the_hint_names(self, table: Written) -> None:
        says = 'row 4, column "b": expected a finite number, got NaN or an empty entry'
        with pytest.raises(DataError, match=says) as problem:
            read_table(settings(table[0], missing=None))
        assert "13 of 120" in problem.value.hint
        assert "missing: impute" in problem.value.hint

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            (lambda t: t.assign(a=np.nan), r'rows without holes than columns .* got 0 of 120(.|\n)*"a" has 120 holes'),
            (
                lambda t: t * np.where(np.arange(120)[:, None] == 1, np.nan, 1),
                "row 2: expected a number, got none",
            ),
            (lambda t: t + np.where(np.arange(120)[:, None] == 0, np.inf, 0), 'row 1, column "a": .* got inf'),
            (lambda t: t.assign(a=t["a"].where(t["b"].isna(), 1.0)), 'column "a": expected values that vary'),
        ],
    )
    def test_what_cannot_be_used_is_still_refused(self, table: Written, change: Any, says: str) -> None:
        path, frame = table
        change(frame).assign(kind=0).to_csv(path, index=False)
        with pytest.raises(DataError, match=says) as problem:
            read_table(settings(path))
        assert "missing: impute" not in problem.value.hint

    def test_kinds_of_columns_hold_for_rows_with_holes_too(self, table: Written) -> None:
        path, frame = table
        frame = frame.assign(a=np.exp(frame["a"]), c=np.arange(120.0) % 4)
        frame.loc[3, "c"] = 9
        frame.assign(kind=0).to_csv(path, index=False)
        record = read_table(settings(path, columns="auto")).record
        assert (record["positive"], record["integer"]) == (["a"], ["c"])
        with pytest.raises(DataError, match="column c, row 4: expected a whole number from 0 to 3, got 9"):
            read_table(settings(path, integer=["c"], bounded={"c": [0, 3]}))

    def test_points_may_have_holes_where_these_are_asked_for(self, table: Written) -> None:
        path, frame = table
        origin = {"settings": {"kind": "csv"}, "columns": ["c", "a", "b"]}
        np.testing.assert_array_equal(read_points(path, 3, origin, holes=True), frame[["c", "a", "b"]])
        with pytest.raises(DataError, match="NaN or an empty entry"):
            read_points(path, 3, origin)


def load_splits_without(folder: Path, name: str) -> str:
    """What reading splits without one of their tensors gives."""
    tensors, metadata = load_tensors(folder / "splits.safetensors", "splits")
    del tensors[name]
    save_tensors(folder / "fewer.safetensors", tensors, {"kind": "splits", "provenance": metadata["provenance"]})
    try:
        load_splits(folder / "fewer.safetensors")
    except ArtifactError:
        return "refused"
    return "read"


@pytest.mark.parametrize("name", ["wine", "breast_cancer", "diabetes", "iris"])
def test_tables_of_scikit_learn_are_read_in_their_units(name: str) -> None:
    table = read_table({"kind": "sklearn", "table": name, "label_column": "target"})
    raw = {"scaled": False} if name == "diabetes" else {}
    frame = getattr(sklearn.datasets, f"load_{name}")(as_frame=True, **raw).frame
    np.testing.assert_array_equal(table.points, frame.drop(columns="target"))
    np.testing.assert_array_equal(table.labels, frame["target"])
    assert list(table.columns) == list(frame.columns[:-1])
    assert table.path.is_file()
    both = read_table({"kind": "sklearn", "table": name})
    assert both.columns == (*table.columns, "target")


def gaussian_flow(x: np.ndarray, narrowing: float = 1.0) -> Flow:
    """The flow whose model is the Gaussian of these rows, or a narrower one."""
    basis = Eigenbasis.fit(x)
    schedule = make_schedule(basis.eigenvalues, **PRP)
    zero = torch.zeros(1, x.shape[1], dtype=torch.float64)
    covariance = narrowing**2 * torch.diag(basis.eigenvalues)
    return Flow(MixtureDenoiser(schedule, zero, covariance=covariance), basis)


def splits_of(x: np.ndarray, **others: Any) -> Splits:
    """Rows cut into splits."""
    train, validation, test = np.split(x, [len(x) // 2, 3 * len(x) // 4])
    labels = (np.zeros(len(part)) for part in (train, validation, test))
    return Splits(train, validation, test, *labels, x.std(0), **others)


def measured(flows: dict[str, Flow], x: np.ndarray, **changes: Any) -> pd.DataFrame:
    settings = {"holes": ["cells"], "rows": 40, "cells": 1, "columns": 0.5, "patch": 2, "draws": 100, "seed": 0}
    settings |= {"chain_draws": 50, "chain_warmup": None, "iterative_draws": 0, "iterative_rounds": 1}
    settings |= {"covariances": 0, **changes}
    named = {(name, "0"): flow for name, flow in flows.items()}
    return pd.DataFrame(measure(named, splits=splits_of(x), **settings).tables["imputation"])


class TestExperiments:
    def test_an_exact_flow_beats_the_gaussian_on_a_mixture_and_covers_as_it_says(self) -> None:
        flow, x = mixture_flow(PRP)
        table = measured({"exact": flow}, x)
        row = table[table["method"] == "flow"].iloc[0]
        assert row["crps_difference"] < -3 * row["crps_difference_se"]
        assert row["coverage_90"] == pytest.approx(0.9, abs=4 * np.sqrt(0.09 / 40))
        assert row["coverage_50"] == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / 40))

    def test_the_flow_of_a_gaussian_is_level_with_it_and_an_impostor_is_not(self) -> None:
        x = gaussian_rows(800, 6)[0][:, :2]
        flows = {"same": gaussian_flow(x[:400]), "narrow": gaussian_flow(x[:400], 0.5)}
        table = measured(flows, x, iterative_draws=2, covariances=2).set_index(["method", "schedule"])
        gaussian, same, narrow = table.loc["gaussian"].iloc[0], table.loc["flow", "same"], table.loc["flow", "narrow"]
        assert same["crps"] == pytest.approx(gaussian["crps"], rel=0.1)
        assert same["rmse"] == pytest.approx(gaussian["rmse"], rel=0.1)
        assert narrow["coverage_90"] < 0.8 < gaussian["coverage_90"]
        assert narrow["crps_difference"] > 0
        wider = table.loc["few_rows", "same"]
        # Of 400 rows little is unknown.
        assert wider["crps"] == pytest.approx(same["crps"], rel=0.1)
        assert wider["coverage_90"] == pytest.approx(same["coverage_90"], abs=0.1)
        methods = ["gaussian", "neighbours", "iterative", *["flow", "few_rows"] * 2]
        assert list(table.reset_index()["method"]) == methods
        known = next(shown for shown in experiments()["imputation"].tables if shown.key == "imputation").columns
        assert ["dataset", *measured({}, x).columns] == list(known)
        figure = draw_imputation(Material(tables={"imputation": table.reset_index().assign(dataset="mine")}))
        assert figure.axes[0].get_xlabel().startswith("CRPS of cells,")

    def test_holes_of_a_table_are_filled_where_they_are(self, caplog: pytest.LogCaptureFixture) -> None:
        flow, x = mixture_flow(PRP)
        rows = x[:60].copy()
        truth = rows.copy()
        rows[10:30, 0] = np.nan
        rows[40, 1] = np.nan
        splits = splits_of(x, rows=rows, provenance={"columns": ["row", "b"]})
        settings = {"draws": 50, "chain_draws": 200, "chain_warmup": None, "seed": 0}
        found = measure_imputed({("prp", "0"): flow}, splits=splits, log=logging.getLogger(), **settings)
        completed = pd.DataFrame(found.rows["imputed"])
        seen = ~np.isnan(rows)
        assert (completed.to_numpy()[seen] == rows[seen]).all()
        assert list(completed.columns) == ["row", "b"]
        cells = pd.DataFrame(found.tables["imputed_cells"])
        assert list(cells["row"]) == [*range(11, 31), 41]
        assert list(cells["column"]) == ["row"] * 20 + ["b"]
        assert list(cells["imputed"]) == [*completed["row"][10:30], completed["b"][40]]
        hidden = [*truth[10:30, 0], truth[40, 1]]
        assert cells["converged"].mean() > 0.8
        assert ((cells["lower"] < hidden) & (hidden < cells["upper"])).sum() >= 15
        draws = pd.DataFrame(found.columns["imputed"])
        assert list(draws.columns) == ["imputed_row", "draw", "row", "b"]
        assert len(draws) == 21 * 50
        assert (draws.loc[draws["imputed_row"] == 41, "row"] == truth[40, 0]).all()
        whole = measure_imputed(
            {("prp", "0"): flow}, splits=replace(splits, rows=truth), log=logging.getLogger(), **settings
        )
        assert len(whole.columns["imputed"]["draw"]) == len(list(whole.tables["imputed_cells"])) == 0
        np.testing.assert_array_equal(pd.DataFrame(whole.rows["imputed"]), truth)


def test_fit_says_what_to_do_about_holes() -> None:
    frame = pd.DataFrame(gaussian_rows(60, 0)[0], columns=["a", "b", "c"])
    frame.loc[5, "b"] = np.nan
    with pytest.raises(DataError, match="row 5") as problem:
        FittedFlow.fit(frame)
    assert "dropna" in problem.value.hint
    assert "impute" in problem.value.hint
