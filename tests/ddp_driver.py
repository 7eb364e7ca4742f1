"""A training as a program, alone or as one of several: `python ddp_driver.py FOLDER PROCESSES PARTS STEPS [levels]`.

With `levels` two schedules share the network. Every state is kept under its step, so that a test can go on from any.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from inflationary_flows.artifacts.networks import save_network
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.runtime.states import StateFile, keep_checkpoint
from inflationary_flows.training.compute import join_processes, launched, run_in_processes
from inflationary_flows.training.fit import fit
from inflationary_flows.training.kernels import Kernels
from inflationary_flows.training.settings import TrainingSettings
from oracles import PRP, PRR

NETWORK = {
    "kind": "unet",
    "space": "ambient",
    "image": [1, 8, 8],
    "channels": [8, 16],
    "layers": 1,
    "dropout": 0.1,
    "labels": 9,
}


class KeptStates(StateFile):
    """A state file that leaves a copy of each state behind."""

    def write(self, tensors: Mapping[str, torch.Tensor], metadata: dict[str, Any]) -> None:
        super().write(tensors, metadata)
        shutil.copy(self.path, self.path.with_stem(f"step{metadata['step']}"))


def main(folder: Path, processes: int, parts: int, steps: int, told: str = "clock") -> int:
    if processes > 1 and not launched():
        return run_in_processes(processes)
    torch.set_num_threads(1)
    x = np.random.default_rng(0).standard_normal((300, 64)) @ np.diag(np.linspace(1, 0.1, 64)) / 3
    basis = Eigenbasis.fit(x)
    known = [PRP] if told == "clock" else [PRP, PRR]
    network = NETWORK if told == "clock" else NETWORK | {"told": told}
    settings = TrainingSettings(
        steps=steps,
        batch_size=16,
        warmup_steps=2,
        targets="sample",
        validate_every=6,
        validation_points=64,
        augment=0.5,
        accumulate=parts,
    )
    with (
        join_processes("cpu") as (group, device),
        keep_checkpoint(folder, "shared", 0.0, writes=group.first) as checkpoint,
    ):
        checkpoint.store = KeptStates(checkpoint.store.path, checkpoint.store.lock)
        denoiser, _ = fit(
            x[:200],
            x[200:],
            basis,
            Kernels([make_schedule(basis.eigenvalues, **one) for one in known]),
            network,
            settings,
            seed=0,
            checkpoint=checkpoint,
            device=device,
            processes=group,
        )
        if group.first:
            save_network(folder / "network.safetensors", denoiser, {"schedules": known}, network, {})
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *map(int, sys.argv[2:5]), *sys.argv[5:]))
