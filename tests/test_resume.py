"""Training that is killed -9 at random moments ends with the same network, to the last byte."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inflationary_flows.artifacts.files import load_tensors, sha256_of
from inflationary_flows.artifacts.states import StateFile
from inflationary_flows.errors import ArtifactError

DRIVER = Path(__file__).with_name("training_driver.py")


def start(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(DRIVER), str(folder / "state.safetensors"), str(folder / "network.safetensors")]
    return subprocess.Popen(command, stderr=subprocess.PIPE)


def saved_step(folder: Path) -> int:
    state = folder / "state.safetensors"
    return int(load_tensors(state)[1]["step"]) if state.exists() else 0


@pytest.mark.slow
def test_ten_kills_leave_no_trace_in_the_network(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    assert start(whole).wait() == 0
    rng = random.Random(0)
    steps = [0]
    for _ in range(10):
        process = start(killed)
        # Wait until this life has got somewhere, then strike at a moment of no significance.
        while process.poll() is None and saved_step(killed) <= steps[-1]:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.15))
        assert process.poll() is None, "the run ended before it was killed ten times: give it more steps"
        process.send_signal(signal.SIGKILL)
        process.wait()
        steps.append(saved_step(killed))
    assert steps == sorted(steps)
    process = start(killed)
    assert process.wait() == 0
    assert sha256_of(killed / "network.safetensors") == sha256_of(whole / "network.safetensors")


@pytest.mark.parametrize("damage", ["truncated", "flipped", "emptied"])
def test_a_damaged_state_is_refused(tmp_path, damage):
    import numpy as np

    store = StateFile(tmp_path / "state.safetensors")
    store.write({"network.weight": np.arange(100.0)}, {"digest": "d", "step": 3, "history": []})
    content = bytearray(store.path.read_bytes())
    if damage == "flipped":
        content[-5] ^= 1
    store.path.write_bytes(bytes(content[: {"truncated": -9, "flipped": None, "emptied": 0}[damage]]))
    with pytest.raises(ArtifactError):
        store.read()


def test_no_state_is_no_error(tmp_path):
    assert StateFile(tmp_path / "none.safetensors").read() is None
