"""Chains of samplers as files."""

from __future__ import annotations

import os

import numpy as np

from inflationary_flows.files.tensors import load_tensors, save_tensors
from inflationary_flows.inference.chains import Chain

_CHAIN = "chain"


def save_chain(path: str | os.PathLike[str], chain: Chain, **draws: np.ndarray) -> None:
    """Writes a chain: named quantities of its draws, such as weights, shape (draws, K), and sampler statistics."""
    tensors = {
        **draws,
        "diverging": chain.diverging,
        "energy": chain.energy,
        "tree_depth": chain.tree_depth,
        "acceptance": chain.acceptance,
        "step_size": np.array(chain.step_size),
        "leapfrogs": np.array(chain.leapfrogs),
    }
    save_tensors(path, tensors, {"kind": _CHAIN})


def load_chain(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Reads a chain's arrays by name."""
    return load_tensors(path, _CHAIN)[0]
