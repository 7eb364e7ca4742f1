"""Images as posteriors of images take them: with the flow's first noise, and beside Gaussians with known posteriors."""

from __future__ import annotations

import copy

import numpy as np
import torch

from inflationary_flows.data.splits import Splits
from inflationary_flows.mathematics.flow import Flow
from inflationary_flows.mathematics.gaussian_mixtures import GaussianMixture, MixturePosterior
from inflationary_flows.seeding import derive_seed


def noised_parts(flow: Flow, splits: Splits, images: int, purpose: str, seed: int) -> tuple[np.ndarray, ...]:
    """Training, validation and the first test images with the flow's first noise, as all that it generates has it."""
    parts = {"train": splits.train, "validation": splits.validation, "test": splits.test[:images]}
    return tuple(
        flow.noised_data(np.asarray(part, dtype=np.float64), derive_seed(f"{purpose} {name}", seed))
        for name, part in parts.items()
    )


def pixel_std(splits: Splits) -> float:
    """Root mean square of the standard deviations of pixels, which levels of noise are multiples of."""
    return float(np.sqrt(np.asarray(splits.train, dtype=np.float64).var(0).mean()))


def with_solver(flow: Flow, solver: str, steps: int) -> Flow:
    """The flow with another integration by default, which samplers then take."""
    walked = copy.copy(flow)
    walked.solver = flow.settings(solver, steps)
    return walked


def exact_posteriors(
    prior: GaussianMixture, observed: np.ndarray, sigma: float, matrix: np.ndarray | None = None
) -> MixturePosterior:
    """Posteriors under a mixture of points, or of what a matrix makes of them, with noise, shape (n, m)."""
    operator = torch.eye(observed.shape[1], dtype=torch.float64) if matrix is None else torch.from_numpy(matrix)
    noise = sigma**2 * torch.eye(observed.shape[1], dtype=torch.float64)
    return prior.given(torch.from_numpy(observed), operator, noise)
