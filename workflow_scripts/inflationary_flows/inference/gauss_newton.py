"""Damped Gauss-Newton steps (Levenberg and Marquardt) of many problems at once, each with a damping of its own."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# Of points, shape (..., D): the objective, shape (...), its gradient, shape (..., D), the curvature, shape (..., D, D),
# and whatever else is wanted at the end.
Information = Callable[[Tensor], tuple[Tensor, ...]]
_FIRST, _LEAST, _MOST = 1e-3, 1e-9, 1e9


def minimise(information: Information, y: Tensor, steps: int) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Takes steps towards the minimum from y, shape (..., D); where one fails it is repeated with more damping.

    Returns:
        The points, and the information there.
    """
    state = information(y)
    damping = torch.full_like(state[0], _FIRST)
    identity = torch.eye(y.shape[-1], dtype=y.dtype)
    for _ in range(steps):
        _, gradient, curvature, *_ = state
        scale = damping * curvature.diagonal(dim1=-2, dim2=-1).mean(-1)
        proposal = y - torch.linalg.solve(curvature + scale[..., None, None] * identity, gradient)
        new = information(proposal)
        better = new[0] < state[0]
        y = _where(better, proposal, y)
        state = tuple(_where(better, *pair) for pair in zip(new, state, strict=True))
        damping = torch.where(better, damping / 10, damping * 10).clamp(_LEAST, _MOST)
    return y, state


def _where(chosen: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """New values of the chosen problems, old ones of the others."""
    return torch.where(chosen.view(*chosen.shape, *(1,) * (new.ndim - chosen.ndim)), new, old)
