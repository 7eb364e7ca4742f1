"""Evidences of mixture components as files."""

from __future__ import annotations

import os

import torch

from inflationary_flows.errors import ArtifactError
from inflationary_flows.files.tensors import load_tensors, save_tensors
from inflationary_flows.inference.collapsed import ComponentEvidence

_EVIDENCE = "evidence"


def save_evidence(path: str | os.PathLike[str], evidence: ComponentEvidence) -> None:
    """Writes the log likelihoods of all observations under all components, and how well they are known."""
    tensors = {
        "log_evidence": evidence.log_evidence,
        "covariance": evidence.covariance,
        "ess_fraction": evidence.ess_fraction,
        "pareto_k": evidence.pareto_k,
        "particles": evidence.particles,
    }
    save_tensors(path, tensors, {"kind": _EVIDENCE})


def load_evidence(path: str | os.PathLike[str], observations: int | None = None) -> ComponentEvidence:
    """Reads an evidence, of the first observations if a number is given.

    Raises:
        ArtifactError: if the file is damaged or of another kind, or holds fewer observations.
    """
    arrays, _ = load_tensors(path, _EVIDENCE)
    held = len(arrays["log_evidence"])
    n = held if observations is None else observations
    if n > held:
        raise ArtifactError(
            str(path), f"at least {n} observations", str(held), "raise experiments.hmc.collapsed.observations"
        )
    return ComponentEvidence(
        torch.from_numpy(arrays["log_evidence"][:n]),
        torch.from_numpy(arrays["covariance"][:n]),
        arrays["ess_fraction"][:n],
        arrays["pareto_k"][:n],
        arrays["particles"][:n],
    )
