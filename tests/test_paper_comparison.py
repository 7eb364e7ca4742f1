"""Published values next to ours: every row, no blank cell, and only equal quantities compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from conftest import REPOSITORY
from inflationary_flows.experiments.paper_comparison.measure import (
    COMPARISON_COLUMNS,
    NO_SIGMA,
    NONE,
    NOT_RUN,
    ONE_SAMPLE,
    compare_with_paper,
)
from inflationary_flows.files.tables import write_csv

PUBLISHED = pd.read_csv(REPOSITORY / "configs/paper_tables.csv")
SCHEDULES: dict[str, dict[str, Any]] = {
    "prp": {"kernel": "floor"},
    "prp_exact": {"kernel": "proportional"},
    "prr2": {"kernel": "floor", "kept_dims": 2, "gap": "constant", "inflation_gap": 1.02},
    "prr2_gap1.10": {"kernel": "floor", "kept_dims": 2, "gap": "constant", "inflation_gap": 1.1},
    "prr30": {"kernel": "floor", "kept_dims": 30, "gap": "constant", "inflation_gap": 1.02},
    "prr30_orig": {"kernel": "floor", "kept_dims": 30, "gap": "orig"},
}
KINDS = {"afhqv2": "afhqv2", "cifar10": "cifar10", "fashion_mnist": "idx", "mnist": "digits"}
RATIOS = pd.DataFrame(
    {
        "dataset": ["afhqv2", "cifar10", "fashion_mnist", "mnist"],
        "dimension": [3072, 3072, 784, 64],
        "participation_ratio": [9.0, 9.3, 7.9, 13.2],
    }
)


def frechet(dataset: str, schedule: str, values: list[float], **cells: Any) -> pd.DataFrame:
    common = {"dataset": dataset, "schedule": schedule, "extractor": "inception", "metric": "fid", "part": "whole"}
    rows = [{**common, "sample_seed": seed, "value": value} for seed, value in enumerate(values)]
    return pd.DataFrame([{**row, "n": 50_000, "evaluations": 100, **cells} for row in rows])


def roundtrip(dataset: str, schedule: str, values: list[float]) -> pd.DataFrame:
    common = {"dataset": dataset, "schedule": schedule, "mse": -1.0, "max_error": -1.0, "n": 10_000, "evaluations": 200}
    return pd.DataFrame([{**common, "sample_seed": s, "mse_uint8_wrapped": value} for s, value in enumerate(values)])


def compared(
    fid: pd.DataFrame | None = None, mse: pd.DataFrame | None = None, ratios: pd.DataFrame = RATIOS
) -> pd.DataFrame:
    nothing = pd.DataFrame()
    fid, mse = (nothing if table is None else table for table in (fid, mse))
    return compare_with_paper(PUBLISHED, fid, mse, ratios, SCHEDULES, KINDS)


def rows_of(table: pd.DataFrame, dataset: str, metric: str, status: str = "compared") -> list[dict[str, Any]]:
    chosen = (table["dataset"] == dataset) & (table["metric"] == metric) & (table["status"] == status)
    return table[chosen].to_dict("records")


def test_every_published_row_appears_in_order_and_no_cell_is_blank(tmp_path: Path) -> None:
    table = compared(frechet("cifar10", "prr2", [21.0, 22.0]))
    assert tuple(table.columns) == COMPARISON_COLUMNS
    assert list(table["published"]) == list(PUBLISHED["mean"])
    write_csv(tmp_path / "table.csv", table)
    written = pd.read_csv(tmp_path / "table.csv", dtype=str, keep_default_na=False)
    assert len(written) == len(PUBLISHED)
    assert not (written == "").any(axis=None)
    assert not written.isin(["nan", "None"]).any(axis=None)


def test_two_published_sigmas_above_are_one() -> None:
    # Table 2, d = 2: FID 21.29 +- 0.04.
    (row,) = rows_of(compared(frechet("cifar10", "prr2", [21.32, 21.33, 21.34])), "cifar10", "fid")
    assert (row["dims"], row["inflation_gap"], row["sample_seeds"]) == (2, 1.02, 3)
    assert row["ours"] == pytest.approx(21.33)
    assert row["ours_two_sigma"] == pytest.approx(0.02)
    assert row["difference"] == pytest.approx(0.04)
    assert row["in_two_sigmas"] == pytest.approx(1.0)
    assert (row["evaluations"], row["flow"]) == ("100", "cifar10/prr2")


def test_what_was_not_run_says_so() -> None:
    table = compared()
    rest = table[table["metric"] != "participation_ratio"]
    for column in ("ours", "ours_two_sigma", "sample_seeds", "difference", "in_two_sigmas", "evaluations", "status"):
        assert set(rest[column]) == {NOT_RUN}


def test_the_wrapped_error_is_what_is_compared() -> None:
    (row,) = rows_of(compared(mse=roundtrip("cifar10", "prp", [0.2, 0.3])), "cifar10", "roundtrip_mse_uint8")
    assert (row["dims"], row["inflation_gap"]) == (3072, NONE)
    assert row["ours"] == pytest.approx(0.25)


def test_a_row_that_stands_in_two_tables_is_compared_in_both() -> None:
    rows = rows_of(compared(frechet("afhqv2", "prr2", [12.0])), "afhqv2", "fid")
    assert [str(row["table"]) for row in rows] == ["1", "3"]
    assert {row["ours_two_sigma"] for row in rows} == {ONE_SAMPLE}


def test_gaps_are_told_apart() -> None:
    (row,) = rows_of(compared(frechet("afhqv2", "prr2_gap1.10", [14.0])), "afhqv2", "fid")
    assert (row["inflation_gap"], row["published"]) == (1.1, 13.98)


@pytest.mark.parametrize(
    "measured",
    [
        frechet("cifar10", "prp_exact", [17.0]),
        frechet("cifar10", "prr30_orig", [23.0]),
        frechet("cifar10", "gaussian", [300.0]),
        frechet("cifar10", "prp", [17.0], n=10_000),
        frechet("cifar10", "prp", [17.0], metric="kid"),
        frechet("cifar10", "prp", [17.0], extractor="efficientnet_lite0"),
        frechet("own", "prp", [17.0]),
    ],
    ids=["kernel", "gap", "baseline", "images", "metric", "extractor", "data set"],
)
def test_other_measurements_are_not_compared(measured: pd.DataFrame) -> None:
    assert not rows_of(compared(measured), "cifar10", "fid")


def test_images_of_another_size_are_not_compared() -> None:
    small = RATIOS.assign(dimension=768)
    assert not rows_of(compared(frechet("cifar10", "prr2", [21.3]), ratios=small), "cifar10", "fid")


def test_participation_ratios_are_compared_without_sigma() -> None:
    table = compared()
    (row,) = rows_of(table, "cifar10", "participation_ratio")
    assert row["difference"] == pytest.approx(0.06)
    assert (row["in_two_sigmas"], row["published_two_sigma"], row["evaluations"]) == (NO_SIGMA, NO_SIGMA, NONE)
    # An idx file is known by its name; digits that someone calls mnist are not those of the paper.
    assert len(rows_of(table, "fashion_mnist", "participation_ratio")) == 1
    assert not rows_of(table, "mnist", "participation_ratio")


def test_the_first_by_name_of_several_flows_is_taken_whatever_its_value() -> None:
    both = pd.concat([frechet("cifar10", "prr2", [21.0]), frechet("cifar10", "also_prr2", [90.0])])
    schedules = {**SCHEDULES, "also_prr2": SCHEDULES["prr2"]}
    for order in (both, both.iloc[::-1]):
        table = compare_with_paper(PUBLISHED, order, pd.DataFrame(), RATIOS, schedules, KINDS)
        (row,) = rows_of(table, "cifar10", "fid")
        assert (row["flow"], row["ours"]) == ("cifar10/also_prr2", 90.0)
    # A data set of the published name goes first.
    kinds = {"a_cifar10": "cifar10", **KINDS}
    both = pd.concat([frechet("a_cifar10", "prr2", [90.0]), frechet("cifar10", "prr2", [21.0])])
    (row,) = rows_of(compare_with_paper(PUBLISHED, both, pd.DataFrame(), RATIOS, SCHEDULES, kinds), "cifar10", "fid")
    assert row["ours"] == 21.0


def test_differing_evaluations_are_all_named() -> None:
    both = pd.concat([frechet("cifar10", "prr2", [21.0]), frechet("cifar10", "prr2", [21.2], evaluations=511)])
    (row,) = rows_of(compared(both), "cifar10", "fid")
    assert (row["sample_seeds"], row["evaluations"]) == (2, "100/511")
