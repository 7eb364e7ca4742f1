"""Jobs and drivers that are killed, or find a full disk or no GPU: one message, nothing lost, the same bytes."""

from __future__ import annotations

import errno
import logging
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
import xarray as xr
import yaml
from matplotlib.figure import Figure

from conftest import run_workflow
from inflationary_flows.errors import ArtifactError, ConfigError
from inflationary_flows.files.datasets import save_dataset
from inflationary_flows.files.files import atomic_write, sha256_of, write_json
from inflationary_flows.files.tables import write_rows
from inflationary_flows.files.tensors import save_tensors
from inflationary_flows.runtime import devices, driver, host
from inflationary_flows.runtime.job import job
from inflationary_flows.runtime.provenance import sidecar_of
from job_scripts import Named, run_script

NETWORK = "results/networks/circles/prp/seed0/network.safetensors"
CURVE = "results/networks/circles/prp/seed0/training.jsonl"
SETTINGS = {"kind": "mlp", "space": "eigen", "width": 16, "blocks": 1, "frequencies": 8}
TRAINING = {"steps": 40, "batch_size": 32, "reference_size": 64, "warmup_steps": 4, "validate_every": 20}


def prepare() -> None:
    """Runs the jobs before the training, in the working directory."""
    sizes = {"train": 400, "validation": 50, "test": 50}
    dataset = {"kind": "circles", "seed": 0, "sizes": sizes}
    outputs = Named(splits="results/data/circles/splits.safetensors", record="results/data/circles/splits.json")
    run_script(
        "prepare_splits", Named(files=[]), outputs, Named(dataset=dataset, checksum=None), Named(dataset="circles")
    )
    basis = Named(eigenbasis="results/data/circles/eigenbasis.safetensors")
    run_script("fit_eigenbasis", Named(splits=outputs.splits), basis, Named(), Named(dataset="circles"))


def train() -> None:
    """Runs the training job in the working directory."""
    inputs = Named(
        splits="results/data/circles/splits.safetensors", eigenbasis="results/data/circles/eigenbasis.safetensors"
    )
    params = Named(
        dataset={"kind": "circles"},
        kernels={"schedules": [{"signal_left": 1e-2}]},
        network=SETTINGS,
        training=TRAINING,
        parts=1,
        seed=0,
        state="results/.training",
        source={},
    )
    wildcards = Named(dataset="circles", schedule="prp", seed="0")
    run_script("train_network", inputs, Named(network=NETWORK, curve=CURVE), params, wildcards)


def made() -> dict[str, str]:
    return {path: sha256_of(path) for path in (NETWORK, CURVE)}


