"""Training that is killed -9 at random moments ends with the same network, to the last byte."""

from __future__ import annotations

import multiprocessing
import random
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest

from inflationary_flows.files.files import sha256_of
from inflationary_flows.files.tensors import load_tensors
from inflationary_flows.runtime import states
from inflationary_flows.runtime.states import StateFile
from training_driver import main

# Each life is a process of its own, for which PyTorch was imported before.
LIVES = multiprocessing.get_context("forkserver")
LIVES.set_forkserver_preload(["torch"])


def start(folder: Path) -> BaseProcess:
    process = LIVES.Process(target=main, args=(folder, folder / "network.safetensors"))
    process.start()
    return process


def end(process: BaseProcess) -> int | None:
    process.join()
    return process.exitcode


def saved_step(folder: Path) -> int:
    kept = StateFile(folder / "killed/state.safetensors").read()
    return int(kept[1]["step"]) if kept else 0


@pytest.mark.slow
def test_five_kills_leave_no_trace_in_the_network(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    assert end(start(whole)) == 0
    rng = random.Random(0)
    steps = [0]
    for _ in range(5):
        process = start(killed)
        # Wait until this life has got somewhere, then strike at a moment of no significance.
        while process.is_alive() and saved_step(killed) <= steps[-1]:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.15))
        assert process.is_alive(), "the run ended before it was killed five times: give it more steps"
        process.kill()
        assert end(process) == -signal.SIGKILL
        steps.append(saved_step(killed))
    assert steps == sorted(steps)
    assert end(start(killed)) == 0
    assert sha256_of(killed / "network.safetensors") == sha256_of(whole / "network.safetensors")


@pytest.mark.parametrize("damage", ["truncated", "flipped", "emptied", "nested"])
def test_a_damaged_state_is_put_aside_and_the_one_before_it_read(tmp_path, damage):
    store = StateFile(tmp_path / "state.safetensors")
    for step in (3, 4):
        store.write({"network.weight": np.arange(100.0)}, {"step": step})
    content = bytearray(store.path.read_bytes())
    if damage == "flipped":
        content[-5] ^= 1
    if damage == "nested":
        header = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
        content = bytearray(len(header).to_bytes(8, "little") + header)
    store.path.write_bytes(bytes(content[: {"truncated": -9, "emptied": 0}.get(damage)]))
    assert store.read()[1]["step"] == 3
    assert not store.path.exists()
    assert (tmp_path / "state.safetensors.damaged").exists()


def test_a_reader_that_comes_between_two_renames_takes_the_state_before(tmp_path, monkeypatch):
    store = StateFile(tmp_path / "state.safetensors")
    for step in (1, 2):
        store.write({"x": np.zeros(3)}, {"step": step})

    def renamed_meanwhile(path, kind):
        if path == store.path:
            path.unlink(missing_ok=True)
        return load_tensors(path, kind)

    monkeypatch.setattr(states, "load_tensors", renamed_meanwhile)
    assert store.read()[1]["step"] == 1


def test_without_a_whole_state_the_run_begins_again(tmp_path):
    store = StateFile(tmp_path / "state.safetensors")
    assert store.read() is None
    store.path.write_bytes(b"")
    assert store.read() is None
