"""A real SLURM on one machine, emulated as a cluster of several nodes with fake GPUs.

Everything lives in namespaces of its own: processes, mounts, network, host name. Process 1 in there is the anchor,
which only reaps orphans; killing it ends every process of the cluster, and nothing of the host is touched. All nodes
are this machine, each one a slurmd on its own port of a loopback that leads nowhere else. GPUs are copies of /dev/null,
enough for SLURM to allocate them. There is no accounting database: `squeue` and `scontrol` know the jobs.

By hand: `python tests/slurm/cluster.py up`, then `... shell snakemake --profile slurm`, then `... down`.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from operator import mul
from pathlib import Path
from typing import Any

# Its GPUs only have the names of some: jobs that ask for them compute on the CPU.
os.environ.setdefault("INFLATIONARY_FLOWS_DEVICE", "cpu")

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge", "iproute2", "util-linux")
# Where the packages put the daemons, which the PATH of a shell may lack.
MUNGED, SLURMCTLD, SLURMD = "/usr/sbin/munged", "/usr/sbin/slurmctld", "/usr/sbin/slurmd"
PROGRAMS = (MUNGED, SLURMCTLD, SLURMD, "sbatch", "ip", "nsenter", "setpriv", "unshare")
UNSHARE = ["unshare", "--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "--mount-proc", "--kill-child"]
# What starts ends with the process that started it.
WITH_PARENT = ["setpriv", "--pdeathsig", "KILL"]
# Inside, /run is a fresh tmpfs: its short paths keep SLURM's sockets below the 108 bytes a socket's path may have.
RUN = "/run/slurm"

SLURM_CONF = f"""\
ClusterName=emulated
SlurmctldHost=emulated(127.0.0.1)
SlurmUser=root
AuthInfo=socket={RUN}/munge.socket
StateSaveLocation={RUN}/controller
SlurmdSpoolDir={RUN}/spool/%n
SlurmctldPidFile={RUN}/slurmctld.pid
SlurmdPidFile={RUN}/%n.pid
SlurmctldLogFile={RUN}/log/slurmctld.log
SlurmdLogFile={RUN}/log/%n.log

# No accounting, cgroups or MPI; a node has what is written here, not what the machine has.
AccountingStorageType=accounting_storage/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmdParameters=config_overrides

# Cores, memory and GPUs are allocated; jobs start at once.
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
DefMemPerCPU=1000
EnforcePartLimits=ALL
# Jobs of the urgent partitions take nodes away from others.
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1

