r"""What flows are compared with: draws of hidden cells by methods that many would take first.

    gaussian     the Gaussian with mean and covariance of the training rows, given what is seen, in closed form
    neighbours   the hidden cells of k training rows that are nearest in what is seen, one of them a draw; k by the CRPS
                 of hidden cells of validation rows
    iterative    scikit-learn's IterativeImputer: a column after the other from a Bayesian linear regression on all
                 others, with draws from its posterior; each draw is a run of its own

Rows have NaN where they have holes; columns are standardised.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.distance import cdist
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer

from inflationary_flows.mathematics.gaussian_mixtures import GaussianMixture
from inflationary_flows.seeding import derive_seed

# Variance that columns have besides, in units of their own: some of images do not vary.
_FLOOR = 1e-6
_TRIED = (1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120)


def impute_gaussian(train: np.ndarray, rows: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Draws of rows, shape (n, draws, D), under the Gaussian of the training rows."""
    generator = torch.Generator().manual_seed(derive_seed("gaussian imputation", seed))
    x = torch.from_numpy(train)
    everything = torch.eye(x.shape[1], dtype=torch.float64)
    law = GaussianMixture(x.mean(0)[None], x.new_zeros(1), x.T.cov()[None] + _FLOOR * everything)
    drawn = []
    for row in torch.from_numpy(rows):
        seen = ~row.isnan()
        drawn.append(law.given(row[seen][None], everything[seen]).sample(draws, generator)[0])
    return _with_seen(torch.stack(drawn).numpy(), rows)


def impute_neighbours(
    train: np.ndarray, rows: np.ndarray, draws: int, seed: int, validation: np.ndarray, holes: np.ndarray
) -> np.ndarray:
    """Draws of rows, shape (n, draws, D), from the nearest training rows.

    Arguments:
        train, rows, draws, seed: As of the others.
        validation: Rows on which their number is chosen, shape (m, D).
        holes: What is hidden of these, shape (m, D).
    """
    tried = [k for k in _TRIED if k <= len(train)]
    known = _nearest(train, np.where(holes, np.nan, validation), max(tried))
    scores = [_crps_of(train[known[:, :k]], validation, holes) for k in tried]
    k = tried[int(np.argmin(scores))]
    nearest = _nearest(train, rows, k)
    chosen = np.random.default_rng(derive_seed("neighbours", seed)).integers(k, size=(len(rows), draws))
    return _with_seen(train[np.take_along_axis(nearest, chosen, axis=1)], rows)


def _nearest(train: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    """Numbers of the k training rows that are nearest to each row in what is seen of it, shape (n, k)."""
    found = []
    for row in rows:
        seen = ~np.isnan(row)
        found.append(cdist(row[None, seen], train[:, seen])[0].argsort(kind="stable")[:k])
    return np.stack(found)


def _crps_of(neighbours: np.ndarray, truth: np.ndarray, holes: np.ndarray) -> float:
    """Mean CRPS of hidden cells, the law of a cell being that of the k values of its neighbours, shape (m, k, D)."""
    k = neighbours.shape[1]
    apart = np.einsum("mkd,k->md", np.sort(neighbours, axis=1), 2 * np.arange(k) - k + 1) / k**2
    scores = np.abs(neighbours - truth[:, None]).mean(1) - apart
    return float(scores[holes].mean())


def impute_iteratively(train: np.ndarray, rows: np.ndarray, draws: int, seed: int, rounds: int) -> np.ndarray:
    """Draws of rows, shape (n, draws, D), by chained regressions of so many rounds.

    It learns no regression for columns without holes: training rows and rows with holes are one table to it.
    """
    table = np.concatenate([train, rows])
    drawn = []
    for draw in range(draws):
        state = derive_seed("iterative imputation", seed, draw) % 2**32
        imputer = IterativeImputer(sample_posterior=True, max_iter=rounds, random_state=state)
        drawn.append(imputer.fit_transform(table)[len(train) :])
    return _with_seen(np.stack(drawn, axis=1), rows)


def _with_seen(drawn: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Draws with what is seen as it is seen."""
    completed: np.ndarray = np.where(np.isnan(rows)[:, None], drawn, rows[:, None])
    return completed
