"""Draws and statistics of a sampler."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Chain:
    """Draws of one chain after warm-up, with their sampler statistics.

    Attributes:
        draws: Positions, shape (n, dim).
        diverging: Whether the trajectory diverged, shape (n,).
        energy: Hamiltonian at the start of the trajectory, shape (n,); its jumps give the BFMI.
        tree_depth: Doublings of the trajectory, shape (n,).
        acceptance: Mean acceptance probability along the trajectory, shape (n,).
        step_size: Step size that warm-up settled on.
        leapfrogs: Gradients of the log density spent, warm-up included.
    """

    draws: np.ndarray
    diverging: np.ndarray
    energy: np.ndarray
    tree_depth: np.ndarray
    acceptance: np.ndarray
    step_size: float
    leapfrogs: int