# A dead node is noticed within 20 s (two pings that each wait MessageTimeout, then a look at SlurmdTimeout) and is
# welcome again as soon as it registers. Ended jobs stay known.
SlurmdTimeout=10
MessageTimeout=5
ReturnToService=2
MinJobAge=3600
"""


class ClusterError(RuntimeError):
    """The cluster cannot do what was asked; the message says why."""


@dataclass(frozen=True)
class Job:
    """A job as the controller knows it; `gpus` are those it holds now, as "node:index" (an ended job holds none)."""

    id: int
    name: str
    comment: str
    state: str
    reason: str
    partition: str
    nodes: tuple[str, ...]
    gpus: tuple[str, ...]
    start: datetime | None
    end: datetime | None
    cpus: int
    memory_mb: float
    time_limit_minutes: float | None
    exit_code: str

    @classmethod
    def parse(cls, line: str) -> Job:
        """Reads one line of `scontrol --oneliner --details show jobs`."""
        # Name and comment may hold anything: they are taken out before the other fields are looked for.
        head, name, rest = re.split(r" JobName=(.*?)(?= UserId=)", line, maxsplit=1)
        body, comment, tail = re.split(r" Comment=(.*)(?= StdErr=)", rest) if " Comment=" in rest else (rest, "", "")
        # Of repeated fields the first counts: the job's own stand before those of its nodes.
        field = dict(reversed(re.findall(r"(\w+)=(\S*)", head + body + tail)))
        held = re.findall(r" Nodes=(\S+) CPU_IDs=\S* Mem=\d+ GRES=gpu:[^(]*\(IDX:([\d,-]+)\)", body)
        memory = re.search(r"mem=([\d.]+)([KMGT])", field["TRES"])
        # Days-hours:minutes:seconds or UNLIMITED.
        limit = [int(part) for part in reversed(re.findall(r"\d+", field["TimeLimit"]))]
        # For what has not happened yet, SLURM shows the time when it expects it.
        started = field["JobState"] != "PENDING"
        ended = field["JobState"] not in {"PENDING", "CONFIGURING", "RUNNING", "SUSPENDED"}
        return cls(
            id=int(field["JobId"]),
            name=name,
            comment=comment.strip(),
            state=field["JobState"],
            reason=field["Reason"],
            partition=field["Partition"],
            nodes=expand(field["NodeList"].replace("(null)", "")),
            gpus=tuple(f"{node}:{gpu}" for nodes, ids in held for node in expand(nodes) for gpu in expand(f"[{ids}]")),
            start=datetime.fromisoformat(field["StartTime"]) if started else None,
            end=datetime.fromisoformat(field["EndTime"]) if ended else None,
            cpus=int(field["NumCPUs"].split("-")[0]),
            memory_mb=float(memory[1]) * 1024.0 ** ("KMGT".index(memory[2]) - 1) if memory else 0.0,
            time_limit_minutes=sum(map(mul, limit, (1 / 60, 1, 60, 1440))) if limit else None,
            exit_code=field["ExitCode"],
        )


class Process:
    """A process below some /proc; `started` tells it from a later one with the same id."""

    def __init__(self, id: int, proc: Path = Path("/proc")) -> None:
        self.id = id
        self.folder = proc / str(id)
        # The name stands in brackets and may hold anything, brackets too.
        self.name, fields = (self.folder / "stat").read_text().split(" (", 1)[1].rsplit(") ", 1)
        self.state, parent = fields.split()[:2]
        self.parent, self.started = int(parent), int(fields.split()[19])

    def environment(self) -> set[bytes]:
        """The NAME=value pairs it was started with."""
        with contextlib.suppress(OSError):
            return set((self.folder / "environ").read_bytes().split(b"\0"))
        return set()

    def open_files(self) -> set[str]:
        """Paths of the files it holds open."""
        with contextlib.suppress(OSError):
            return {os.readlink(entry) for entry in (self.folder / "fd").iterdir()}
        return set()


class Entered(subprocess.Popen[Any]):
    """A command inside. Signals go to the command itself, since nsenter, its parent, does not hand them on."""

    def send_signal(self, sig: int) -> None:
        """Sends a signal to the command."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill((*children(self.pid), self.pid)[0], sig)