@pytest.fixture
def undisturbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a training makes that nothing disturbs; the working directory has the data, and nothing of the training."""
    monkeypatch.chdir(tmp_path)
    prepare()
    train()
    expected = made()
    for folder in ("networks", ".training", "provenance/networks"):
        shutil.rmtree(f"results/{folder}")
    return expected


def script(log: str = "results/logs/x.log") -> Any:
    """A job without a body."""
    nothing = SimpleNamespace(items=list)
    return SimpleNamespace(
        rule="x", log=[log], threads=1, input=[], output=[], params=nothing, wildcards=nothing, scriptdir="."
    )


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Has this process write files of so many bytes only, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class TestOrphans:
    """A training whose driver was killed goes on; what it makes is what the next job would make."""

    def test_one_that_finishes_before_the_next_job_begins_loses_nothing(self, undisturbed):
        """Snakemake deletes the outputs of a job that was interrupted: the checkpoint is all there is."""
        train()
        Path(NETWORK).unlink()
        Path(CURVE).unlink()
        train()
        assert made() == undisturbed

    def test_one_that_finishes_while_the_next_job_imports_loses_nothing(self, undisturbed):
        train()
        sidecar_of("networks/circles/prp/seed0/training.jsonl").unlink()
        train()
        assert made() == undisturbed
        assert sidecar_of("networks/circles/prp/seed0/training.jsonl").exists()

    def test_one_that_finishes_while_the_next_job_trains_loses_nothing(self, undisturbed, monkeypatch):
        import inflationary_flows.training.fit as fitting

        whole: dict[str, bytes] = {}
        train()
        whole |= {path: Path(path).read_bytes() for path in (NETWORK, CURVE)}
        shutil.rmtree("results/networks")
        shutil.rmtree("results/.training")
        advance = fitting.advance

        def finished_meanwhile(*arguments: Any) -> float:
            for path, content in whole.items():
                with atomic_write(path) as temporary:
                    temporary.write_bytes(content)
            return advance(*arguments)

        monkeypatch.setattr(fitting, "advance", finished_meanwhile)
        train()
        assert made() == undisturbed

    def test_one_of_other_settings_leaves_alone_what_a_later_job_made(self, undisturbed, monkeypatch, capsys):
        import inflationary_flows.training.fit as fitting

        steps = "import test_job_faults as faults; faults.TRAINING['steps'] = 20; faults.train()"
        later: list[dict[str, str]] = []
        advance = fitting.advance

        def overtaken(*arguments: Any) -> float:
            if not later:
                environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
                subprocess.run([sys.executable, "-c", steps], env=environment, check=True)
                later.append(made())
            return advance(*arguments)

        monkeypatch.setattr(fitting, "advance", overtaken)
        with pytest.raises(SystemExit):
            train()
        assert "expected this job to be the last to make it, got one that began later" in capsys.readouterr().err
        assert [made()] == later
        assert later != [undisturbed]


class TestDisks:
    @pytest.mark.parametrize("limit", [0, 2000, 8000])
    def test_a_training_on_a_full_disk_ends_in_one_message_and_recovers(self, undisturbed, limit, capsys):
        with files_of_at_most(limit), pytest.raises(SystemExit) as ended:
            train()
        assert ended.value.code == 1
        message = capsys.readouterr().err
        assert "expected room for the file, got a limit on the size of files.\nHint: raise the limit" in message
        assert len(message.splitlines()) == 2, message
        assert not Path(NETWORK).exists()
        train()
        assert made() == undisturbed

    def test_a_training_that_loses_its_disk_half_way_goes_on_from_there(self, undisturbed, monkeypatch, capsys):
        from inflationary_flows.runtime.states import StateFile

        write, calls = StateFile.write, []

        def full_at_the_end(self: StateFile, tensors: Any, metadata: Any) -> None:
            calls.append(metadata["step"])
            if metadata["step"] == TRAINING["steps"]:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            write(self, tensors, metadata)

        monkeypatch.setattr("inflationary_flows.checkpoint.Checkpoint.due", lambda self: True)
        monkeypatch.setattr(StateFile, "write", full_at_the_end)
        with pytest.raises(SystemExit):
            train()
        assert (
            "state.safetensors: expected space on the disk, got none left.\nHint: make space" in capsys.readouterr().err
        )
        monkeypatch.setattr(StateFile, "write", write)
        train()
        assert "resumed at step 39 of 40" in Path("results/logs/train_network.log").read_text(encoding="utf-8")
        assert made() == undisturbed

    WRITERS: ClassVar[dict[str, Callable[[], object]]] = {
        "tensors": lambda: save_tensors("results/x.safetensors", {"x": np.zeros(9000)}),
        "a table": lambda: write_rows("results/x.csv", [{"x": 1.0}] * 9000),
        "JSON": lambda: write_json("results/x.json", list(range(9000))),
        "netCDF": lambda: save_dataset("results/x.nc", xr.Dataset({"x": ("n", np.zeros(90_000))})),
        "a figure": lambda: save_figure(Path("results/x.png")),
        "a small file, whose sidecar is larger": lambda: write_json("results/x.json", 1),
    }

    @pytest.mark.parametrize("name", WRITERS)
    def test_no_writer_traces_back_on_a_full_disk(self, tmp_path, monkeypatch, capsys, name):
        monkeypatch.chdir(tmp_path)
        with files_of_at_most(600), pytest.raises(SystemExit) as ended, job(script()):
            self.WRITERS[name]()
        assert ended.value.code == 1
        message = capsys.readouterr().err
        assert "got a limit on the size of files.\nHint: " in message
        assert "Traceback" not in message + Path("results/logs/x.log").read_text(encoding="utf-8")
        assert [path.name for path in Path("results").rglob("*") if path.is_file()] == ["x.log"]

    @pytest.mark.parametrize(
        ("number", "message"),
        [
            (errno.ENOSPC, "expected space on the disk, got none left"),
            (errno.EDQUOT, "got a quota that is used up"),
            (errno.EROFS, "expected a disk that can be written, got one that is read-only"),
            (errno.EACCES, "expected access, got permission denied"),
            (errno.EIO, "expected a disk that works"),
        ],
    )
    def test_what_a_disk_answers_is_said(self, tmp_path, monkeypatch, capsys, number, message):
        monkeypatch.chdir(tmp_path)

        def refuse(descriptor: int) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(SystemExit), job(script()):
            write_json("results/x.json", 1)
        assert message in capsys.readouterr().err

    def test_the_disk_behind_an_error_of_hdf5_is_found(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        text = "Unable to flush file's cached information (errno = 28, error message = 'No space left on device')"
        with pytest.raises(SystemExit), job(script()):
            raise RuntimeError(text)
        assert "expected space on the disk, got none left" in capsys.readouterr().err

    def test_other_errors_keep_their_traceback(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(OSError, match="Connection refused"), job(script()):
            raise OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        assert "Traceback" in Path("results/logs/x.log").read_text(encoding="utf-8")

    def test_a_log_that_cannot_be_written_ends_no_job(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "full.log").symlink_to("/dev/full")
        (tmp_path / "file").touch()
        for log in ("full.log", "file/x.log"):
            with job(script(log)) as logger:
                logger.info("a line")
                write_json("results/x.json", 1)
        assert capsys.readouterr().err == ""
        assert Path("results/x.json").exists()


def save_figure(path: Path) -> None:
    """A small picture of noise, which does not compress."""
    figure = Figure()
    figure.subplots().imshow(np.random.default_rng(0).random((64, 64)))
    with atomic_write(path) as temporary:
        figure.savefig(temporary)


class TestDevices:
    @pytest.fixture(autouse=True)
    def workstation(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A machine with two GPUs, as its driver tells, of which no process has taken any."""
        (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nprintf '0\\n1\\n'\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        for name in ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID", "TORCHELASTIC_RUN_ID", devices.DEVICE):
            # Set first, so that what a test changes is taken back.
            monkeypatch.setenv(name, "")
            monkeypatch.delenv(name)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(devices, "_TAKEN", [])

    OTHER_JOB = """
import sys, tempfile
import torch
from inflationary_flows.runtime import devices, host
tempfile.tempdir = sys.argv[1]
torch.cuda.is_available = lambda: True
devices.device_for(type("Resources", (), {"gpu": int(sys.argv[2])}))
print(host.gpus(), flush=True)
sys.stdin.read()
"""

    @contextmanager
    def other_job(self, folder: Path, gpus: int) -> Iterator[str]:
        """Another job on this machine, and the GPUs that it has."""
        command = [sys.executable, "-c", self.OTHER_JOB, str(folder), str(gpus)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
            process.communicate("")

    def test_jobs_on_one_machine_get_different_gpus(self, tmp_path, caplog):
        with self.other_job(tmp_path, 1) as first:
            assert devices.device_for(SimpleNamespace(gpu=1)) == "cuda"
            assert {first, host.gpus()} == {"0", "1"}
        assert "shares theirs" not in caplog.text
        # Asked again, a job has what it had.
        before = host.gpus()
        assert devices.device_for(SimpleNamespace(gpu=1)) == "cuda"
        assert host.gpus() == before

    def test_gpus_that_others_have_are_shared_with_a_warning(self, tmp_path, caplog):
        with self.other_job(tmp_path, 2) as first:
            assert first == "0,1"
            assert devices.device_for(SimpleNamespace(gpu=1)) == "cuda"
            assert host.gpus() == "0"
        assert "this one shares theirs" in caplog.text

    def test_a_job_that_asks_for_no_gpu_takes_none(self, tmp_path):
        assert devices.device_for(SimpleNamespace(gpu=0)) == "cpu"
        assert host.gpus() is None

    def test_a_scheduler_chooses_gpus_itself(self, monkeypatch):
        monkeypatch.setenv("SLURM_JOB_ID", "4711")
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
        assert devices.device_for(SimpleNamespace(gres="gpu:a100:1")) == "cuda"
        assert host.gpus() == "3"

    def test_only_gpus_that_the_user_lets_be_seen_are_taken(self, monkeypatch):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-b0, 7")
        assert devices.device_for(SimpleNamespace(gpu=2)) == "cuda"
        assert host.gpus() == "GPU-b0,7"

    def test_a_gpu_that_is_not_there_is_a_warning_on_a_workstation(self, monkeypatch, caplog):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        assert devices.device_for(SimpleNamespace(gpu=1)) == "cpu"
        assert "asked for 1 GPU(s), and torch finds none here: it runs on the CPU" in caplog.text

    def test_and_an_error_on_a_cluster(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.setenv("SLURM_JOB_ID", "4711")
        with pytest.raises(ConfigError, match=r"expected 2 on job 4711 on node .*, got none that torch can use"):
            devices.device_for(SimpleNamespace(gpu=2))

    def test_unless_the_user_wants_the_cpu(self, monkeypatch, caplog):
        monkeypatch.setenv("SLURM_JOB_ID", "4711")
        monkeypatch.setenv(devices.DEVICE, "cpu")
        assert devices.device_for(SimpleNamespace(gpu=2)) == "cpu"
        assert not caplog.records

    def test_a_machine_without_a_driver_has_no_gpu_and_no_limit(self, monkeypatch):
        monkeypatch.setenv("PATH", "/nowhere")
        assert host.gpu_names() == []
        assert host.limit_of_gpus(4) == 0

    @pytest.mark.parametrize(("visible", "names"), [("", []), ("-1", []), ("1", ["1"]), ("0,2", ["0", "2"])])
    def test_what_the_environment_hides_is_not_there(self, monkeypatch, visible, names):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert host.gpu_names() == names

    def test_fewer_gpus_than_jobs_ask_for_are_said(self, caplog):
        assert host.limit_of_gpus(2) == 2
        assert not caplog.records
        assert host.limit_of_gpus(4) == 2
        assert "Jobs ask for up to 4 GPUs, this machine has 2" in caplog.text


def tiny(path: Path, **training: Any) -> Path:
    """A configuration of one small flow."""
    content = {
        "datasets": {"circles": {"schedules": ["prp"], "sizes": {"train": 400, "validation": 50, "test": 50}}},
        "schedules": {"prp": {"signal_left": 1e-2}},
        "networks": {"toy": {key: value for key, value in SETTINGS.items() if key != "space"}},
        "training": {"toy": {**TRAINING, "checkpoint_seconds": 0.2, **training}},
    }
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def make_run(repository: Path, config: Path) -> tuple[int, str]:
    """`make run`, without a set-up: its programs are those of these tests."""
    variables = ["TARGETS=train", "CORES=1", f"CONFIG={config}"]
    command = ["make", "--old-file=.venv/.installed", "run", *variables]
    done = subprocess.run(
        command, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.returncode, done.stdout


def orphans(folder_of_run: Path) -> list[int]:
    """Processes that run the training of a run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cwd").resolve() == folder_of_run.resolve() and b"train_network" in (
                folder / "cmdline"
            ).read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


class TestLocksOfDrivers:
    """Snakemake's lock is taken away when it is known that nobody holds it; `make run` is asked further down."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """The folder of a run whose driver has left a lock."""
        locks = tmp_path / ".snakemake/locks"
        locks.mkdir(parents=True)
        (locks / "0.input.lock").touch()
        (locks / "0.output.lock").touch()
        return tmp_path / ".snakemake"

    def locks(self, folder: Path) -> int:
        return len(list((folder / "locks").iterdir()))

    def test_that_of_a_driver_of_this_machine_is_taken_away(self, folder, caplog):
        (folder / "drivers").write_text(host.node())
        driver.prepare(folder)
        assert self.locks(folder) == 0
        assert "The driver that locked this folder is gone" in caplog.text

    @pytest.mark.parametrize("note", [None, "", "another", f"another\n{host.node()}", f"{host.node()}:jobs"])
    @pytest.mark.parametrize("on_cluster", [False, True])
    def test_that_of_others_is_left(self, folder, note, on_cluster):
        """Of other machines, of a cluster whose jobs may go on, and of drivers from before there were notes."""
        if note is not None:
            (folder / "drivers").write_text(note)
        driver.prepare(folder, on_cluster=on_cluster)
        assert self.locks(folder) == 2
        kept = set((folder / "drivers").read_text().split())
        assert kept == {*(note or "unknown").split(), f"{host.node()}:jobs" if on_cluster else host.node()}

    def test_that_of_a_driver_that_is_alive_is_left(self, folder):
        source = (
            "import sys; from pathlib import Path; from inflationary_flows.runtime.driver import prepare;"
            "prepare(Path(sys.argv[1])); print('ready', flush=True); sys.stdin.read()"
        )
        command = [sys.executable, "-c", source, str(folder)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "ready\n"
            (folder / "drivers").write_text(host.node())
            driver.prepare(folder)
            assert self.locks(folder) == 2
            other.communicate("")

    def test_a_run_that_ended_leaves_no_note_of_other_machines(self, folder):
        (folder / "drivers").write_text("another")
        for lock in (folder / "locks").iterdir():
            lock.unlink()
        driver.prepare(folder)
        assert (folder / "drivers").read_text() == host.node()

    def test_a_folder_that_cannot_be_made_is_one_message(self, tmp_path, monkeypatch):
        def protected(self: Path, **options: Any) -> None:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

        monkeypatch.setattr(logging, "raiseExceptions", True)
        monkeypatch.setattr(Path, "mkdir", protected)
        with pytest.raises(ArtifactError, match="expected a disk that can be written, got one that is read-only"):
            driver.prepare(tmp_path / ".snakemake")


@pytest.mark.slow
class TestKilledDrivers:
    @pytest.fixture
    def repository(self, copied_repository: Path) -> Path:
        (copied_repository / ".venv").symlink_to(sys.prefix)
        return copied_repository

    @pytest.mark.long
    def test_make_run_goes_on_when_the_driver_was_killed(self, repository, tmp_path):
        config = tiny(tmp_path / "tiny.yaml", steps=2500, validate_every=500)
        # Results lie beside the configuration.
        own = tmp_path / "tiny"
        command = [sys.executable, "-m", "snakemake", "train", "--cores=1", "--configfile", str(config)]
        with open(tmp_path / "driver.txt", "w", encoding="utf-8") as output:
            process = subprocess.Popen(command, cwd=repository, stdout=output, stderr=output)
        try:
            deadline = time.monotonic() + 300
            while not list(own.glob("results/.training/*/state.safetensors")):
                assert process.poll() is None, (tmp_path / "driver.txt").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            # Another driver is alive: this one must not go on.
            code, text = make_run(repository, config)
            assert code != 0
            assert "Directory cannot be locked" in text
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        was_alive = orphans(own)
        code, text = make_run(repository, config)
        assert code == 0, text
        assert "The driver that locked this folder is gone: its lock is taken away" in text
        assert "Traceback" not in text
        assert bool(was_alive) == ("is at work on this: this job waits for it" in text) or not orphans(own)
        undisturbed = tmp_path / "undisturbed"
        assert run_workflow(undisturbed, "train", config=config, repository=repository).code == 0
        for path in (NETWORK, CURVE):
            assert sha256_of(own / path) == sha256_of(undisturbed / path)

    def test_full_and_protected_folders_end_in_one_message(self, tmp_path):
        """In a file system of its own, if this user may make one."""
        config, folder = tiny(tmp_path / "tiny.yaml"), tmp_path / "small"
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=2500k", "tmpfs", str(folder)]
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            pytest.skip("this user mounts no file systems")
        try:
            ballast = folder / "ballast"
            ballast.write_bytes(bytes(2_200_000))
            full = run_workflow(folder, "train", config=config)
            subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
            protected = run_workflow(folder, "train", config=config)
            subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
            ballast.unlink()
            last = run_workflow(folder, "data", config=config)
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        for outcome, message in (
            (full, "expected space on the disk, got none left.\nHint: make space"),
            (protected, "expected a disk that can be written, got one that is read-only.\nHint: make it writable"),
        ):
            assert outcome.code != 0
            assert outcome.text.count(message) == 1, outcome.text
            assert "Traceback" not in outcome.text
        assert last.code == 0, last.text

    def test_a_missing_place_for_temporary_files_is_replaced(self, tmp_path, monkeypatch):
        monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
        # Python looks for the place once a process.
        outcome = run_workflow(tmp_path / "run", "-n", "data", config=tiny(tmp_path / "tiny.yaml"), alone=True)
        assert outcome.code == 0, outcome.text
        assert f"{tmp_path}/nowhere has no room for temporary files: they go to" in outcome.text

    def test_trainings_of_one_machine_share_its_gpus(self, tmp_path, monkeypatch):
        """Two trainings of two GPUs each, on a machine of two: one after the other, though there are cores for both."""
        (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nprintf '0\\n1\\n'\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        config = tiny(tmp_path / "tiny.yaml", gpu=2)
        content = yaml.safe_load(config.read_text())
        content["datasets"]["circles"]["schedules"] = ["prp", "prr"]
        content["schedules"]["prr"] = {"signal_left": 1e-2, "kept_dims": 1}
        config.write_text(yaml.safe_dump(content))
        outcome = run_workflow(tmp_path / "run", "train", config=config)
        assert outcome.code == 0, outcome.text
        logs = sorted(
            (tmp_path / "run/results/logs/train_network").rglob("*.log"), key=lambda path: path.stat().st_mtime
        )
        assert "asked for 2 GPU(s), and torch finds none here" in logs[0].read_text()
        begins = [path.read_text().split(",")[0] for path in logs]
        assert len(begins) == 2
        assert time.strptime(begins[1], "%Y-%m-%d %H:%M:%S") >= time.localtime(int(logs[0].stat().st_mtime))
