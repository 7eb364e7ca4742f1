r"""How flows of a table do on rows that they were not trained on.

Each column of generated rows is compared with that of held-out rows by the Kolmogorov-Smirnov distance, the largest
difference of their distribution functions.  Of two samples of n and m rows of one continuous distribution, 95 % are
closer than 1.358 sqrt(1/n + 1/m).

Log densities of held-out rows stand beside those of the Gaussian with the covariance of the training rows, both for
rows that carry the first noise of the flow (`metrics/density.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy.stats import ks_2samp

from inflationary_flows.data.splits import Splits
from inflationary_flows.experiments.measured import Measured, plain_rows
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.metrics.density import gaussian_log_density, mean_and_error, which_is_better

_KS_95 = 1.358
# Gradients of an exact trace at a time of the flow.
_GRADIENTS = 8_000
_FEWEST = 100
BETTER, WORSE, EQUAL = "flow better", "Gaussian better", "not told apart"
_VERDICTS = {1: BETTER, -1: WORSE, 0: EQUAL}


def compare_columns(generated: np.ndarray, held_out: np.ndarray, columns: list[str]) -> list[dict[str, Any]]:
    """Kolmogorov-Smirnov distance of each column.

    Arguments:
        generated, held_out: Rows, shape (n, D) and (m, D).
        columns: Names of the D columns.

    Returns:
        Rows of column, ks, ks_95 (what chance stays below), p_value, n_generated, n_held_out.
    """
    n, m = len(generated), len(held_out)
    tests = [ks_2samp(generated[:, j], held_out[:, j]) for j in range(len(columns))]
    return [
        {
            "column": name,
            "ks": float(test.statistic),
            "ks_95": min(1.0, _KS_95 * math.sqrt(1 / n + 1 / m)),
            "p_value": float(test.pvalue),
            "n_generated": n,
            "n_held_out": m,
        }
        for name, test in zip(columns, tests, strict=True)
    ]


def compare_likelihood(flow: Flow, held_out: np.ndarray, seed: int) -> dict[str, Any]:
    """Mean log density of rows under a flow and under the Gaussian of its training rows, and which is better.

    Arguments:
        flow: Trained flow.
        held_out: Rows, shape (m, D), data units.
        seed: Seed of the first noise.

    Returns:
        A row of log_likelihood, se, gaussian, gaussian_se, difference, difference_se, n, verdict.
    """
    x = flow.basis.transforms.rounded(flow.noised_data(torch.from_numpy(held_out), seed)).numpy()
    found, gaussian = np.asarray(flow.log_prob(x, seed=seed)), gaussian_log_density(flow, x)
    row: dict[str, Any] = {}
    for name, values in (("log_likelihood", found), ("gaussian", gaussian), ("difference", found - gaussian)):
        row[name], row["se" if name == "log_likelihood" else f"{name}_se"] = mean_and_error(values)
    return {**row, "n": len(x), "verdict": _VERDICTS[which_is_better(row["difference"], row["difference_se"])]}


def measure(
    *, flows: Mapping[tuple[str, str], Flow], splits: Splits, rows: int, samples: int, likelihood_rows: int, seed: int
) -> Measured:
    """Measures all flows of a table.

    Arguments:
        flows: Flows by schedule and training seed.
        splits: Their table.
        rows: Rows that are generated.
        samples: Largest number of rows of the table that figures show.
        likelihood_rows: Largest number of held-out rows whose likelihood is measured; fewer of many columns.
        seed: Seed of generated rows and of noise.

    Returns:
        Tables `own_marginals` and `own_likelihood`; arrays `own_tables`: held-out rows, columns, labels and, of each
        flow, generated rows and latents; all generated rows as `generated`.
    """
    held_out = np.asarray(splits.test, dtype=np.float64)
    # A table without names has numbers.
    columns = [str(name) for name in splits.provenance.get("columns", range(held_out.shape[1]))]
    # Held-out rows come first, those that flows were trained on after them.
    shown = np.concatenate([held_out, splits.validation, splits.train])[:samples]
    labels = np.concatenate([splits.test_labels, splits.validation_labels, splits.train_labels])[:samples]
    label = splits.provenance.get("settings", {}).get("label_column")
    arrays: dict[str, np.ndarray] = {
        "held_out": held_out[:samples],
        "columns": np.array(columns),
        "labels": labels if label is not None else shown[:, 0],
        "label": np.array(str(label) if label is not None else columns[0]),
    }
    judged = held_out[: min(likelihood_rows, max(_FEWEST, _GRADIENTS // held_out.shape[1]))]
    marginals, likelihoods, generated = [], [], []
    for (schedule, member), flow in flows.items():
        keys = {"schedule": schedule, "seed": member}
        new = np.asarray(flow.sample(rows, seed))
        marginals += [{**keys, **row} for row in compare_columns(new, held_out, columns)]
        likelihoods.append({**keys, **compare_likelihood(flow, judged, seed)})
        generated += [
            {**_beside(keys, columns), **row} for row in plain_rows(new, columns, flow.basis.transforms.integers)
        ]
        latents = np.asarray(flow.inflate(flow.noised_data(shown, seed)))
        arrays[f"{schedule}/seed{member}/generated"] = new
        arrays[f"{schedule}/seed{member}/latents"] = (latents / flow.schedule.latent_std.cpu().numpy())[:, :2]
    tables = {"own_marginals": marginals, "own_likelihood": likelihoods}
    return Measured(tables, {"own_tables": arrays}, rows={"generated": generated})


def _beside(keys: Mapping[str, str], columns: list[str]) -> dict[str, str]:
    """Names of flows beside columns of a table that may be called the same."""
    return {f"flow_{name}" if name in columns else name: value for name, value in keys.items()}
