"""Posteriors that know how few rows a flow was trained on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import t as student

from inflationary_flows.artifacts import flows as fitted
from inflationary_flows.errors import DataError
from inflationary_flows.inference.few_rows import draws_for_few_rows
from inflationary_flows.inference.infer import infer
from inflationary_flows.mathematics.denoisers import MixtureDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.schedules import make_schedule
from oracles import PRP

N, DIMENSION = 20, 4


def rows_of(n: int, seed: int) -> np.ndarray:
    """Rows of correlated Gaussian columns."""
    mixing = np.random.default_rng(0).standard_normal((DIMENSION, DIMENSION))
    return np.random.default_rng(seed).standard_normal((n, DIMENSION)) @ mixing


def flow_of(x: np.ndarray) -> Flow:
    """The exact flow of the Gaussian with mean and covariance of these rows."""
    basis = Eigenbasis.fit(x)
    schedule = make_schedule(basis.eigenvalues, **PRP)
    origin = torch.zeros(1, x.shape[1], dtype=torch.float64)
    return Flow(MixtureDenoiser(schedule, origin, covariance=torch.diag(basis.eigenvalues)), basis)


@pytest.fixture(scope="module")
def known() -> tuple[Flow, np.ndarray, np.ndarray]:
    """A flow of few rows, these rows, and others with one hole."""
    train, held = rows_of(N, 1), rows_of(3, 2)
    held[:, 1] = np.nan
    return flow_of(train), train, held


def test_draws_of_gaussian_rows_are_those_of_a_regression(known: tuple[Flow, np.ndarray, np.ndarray]) -> None:
    flow, train, held = known
    posterior = infer(flow, held, draws=1000, seed=0)
    drawn, share = draws_for_few_rows(flow, posterior, N, draws=2000, members=100)
    assert drawn.shape == (3, 2000, DIMENSION)
    assert (drawn[:, :, 0] == held[:, :1]).all()
    assert (share < 0.9).all()
    # The predictive distribution of a linear regression with flat priors.
    design = np.column_stack([np.ones(N), np.delete(train, 1, axis=1)])
    weights, residual, *_ = np.linalg.lstsq(design, train[:, 1], rcond=None)
    free = N - DIMENSION
    inverse = np.linalg.inv(design.T @ design)
    widths = []
    for row, cells, plain in zip(held, drawn[..., 1], posterior.x[..., 1].reshape(3, -1), strict=True):
        seen = np.array([1.0, *np.delete(row, 1)])
        law = student(free, seen @ weights, np.sqrt(residual[0] / free * (1 + seen @ inverse @ seen)))
        assert cells.mean() == pytest.approx(law.mean(), abs=0.2 * law.std())
        assert np.quantile(cells, 0.95) == pytest.approx(law.ppf(0.95), abs=0.25 * law.std())
        widths.append([cells.std() / law.std(), plain.std() / law.std()])
    # Weights of few draws cut the far tails: of ten seeds, .91 to .96, and .74 to .76 without them.
    knowing, plain = np.mean(widths, 0)
    assert knowing == pytest.approx(1, abs=0.1)
    assert plain < 0.8


def test_many_rows_leave_draws_as_wide_as_they_are(known: tuple[Flow, np.ndarray, np.ndarray]) -> None:
    flow, _, held = known
    posterior = infer(flow, held, seed=0)
    drawn, share = draws_for_few_rows(flow, posterior, 100_000, draws=800)
    assert share.min() > 0.95
    assert drawn[..., 1].std(1) == pytest.approx(posterior.std[:, 1], rel=0.1)
    again, _ = draws_for_few_rows(flow, posterior, 100_000, draws=800)
    np.testing.assert_array_equal(drawn, again)


def test_too_few_rows_are_refused(known: tuple[Flow, np.ndarray, np.ndarray]) -> None:
    flow, _, held = known
    posterior = infer(flow, held, draws=50, seed=0)
    with pytest.raises(DataError, match="at least 8 rows"):
        draws_for_few_rows(flow, posterior, 7)


def test_tables_are_completed_by_them() -> None:
    x = np.abs(rows_of(120, 3)) + 0.1
    table = pd.DataFrame(x, columns=list("abcd")).assign(d=lambda rows: rows["d"].round())
    settings = {"network": {"width": 16, "blocks": 1}, "training": {"steps": 30}, "progress": False}
    flow = fitted.Flow.fit(table, positive=["a"], integer=["d"], **settings)
    holes = table.head(30).copy()
    holes.iloc[np.arange(24), np.arange(24) % 4] = np.nan
    plain, wide = (flow.impute(holes, draws=40, few_rows=few_rows) for few_rows in (False, True))
    seen = holes.notna().to_numpy()
    for completed in (plain, wide):
        of_draws = completed.to_numpy().reshape(40, 30, 4)
        np.testing.assert_array_equal(of_draws[:, seen], np.tile(table.head(30).to_numpy()[seen], (40, 1)))
        assert (completed["a"] > 0).all()
        assert completed["d"].dtype == "int64"
    assert not wide.equals(plain)
    flow.record.pop("split")
    with pytest.raises(DataError, match="few_rows: expected a flow that knows its training rows"):
        flow.impute(holes, few_rows=True)
