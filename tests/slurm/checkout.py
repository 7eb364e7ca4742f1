"""A copy of the workflow's sources in which a test works as a user does on a cluster."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from cluster import Cluster, Entered, Job, wait_until

from inflationary_flows.files.files import sha256_of
from repository import NOT_COPIED, REPOSITORY

# The profile as it is, but for shorter waits: files of this machine's own disk appear at once.
IMPATIENT = ("--slurm-init-seconds-before-status-checks=3", "--latency-wait=5")
# A lost training has to train again within so many seconds, on a slow machine within twice the time of its first start.
RETRY_SECONDS = 60
NETWORK = "results/networks/circles/prp/seed{seed}/network.safetensors"
LOG = "results/logs/train_network/circles/prp/seed{seed}.log"


class Checkout:
    """The workflow in a folder of its own.

    Arguments:
        folder: Where to copy it, or where a copy is.
        cluster: Where it runs.
        config: Configuration file.
        beside: Whether results lie beside the configuration, as they do by default, or in the folder.
    """

    def __init__(self, folder: Path, cluster: Cluster, config: Path, beside: bool = False) -> None:
        if not folder.exists():
            shutil.copytree(REPOSITORY, folder, ignore=NOT_COPIED)
            # Its instructions name programs of .venv.
            (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
        self.folder = folder
        self.cluster = cluster
        self.config = config
        self.options = ["--configfile", str(config), *([] if beside else ["--directory", str(folder)])]
        self.output = folder / "snakemake.txt"
        # When it was last started, and how long it took until the training had kept a state.
        self.started = self.seconds_to_start = 0.0

    def copy(self, folder: Path) -> Checkout:
        """The same with all results, as another user's folder."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Checkout(folder, self.cluster, self.config)

    def snakemake(self, *arguments: str) -> list[str]:
        """A command line of this configuration."""
        return [sys.executable, "-m", "snakemake", *arguments, *self.options]

    def run_locally(self, *arguments: str) -> None:
        """Runs the workflow without the cluster, on two cores, to a good end."""
        command = self.snakemake(*arguments, "--cores=2")
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self, *arguments: str) -> Entered:
        """Starts `snakemake --profile slurm` on the cluster, in the folder of the Snakefile."""
        command = self.snakemake(*arguments, "--profile", "slurm", *IMPATIENT)
        self.started = time.monotonic()
        with open(self.output, "w", encoding="utf-8") as output:
            return self.cluster.popen(*command, cwd=self.folder, stdout=output, stderr=output)

    def finish(self, driver: Entered, seconds: float = 600) -> None:
        """Waits for a run that has to end well."""
        assert driver.wait(seconds) == 0, self.text()

    def text(self) -> str:
        """What the run said."""
        return self.output.read_text()

    def jobs(self) -> list[Job]:
        """Jobs of the cluster that belong to the runs of this folder."""
        names = set(re.findall(r"SLURM run ID: (\S+)", self.text()))
        return [job for job in self.cluster.jobs() if job.name in names]

    def log(self, seed: int = 0) -> str:
        """The log of a training, as far as there is one."""
        with suppress(FileNotFoundError):
            return (self.folder / LOG.format(seed=seed)).read_text()
        return ""

    def step(self, seed: int = 0) -> int:
        """The last step that a training reported."""
        return max(map(int, re.findall(r"step (\d+) of", self.log(seed))), default=0)

    def network(self, seed: int = 0) -> str:
        """The sha256 of a trained network."""
        return sha256_of(self.folder / NETWORK.format(seed=seed))

    def state(self) -> Path | None:
        """The state that the training keeps, if it has yet."""
        return next(self.folder.glob("results/.training/*/state.safetensors"), None)

    def wait_for_progress(self, steps: int = 1, seconds: float = 240) -> Job:
        """Waits until the training has kept a state and gone on; gives its job."""
        previous = "results/.training/*/state.previous.safetensors"

        def goes_on() -> bool:
            return any(self.folder.glob(previous)) and self.step() >= steps

        wait_until(goes_on, seconds, "the training keeps its state")
        self.seconds_to_start = time.monotonic() - self.started
        return next(job for job in self.jobs() if job.state == "RUNNING")

    def training_process(self, job: Job) -> int:
        """The process of a job that trains, by its id inside of the cluster."""
        found = [
            process
            for process in self.cluster.processes(job.nodes[0], job.id)
            if ".train_network.py" in self.cluster.run("cat", f"/proc/{process}/cmdline", check=False).stdout
        ]
        # Shells and srun have the script's name among their arguments, too; the training is their last descendant.
        return found[-1]

    @contextmanager
    def slowed(self, job: Job) -> Iterator[None]:
        """Lets the training of a job run only a tenth of the time, as on an overloaded machine."""
        process = self.training_process(job)
        loop = f"while kill -STOP {process} && sleep 0.9 && kill -CONT {process} && sleep 0.1; do :; done"
        brake = self.cluster.popen("sh", "-c", loop, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            brake.terminate()
            brake.wait()
            self.cluster.run("kill", "-CONT", str(process), check=False)


def resumed(log: str) -> tuple[int, datetime]:
    """Where and when a training went on, by its log."""
    found = re.search(r"^(\S+ \S+),\d+ INFO resumed at step (\d+) of", log, re.MULTILINE)
    assert found is not None, log
    return int(found[2]), datetime.fromisoformat(found[1])


def now() -> datetime:
    """The time, in whole seconds, as logs have it."""
    return datetime.fromtimestamp(int(time.time()))


def options(**settings: Any) -> list[str]:
    """Command line that changes settings of the one training."""
    text = ", ".join(f"{key}: {value}" for key, value in settings.items())
    return ["--config", f"training={{toy: {{{text}}}}}"]


def assert_recovered(
    checkout: Checkout, undisturbed: str, disturbed_at: datetime, record: Callable[[str, object], None], why: str
) -> int:
    """The network is that of a run never disturbed, and little time was lost; gives the step that was resumed at."""
    step, at = resumed(checkout.log())
    lost = (at - disturbed_at).total_seconds()
    record("seconds until training went on", lost)
    print(f"{why}: resumed at step {step} after {lost:.0f} s")
    assert checkout.network() == undisturbed
    assert step > 0
    assert lost < max(RETRY_SECONDS, 2 * checkout.seconds_to_start)
    return step
