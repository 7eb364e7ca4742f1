"""A training run as a process of its own, to be killed."""

from __future__ import annotations

from pathlib import Path

import torch

from inflationary_flows.artifacts.networks import save_network
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.runtime.states import keep_checkpoint
from inflationary_flows.training.fit import fit
from inflationary_flows.training.kernels import Kernels
from inflationary_flows.training.settings import TrainingSettings
from oracles import PRP, mixture_data

NETWORK = {"kind": "mlp", "space": "eigen", "width": 32, "blocks": 2, "frequencies": 16}
SETTINGS = TrainingSettings(steps=1500, batch_size=64, reference_size=64, warmup_steps=10, validate_every=100)


def main(folder: Path, network: Path) -> None:
    torch.set_num_threads(1)
    x = mixture_data()[0]
    basis = Eigenbasis.fit(x)
    kernels = Kernels([make_schedule(basis.eigenvalues, **PRP)])
    with keep_checkpoint(folder, "killed", 0.05) as checkpoint:
        denoiser, _ = fit(x[:4000], x[4000:], basis, kernels, NETWORK, SETTINGS, seed=0, checkpoint=checkpoint)
    save_network(network, denoiser, {"schedules": [PRP]}, NETWORK, {})
