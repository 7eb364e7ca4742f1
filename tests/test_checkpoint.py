"""Checkpoints are kept and resumed, a run has one writer, and a job stops in time."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from inflationary_flows.checkpoint import Checkpoint, in_batches
from inflationary_flows.errors import CheckpointError, Interrupted
from inflationary_flows.runtime import host
from inflationary_flows.runtime.interruption import Interruption
from inflationary_flows.runtime.locks import Lock
from inflationary_flows.runtime.states import StateFile, keep_checkpoint
from stores import Memory, kept, stopping_after

# Locks of tests beat and lose patience faster than those of jobs.
BEAT, PATIENCE = 0.05, 0.5
HOLDER = """
import sys, time
from pathlib import Path
from inflationary_flows.runtime.locks import Lock
with Lock(Path(sys.argv[1]), {beat}, {patience}):
    print("held", flush=True)
    time.sleep(60)
"""


def lock(folder: Path) -> Lock:
    return Lock(folder, BEAT, PATIENCE)


def hold(folder: Path, beat: float = BEAT) -> subprocess.Popen[str]:
    """Another process that has the lock on a folder."""
    source = HOLDER.format(beat=beat, patience=PATIENCE)
    process = subprocess.Popen([sys.executable, "-c", source, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def pretend_elsewhere(folder: Path) -> None:
    """Makes the lock on a folder look as if its process ran on another node and could not be checked."""
    (path,) = folder.glob("lock-*.json")
    owner = json.loads(path.read_text())
    path.write_text(json.dumps({**owner, "boot": "another", "node": "gpu7", "job": "4711"}))


class TestBatches:
    def squares(self, begin: int, end: int) -> dict[str, np.ndarray]:
        self.calls.append((begin, end))
        return {"x": np.arange(begin, end), "square": np.arange(begin, end) ** 2.0}

    def setup_method(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def test_rows_come_out_in_order_whatever_the_interruptions(self):
        whole = in_batches(self.squares, 10, 3, kept(), "rows")
        np.testing.assert_array_equal(whole["square"], np.arange(10) ** 2.0)
        self.calls.clear()
        store = Memory()
        for _ in range(3):
            with pytest.raises(Interrupted, match="SIGTERM"):
                in_batches(self.squares, 10, 3, kept(store, stop=stopping_after(1)), "rows")
        resumed = in_batches(self.squares, 10, 3, kept(store), "rows")
        assert self.calls == [(0, 3), (3, 6), (6, 9), (9, 10)]
        assert all(np.array_equal(whole[name], resumed[name]) for name in whole)

    def test_what_is_not_due_is_not_kept(self):
        store = Memory()
        in_batches(self.squares, 10, 3, kept(store), "rows")
        assert store.states == []
        in_batches(self.squares, 10, 3, kept(store, seconds=0), "rows")
        assert [metadata["done"] for _, metadata in store.states] == [3, 6, 9, 10]

    def test_checkpoint_of_another_run_is_refused(self):
        store = Memory()
        Checkpoint(store, "other", seconds=0).save({"x": np.zeros(1)}, done=1)
        with pytest.raises(CheckpointError, match="expected progress of the run d, got that of other"):
            in_batches(self.squares, 10, 3, kept(store), "rows")


class TestLocks:
    def test_a_second_writer_on_a_cluster_is_refused_and_told_of_the_first(self, tmp_path, monkeypatch):
        monkeypatch.setenv("SLURM_JOB_ID", "4711")
        holder = hold(tmp_path)
        try:
            with pytest.raises(CheckpointError, match=f"process {holder.pid} on node {host.node()}"), lock(tmp_path):
                pass
        finally:
            holder.kill()
            holder.wait()

    def test_a_lock_is_given_back(self, tmp_path):
        for _ in range(2):
            with lock(tmp_path):
                assert [path.name for path in tmp_path.iterdir()] == ["lock-000001.json"]
        assert list(tmp_path.iterdir()) == []

    def test_a_killed_process_of_this_machine_is_succeeded_at_once(self, tmp_path):
        holder = hold(tmp_path)
        holder.kill()
        holder.wait()
        begin = time.monotonic()
        with lock(tmp_path):
            assert time.monotonic() - begin < PATIENCE / 2

    def test_a_writer_on_another_node_is_succeeded_when_it_is_silent_for_long_enough(self, tmp_path):
        holder = hold(tmp_path)
        holder.kill()
        holder.wait()
        pretend_elsewhere(tmp_path)
        begin = time.monotonic()
        with lock(tmp_path):
            assert PATIENCE - 2 * BEAT < time.monotonic() - begin < 4 * PATIENCE

    def test_one_of_many_successors_on_a_cluster_wins(self, tmp_path, monkeypatch):
        monkeypatch.setenv("SLURM_JOB_ID", "4711")
        holder = hold(tmp_path)
        holder.kill()
        holder.wait()
        others = [
            subprocess.Popen(
                [sys.executable, "-c", HOLDER.format(beat=BEAT, patience=PATIENCE), str(tmp_path)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(4)
        ]
        deadline = time.monotonic() + 60
        while sum(other.poll() is None for other in others) > 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        running = [other for other in others if other.poll() is None]
        try:
            assert len(running) == 1
            refused = [other.communicate()[1] for other in others if other.poll() is not None]
            assert all("expected no other job to write this run" in text for text in refused)
        finally:
            for other in running:
                other.kill()
                other.communicate()

    def test_a_writer_that_was_held_up_finds_out_and_writes_no_more(self, tmp_path):
        with lock(tmp_path) as first:
            store = StateFile(tmp_path / "state.safetensors", first)
            store.write({"x": np.zeros(1)}, {"step": 1})
            pretend_elsewhere(tmp_path)
            first.beat = 1e9
            with lock(tmp_path):
                with pytest.raises(CheckpointError, match="has taken over"):
                    store.write({"x": np.ones(1)}, {"step": 2})
                assert StateFile(store.path).read()[1]["step"] == 1
                assert "has taken over" in first.lost()
            assert not list(tmp_path.glob("lock-*"))

    def test_an_orphan_of_this_machine_is_waited_for(self, tmp_path, caplog):
        """Its driver was killed: what it does is what the new job would do."""
        holder = hold(tmp_path)
        ending = threading.Timer(2 * PATIENCE, holder.kill)
        ending.start()
        begin = time.monotonic()
        with lock(tmp_path):
            assert time.monotonic() - begin > PATIENCE
        holder.communicate()
        assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
        assert f"process {holder.pid} on node {host.node()}, whose driver is gone, is at work on this" in caplog.text

    def test_a_job_that_waits_can_be_stopped(self, tmp_path):
        holder = hold(tmp_path)
        try:
            with pytest.raises(Interrupted, match="SIGTERM while waiting"):
                Lock(tmp_path, BEAT, PATIENCE, stop=stopping_after(3)).__enter__()
        finally:
            holder.kill()
            holder.communicate()

    @pytest.mark.parametrize(
        "content",
        [b"", b'{"process": 1', b'{"process": "abc", "started": 3}', b"[1]", b"null", b"[" * 100_000, b"\xff\xfe"],
    )
    def test_a_damaged_lock_is_void_when_nobody_touches_it(self, tmp_path, content):
        (tmp_path / "lock-000007.json").write_bytes(content)
        begin = time.monotonic()
        with lock(tmp_path):
            assert PATIENCE / 2 < time.monotonic() - begin < 4 * PATIENCE
            assert [path.name for path in tmp_path.iterdir()] == ["lock-000008.json"]

    def test_a_lock_from_the_future_is_void_when_nobody_touches_it(self, tmp_path):
        path = tmp_path / "lock-000001.json"
        path.write_text("{}")
        os.utime(path, (4e9, 4e9))
        with lock(tmp_path):
            assert not path.exists()

    def test_what_is_no_lock_is_left_alone(self, tmp_path, caplog):
        """Copies that programs make which synchronise folders, notes of users, folders."""
        strays = [
            "lock-x.json",
            "lock-000001 (conflicted copy).json",
            "lock-.json",
            "lock-1.json",
            "lock-000001.json.bak",
        ]
        for name in strays:
            (tmp_path / name).write_text('{"process": "abc"}')
        (tmp_path / "lock-000003.json").mkdir()
        (tmp_path / "lock-000004.json").symlink_to(tmp_path / "nowhere")
        for _ in range(2):
            with lock(tmp_path) as held:
                held.check()
                assert (tmp_path / "lock-000005.json").exists()
        assert len(list(tmp_path.iterdir())) == len(strays) + 2
        assert caplog.text.count("lock-x.json is no lock of a job") == 2

    def test_half_a_lock_on_a_full_disk_is_taken_away(self, tmp_path, monkeypatch):
        def full(path, mode):
            Path(path).touch()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

        monkeypatch.setattr("builtins.open", full)
        with pytest.raises(OSError, match="No space left"):
            lock(tmp_path).__enter__()
        assert not list(tmp_path.glob("lock-*"))

    def test_an_orphan_that_goes_on_is_noticed_by_its_beat(self, tmp_path):
        with lock(tmp_path):
            time.sleep(3 * PATIENCE)
            with pytest.raises(CheckpointError), lock(tmp_path):
                pass


class TestInterruption:
    @pytest.fixture(autouse=True)
    def signals(self):
        """Whatever becomes of SIGTERM in a test, it is what it was afterwards."""
        before = signal.getsignal(signal.SIGTERM)
        yield
        signal.signal(signal.SIGTERM, before)

    def test_a_signal_is_noted_and_a_second_one_acts(self):
        acted = []
        signal.signal(signal.SIGTERM, lambda *_: acted.append("as before"))
        with Interruption() as interruption:
            assert interruption.reason() is None
            signal.raise_signal(signal.SIGTERM)
            assert interruption.reason() == "SIGTERM"
            assert acted == []
            signal.raise_signal(signal.SIGTERM)
            assert acted == ["as before"]

    def test_an_ignored_signal_is_no_request(self):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with Interruption() as interruption:
            signal.raise_signal(signal.SIGTERM)
            assert interruption.reason() is None

    def test_time_ends_before_the_limit(self, monkeypatch):
        with Interruption(1000.0) as interruption:
            now = time.monotonic()
            for seconds, expected in ((879, None), (901, "the end of its time")):
                monkeypatch.setattr(time, "monotonic", lambda seconds=seconds: now + seconds)
                assert interruption.reason() == expected

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("1-02:03:04", 93784.0), ("02:03:04", 7384.0), ("03:04", 184.0), ("UNLIMITED", None), ("", None)],
    )
    def test_durations_are_read_as_slurm_writes_them(self, text, seconds):
        assert host.parse_duration(text) == seconds

    def test_without_a_scheduler_there_is_no_limit(self, monkeypatch):
        monkeypatch.delenv("SLURM_JOB_ID", raising=False)
        assert host.time_left() is None

    def test_checkpoint_is_discarded_when_its_result_is_written(self, tmp_path):
        with suppress(Interrupted), keep_checkpoint(tmp_path, "run", 0.0, discards=True) as checkpoint:
            checkpoint.save({"x": np.zeros(1)}, done=1)
            raise checkpoint.interrupted("rows", 1, 2, "SIGTERM")
        assert (tmp_path / "run/state.safetensors").exists()
        with keep_checkpoint(tmp_path, "run", 0.0, discards=True) as checkpoint:
            assert checkpoint.resume()[1]["done"] == 1
            checkpoint.part("others").save({"x": np.zeros(1)}, done=1)
        assert list(tmp_path.iterdir()) == []
