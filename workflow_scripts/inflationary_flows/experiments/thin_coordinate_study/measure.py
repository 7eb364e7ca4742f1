r"""Information lost by reducing dimensions, by the scale of a thin coordinate.

A reducing flow keeps d directions and compresses the others. Two errors show how much of a point x = f(z) its kept
latents hold:

    reconstruction         x^ = f(z_1 ... z_d, 0 ... 0)
    conditional variance   E |x - x'|^2 / 2,   x' = f(z_1 ... z_d, z'_d+1 ... z'_D),   z' from the prior

For Gaussian data the flow is linear: x^ is the projection onto the first d principal components, and both errors are
sum_{i>d} xi_i / D a coordinate.  If compressed latents do not depend on kept ones, x' is a second draw from p(x | z_1
... z_d). Half of the squared distance of two draws is then their variance, the least error of any reconstruction from d
latents.

Data: section 3 of de Albuquerque and Pearson (2024), whose study makes one coordinate of the toys a thin Gaussian.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from inflationary_flows.data.splits import Splits
from inflationary_flows.errors import DataError
from inflationary_flows.experiments.measured import Measured
from inflationary_flows.mathematics.eigenbasis import Rows
from inflationary_flows.mathematics.flow import Flow


def project(flow: Flow, x: np.ndarray) -> np.ndarray:
    """Projects points, shape (n, D), data units, onto d principal components, d being the flow's kept directions."""
    u = flow.basis.to_eigen(torch.from_numpy(x))
    u[:, flow.schedule.kept_dims :] = 0.0
    return flow.basis.from_eigen(u).numpy()


def measure_thin_coordinate_loss(
    flow: Flow, points: Rows, *, samples: int = 10_000, seed: int = 0
) -> list[dict[str, Any]]:
    """Measures the reconstruction errors of held-out points from the kept latents of a reducing flow.

    Arguments:
        flow: Trained flow with fewer kept directions than coordinates.
        points: Held-out points, shape (n, D), data units.
        samples: Points used, the first ones.
        seed: Seed of the compressed latents that are drawn from the flow's prior.

    Returns:
        One row.  Of the training data: kept_dims, participation_ratio, kept_share (of the variance, along kept
        directions).  Of held-out points, means over points and coordinates, data units squared: their variance, the
        errors of the projection onto d principal components, of the reconstruction from d latents and of the round trip
        with all latents, and the conditional variance; n.

    Raises:
        DataError: if the flow compresses nothing.
    """
    x = np.asarray(points[:samples], dtype=np.float64)
    kept, variances = flow.schedule.kept_dims, flow.basis.eigenvalues
    if kept == flow.dimension:
        raise DataError(
            "scaling study",
            f"a flow that keeps fewer than D = {kept} directions",
            str(kept),
            "study schedules that have kept_dims",
        )
    latents = flow.inflate(x)
    centred, redrawn = latents.copy(), latents.copy()
    centred[:, kept:] = 0.0
    redrawn[:, kept:] = flow.sample_latents(len(x), seed).numpy()[:, kept:]
    return [
        {
            "kept_dims": kept,
            "participation_ratio": flow.basis.participation_ratio,
            "kept_share": float(variances[:kept].sum() / variances.sum()),
            "variance": float(np.mean(x.var(axis=0))),
            "pca_mse": _mean_square(project(flow, x) - x),
            "reconstruction_mse": _mean_square(flow.generate(centred) - x),
            "conditional_variance": _mean_square(flow.generate(redrawn) - x) / 2,
            "roundtrip_mse": _mean_square(flow.generate(latents) - x),
            "n": len(x),
        }
    ]


def _mean_square(error: np.ndarray) -> float:
    return float(np.mean(error**2))


def measure(flow: Flow, *, splits: Splits, **settings: Any) -> Measured:
    """Rows of `measure_thin_coordinate_loss`, of held-out points."""
    return Measured({"thin_coordinate_study": measure_thin_coordinate_loss(flow, splits.test, **settings)})
