"""Eigenbases as files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from inflationary_flows.errors import ArtifactError
from inflationary_flows.files.tensors import load_tensors, save_tensors, sha256_of_array
from inflationary_flows.mathematics.eigenbasis import BASIS_NAMES, Eigenbasis, basis_from, basis_tensors

_BASIS = "eigenbasis"


def save_basis(path: Path, basis: Eigenbasis) -> None:
    """Writes an eigenbasis."""
    save_tensors(path, basis_tensors(basis), {"kind": _BASIS, "dimension": basis.dimension})


def basis_fingerprint(basis: Eigenbasis) -> str:
    """Names an eigenbasis by the sha256 of its numbers."""
    parts = [sha256_of_array(tensor.numpy()) for _, tensor in sorted(basis_tensors(basis.to("cpu")).items())]
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def load_basis(path: Path) -> Eigenbasis:
    """Reads an eigenbasis; ArtifactError if the file is damaged or of another kind."""
    arrays, _ = load_tensors(path, _BASIS, finite=True)
    return checked_basis(path, arrays, "")


def checked_basis(path: Path, arrays: dict[str, np.ndarray], prefix: str) -> Eigenbasis:
    """An eigenbasis among arrays whose names begin with a prefix; ArtifactError if it is not whole."""
    missing = [name for name in BASIS_NAMES if prefix + name not in arrays]
    if missing:
        raise ArtifactError(
            str(path),
            "an eigenbasis",
            f"a file without {', '.join(missing)}",
            "delete the file and run the workflow again",
        )
    return basis_from(arrays, prefix)