def obstacle() -> str | None:
    """Says in one sentence why the cluster cannot run here, or None when it can."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "The emulated cluster needs Linux and root."
    missing = missing_programs()
    if "unshare" in missing:
        return "The emulated cluster needs unshare (of util-linux), which is not installed."
    probe = [*UNSHARE, "sh", "-c", "mount -t tmpfs tmpfs /run && mknod /run/gpu0 c 1 3"]
    tried = subprocess.run(probe, capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        return f"The emulated cluster needs namespaces, mounts and device files: {last_line(tried.stderr)}"
    if missing and shutil.which("apt-get") is None:
        return f"The emulated cluster needs {', '.join(missing)}, and there is no apt-get to install them."
    return None


def install() -> None:
    """Installs the Debian packages that are missing, without starting their daemons on the host."""
    # Two test processes may come here at once.
    with open(Path(tempfile.gettempdir(), "emulated-slurm.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not missing_programs():
            return
        policy = Path("/usr/sbin/policy-rc.d")
        made = not policy.exists()
        if made:
            policy.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
            policy.chmod(0o755)
        try:
            for action in ("update", f"install --yes --no-install-recommends {' '.join(PACKAGES)}"):
                command = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120", *action.split()]
                environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
                done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
                if done.returncode != 0:
                    raise ClusterError(f"apt-get {action} failed: {last_line(done.stderr)}")
        finally:
            if made:
                policy.unlink()
        if missing := missing_programs():
            raise ClusterError(f"The packages were installed, yet {', '.join(missing)} cannot be found.")


class Cluster:
    """An emulated SLURM with the partitions `cpu` (the default) and `gpu`; as a context manager it starts and stops.

    The partitions `urgent_cpu` and `urgent_gpu` have the same nodes, and their jobs preempt others.

    Arguments:
        state: Folder of its logs, its configuration and the record by which other processes find it.
        gpu_nodes: Number of nodes gpu1, gpu2, ...
        gpus: Number of GPUs of each of them.
        cpu_nodes: Number of nodes cpu1, cpu2, ...
        cpus: Number of CPUs of every node; they need not exist.
        memory_mb: Memory of every node; it need not exist.
        kill_wait: Seconds from SIGTERM to SIGKILL for a job that is cancelled or out of time.
    """

    def __init__(
        self,
        state: Path,
        *,
        gpu_nodes: int = 2,
        gpus: int = 2,
        cpu_nodes: int = 1,
        cpus: int = 8,
        memory_mb: int = 64000,
        kill_wait: int = 10,
    ) -> None:
        self.state = Path(state).absolute()
        self.gpus = gpus
        self.groups = {"cpu": cpu_nodes, "gpu": gpu_nodes}
        self.node_size = f"CPUs={cpus} RealMemory={memory_mb}"
        self.kill_wait = kill_wait
        self._unshare: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Cluster:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, *, outlive: bool = False) -> None:
        """Starts the cluster and waits until all nodes are idle.

        Arguments:
            outlive: Whether it goes on when the thread that started it has ended; otherwise it ends then at the latest.
        """
        if self.is_running():
            raise ClusterError(f"A cluster with the state folder {self.state} runs already: stop it first.")
        self._write_configuration()
        anchor = [sys.executable, "-I", str(Path(__file__).resolve()), "anchor", str(self.state), str(self.gpus)]
        errors = self.state / "log/anchor.log"
        try:
            with open(errors, "w", encoding="utf-8") as log:
                self._unshare = subprocess.Popen(
                    [*([] if outlive else WITH_PARENT), *UNSHARE, *anchor],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    cwd="/",
                    start_new_session=True,
                )
            assert self._unshare.stdout is not None
            with self._unshare.stdout as ready:
                if ready.readline() != b"ready\n":
                    raise ClusterError(f"The namespaces could not be made: {last_line(errors.read_text())}")
            process = Process(children(self._unshare.pid)[0])
            (self.state / "anchor").write_text(f"{process.id} {process.started}\n")
            files = [f"--{kind}-file={RUN}/munge.{kind}" for kind in ("key", "pid", "log", "seed")]
            self.run(MUNGED, f"--socket={RUN}/munge.socket", *files)
            self.run(SLURMCTLD)
            names = [f"{group}{number}" for group, count in self.groups.items() for number in range(1, count + 1)]
            for name in names:
                self.run(SLURMD, "-N", name)
            wait_until(lambda: self.nodes() == dict.fromkeys(names, "idle"), 30, "all nodes are idle")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends every process of the cluster, also from another process than the one that started it."""
        with contextlib.suppress(ClusterError, ProcessLookupError):
            os.kill(self._anchor(), signal.SIGKILL)
        # The kernel ends all other processes of the namespace before the anchor is gone.
        wait_until(lambda: not self.is_running(), 30, "all processes have ended")
        (self.state / "anchor").unlink(missing_ok=True)
        if self._unshare is not None:
            self._unshare.kill()
            self._unshare.wait()
            self._unshare = None

    def is_running(self) -> bool:
        """Whether the cluster has been started and not stopped, by whichever process."""
        try:
            self._anchor()
        except ClusterError:
            return False
        return True

    def command(self, *arguments: str, cwd: str | Path | None = None) -> list[str]:
        """The argument list that runs something inside, in the caller's working directory or another one."""
        enter = ["nsenter", f"--target={self._anchor()}", "--net", "--mount", "--pid", "--uts", "--ipc"]
        # SLURM shall read what is in /etc/slurm, and nothing else.
        within = [f"--wdns={Path(cwd or '.').absolute()}", *WITH_PARENT, "env", "--unset=SLURM_CONF"]
        return [*enter, *within, *arguments]

    def run(
        self, *arguments: str, check: bool = True, cwd: str | Path | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command inside to its end; options are those of subprocess.run, and output is captured."""
        if not {"stdout", "stderr"} & set(options):
            options["capture_output"] = True
        done = subprocess.run(self.command(*arguments, cwd=cwd), text=True, check=False, **options)
        if check and done.returncode != 0:
            output = f"{done.stdout or ''}{done.stderr or ''}".strip()
            raise ClusterError(f"{' '.join(arguments)} ended with {done.returncode}: {output}")
        return done

    def popen(self, *arguments: str, cwd: str | Path | None = None, **options: Any) -> Entered:
        """Starts a command inside; options are those of subprocess.Popen, and signals reach the command itself."""
        return Entered(self.command(*arguments, cwd=cwd), **options)

    def nodes(self) -> dict[str, str]:
        """State of every node, as sinfo says it; an asterisk means that it does not respond."""
        lines = self.run("sinfo", "--Node", "--noheader", "--format=%N %T").stdout.splitlines()
        return dict(line.split() for line in lines)

    def jobs(self) -> list[Job]:
        """All jobs since the start, ended ones too."""
        text = self.run("scontrol", "--oneliner", "--details", "show", "jobs").stdout
        return [Job.parse(line) for line in text.splitlines() if line.startswith("JobId=")]

    def processes(self, node: str, job: int | None = None) -> list[int]:
        """Processes of the jobs on a node, or of one job, by their ids inside; the batch script is one of them."""
        marks = {f"SLURMD_NODENAME={node}".encode()} | (set() if job is None else {f"SLURM_JOB_ID={job}".encode()})
        found: set[int] = set()
        # SLURM marks the environment; a child, always younger than its parent, belongs to the job even without marks.
        for process in sorted(self._inside(), key=lambda process: (process.started, process.id)):
            if process.parent in found or marks <= process.environment():
                found.add(process.id)
        return sorted(found)

    def kill_node(self, name: str) -> None:
        """Crashes a node: its slurmd, its slurmstepds and all processes of its jobs die at once."""
        self._freeze(name)
        while doomed := [*self.processes(name), *(process.id for process in self._daemons(name))]:
            self._signal("KILL", doomed)

    def partition_node(self, name: str) -> None:
        """Cuts a node off from the controller, which loses it, while the processes of its jobs go on as orphans."""
        # A slurmstepd stays, stopped: it neither reports nor obeys, yet does not break the pipes of its job's output.
        self._freeze(name)
        self._signal("KILL", [process.id for process in self._daemons(name) if process.name == "slurmd"])

    def start_node(self, name: str) -> None:
        """Boots a node that failed; what still runs on it ends first."""
        self.kill_node(name)
        self.run("rm", "-rf", f"{RUN}/spool/{name}")
        self.run(SLURMD, "-N", name)

    def _anchor(self) -> int:
        """Process 1 of the cluster, by its id outside."""
        with contextlib.suppress(OSError, ValueError):
            pid, started = map(int, (self.state / "anchor").read_text().split())
            process = Process(pid)
            if process.started == started and process.state not in "ZX":
                return pid
        raise ClusterError(f"No cluster with the state folder {self.state} runs.")

    def _inside(self) -> list[Process]:
        """The living processes inside, by their ids inside."""
        proc = Path(f"/proc/{self._anchor()}/root/proc")
        found = []
        for folder in proc.glob("[0-9]*"):
            with contextlib.suppress(OSError):
                found.append(Process(int(folder.name), proc))
        return [process for process in found if process.state not in "ZX"]

    def _daemons(self, node: str) -> list[Process]:
        """The slurmd of a node and its slurmstepds, known by the log that they hold open."""
        daemons = [process for process in self._inside() if process.name in {"slurmd", "slurmstepd"}]
        return [process for process in daemons if f"{RUN}/log/{node}.log" in process.open_files()]

    def _freeze(self, node: str) -> None:
        """Stops the daemons of a node, so that none reports what happens to the others."""
        if node not in self.nodes():
            raise ClusterError(f"No node is called {node}: the nodes are {', '.join(self.nodes())}.")
        while running := [process.id for process in self._daemons(node) if process.state != "T"]:
            self._signal("STOP", running)

    def _signal(self, name: str, processes: list[int]) -> None:
        """Sends a signal to processes inside, some of which may have ended."""
        self.run("sh", "-c", f"kill -{name} {' '.join(map(str, processes))}", check=False)

    def _write_configuration(self) -> None:
        """Writes the files that appear as /etc/hosts and /etc/slurm inside."""
        for folder in ("log", "slurm"):
            shutil.rmtree(self.state / folder, ignore_errors=True)
            (self.state / folder).mkdir(parents=True)
        (self.state / "hosts").write_text("127.0.0.1 localhost emulated\n")
        lines = [f"{SLURM_CONF}KillWait={self.kill_wait}"]
        first_port = 7001
        for group, count in self.groups.items():
            if count == 0:
                continue
            names, ports = f"{group}[1-{count}]", f"[{first_port}-{first_port + count - 1}]"
            first_port += count
            gres = f"Gres=gpu:emulated:{self.gpus}" if group == "gpu" else ""
            lines.append(
                f"NodeName={names} NodeHostname=emulated NodeAddr=127.0.0.1 Port={ports} {self.node_size} {gres}"
            )
            default = "YES" if group == "cpu" else "NO"
            lines.append(f"PartitionName={group} Nodes={names} Default={default} DefaultTime=10 MaxTime=1-0")
            lines.append(f"PartitionName=urgent_{group} Nodes={names} PriorityTier=10 DefaultTime=10 MaxTime=1-0")
        (self.state / "slurm/slurm.conf").write_text("\n".join(lines) + "\n")
        devices = f"NodeName=gpu[1-{self.groups['gpu']}] Name=gpu Type=emulated File={RUN}/device[0-{self.gpus - 1}]\n"
        (self.state / "slurm/gres.conf").write_text(devices if self.groups["gpu"] else "")
        (self.state / "slurm/cgroup.conf").write_text("CgroupAutomount=no\n")


def be_anchor(state: Path, gpus: int) -> None:
    """Process 1: furnishes the namespaces, then reaps orphans for ever."""
    socket.sethostname("emulated")
    binds = (("slurm", "/etc/slurm"), ("hosts", "/etc/hosts"), ("log", f"{RUN}/log"))
    for command in (
        ["ip", "link", "set", "lo", "up"],
        # SLURM's getaddrinfo finds nothing without an IPv4 address besides 127.0.0.1; this one satisfies it.
        ["ip", "address", "add", "127.0.0.2/8", "dev", "lo"],
        ["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"],
        ["mkdir", "-p", f"{RUN}/log", f"{RUN}/controller", f"{RUN}/spool"],
        *(["mount", "--bind", str(state / source), target] for source, target in binds),
    ):
        subprocess.run(command, check=True)
    for index in range(gpus):
        os.mknod(f"{RUN}/device{index}", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    key = Path(RUN, "munge.key")
    key.touch(0o600)
    key.write_bytes(os.urandom(128))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    print("ready", flush=True)
    while True:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        signal.sigwait({signal.SIGCHLD})


def missing_programs() -> list[str]:
    """The needed programs that are not installed."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


def last_line(text: str) -> str:
    """The last line of a program's output, where it usually says what went wrong."""
    return (text.strip().splitlines() or ["it said nothing"])[-1]


def children(process: int) -> list[int]:
    """The child processes of a process without threads."""
    return [
        int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text(encoding="utf-8").split()
    ]


def expand(text: str) -> tuple[str, ...]:
    """Expands a list as SLURM writes it, such as "cpu1,gpu[1-2]"."""
    names = []
    for prefix, group in re.findall(r"([^,\[\]]*)(?:\[([\d,-]+)\])?", text):
        for part in group.split(","):
            first, _, last = part.partition("-")
            names += [f"{prefix}{number}" for number in range(int(first), int(last or first) + 1)] if part else [prefix]
    return tuple(name for name in names if name)


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Waits until a condition holds, at most so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise ClusterError(f"Expected within {seconds} s that {what}.")
        time.sleep(0.05)


def shell(cluster: Cluster, command: list[str]) -> int:
    """Runs a command inside, or an interactive shell, and returns how it ended."""
    if not command:
        return subprocess.call(cluster.command(os.environ.get("SHELL", "bash")))
    # In a session of its own the command gets Ctrl-C from here, once, and may take its time to end.
    process = cluster.popen(*command, start_new_session=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: process.send_signal(received))
    code = process.wait()
    return code if code >= 0 else 128 - code


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Runs a real SLURM on this machine as an emulated cluster.")
    state = argparse.ArgumentParser(add_help=False)
    default = Path(tempfile.gettempdir(), "emulated-slurm")
    state.add_argument("--state", type=Path, default=default, help="folder of the cluster (default: %(default)s)")
    actions = parser.add_subparsers(dest="action", required=True)
    for action, text in {
        "up": "install what is missing and start the cluster",
        "down": "end every process of the cluster",
        "status": "show nodes and jobs",
        "shell": "run a command inside, or a shell",
        "kill-node": "crash a node",
        "partition-node": "cut a node off from the controller",
        "start-node": "boot a node that failed",
    }.items():
        chosen = actions.add_parser(action, help=text, description=text.capitalize() + ".", parents=[state])
        if action == "shell":
            chosen.add_argument("command", nargs=argparse.REMAINDER, help="command and its arguments")
        elif action.endswith("-node"):
            chosen.add_argument("node", help="for example gpu1")
    options = parser.parse_args()
    cluster = Cluster(options.state)
    try:
        if options.action == "up":
            if reason := obstacle():
                raise ClusterError(reason)
            install()
            cluster.start(outlive=True)
        elif options.action == "down":
            cluster.stop()
        elif options.action == "status":
            print(cluster.run("sinfo", "--Node", "--long").stdout + cluster.run("squeue").stdout, end="")
        elif options.action == "shell":
            return shell(cluster, options.command)
        else:
            getattr(cluster, options.action.replace("-", "_"))(options.node)
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["anchor"]:
        be_anchor(Path(sys.argv[2]), int(sys.argv[3]))
    sys.exit(main())
