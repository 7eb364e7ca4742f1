"""The emulated cluster itself: does it do to jobs what a real one does, and does it leave the host alone?"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import Cluster, Job, install, wait_until


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    install()
    # A path too long for a socket, as pytest's sometimes are.
    with Cluster(tmp_path_factory.mktemp("state") / ("long" * 30), kill_wait=2) as cluster:
        yield cluster


def submit(cluster: Cluster, script: str, *options: str) -> int:
    done = cluster.run("sbatch", "--parsable", "--no-requeue", "--output=/dev/null", *options, f"--wrap={script}")
    return int(done.stdout)


def job(cluster: Cluster, number: int) -> Job:
    return next(job for job in cluster.jobs() if job.id == number)


def wait_for(cluster: Cluster, number: int, *states: str, seconds: float = 20) -> Job:
    wait_until(lambda: job(cluster, number).state in states, seconds, f"job {number} is one of {states}")
    return job(cluster, number)


def processes_with(text: str) -> list[str]:
    """Command lines of the machine that hold a text."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return [line for line in lines if text in line]


def test_gpu_jobs_on_one_node_get_different_gpus_and_cpu_jobs_none(cluster: Cluster, tmp_path: Path):
    on_gpu = ["--partition=gpu", "--gpus=1", "--nodelist=gpu1", "--comment=two words=1"]
    script = f"echo ${{CUDA_VISIBLE_DEVICES-none}} > {tmp_path}/$SLURM_JOB_ID; sleep 60"
    jobs = [submit(cluster, script, *on_gpu), submit(cluster, script, *on_gpu), submit(cluster, script)]
    wait_until(lambda: all((tmp_path / str(number)).exists() for number in jobs), 20, "all jobs have begun")
    first, second, third = (wait_for(cluster, number, "RUNNING") for number in jobs)
    assert (first.gpus, second.gpus, third.gpus) == (("gpu1:0",), ("gpu1:1",), ())
    assert [(tmp_path / str(number)).read_text().strip() for number in jobs] == ["0", "1", "none"]
    assert (first.nodes, third.nodes, third.partition) == (("gpu1",), ("cpu1",), "cpu")
    assert (first.comment, first.cpus, first.memory_mb, first.time_limit_minutes) == ("two words=1", 1, 1000, 10)
    assert len(cluster.processes("gpu1")) == 4
    assert len(cluster.processes("gpu1", second.id)) == 2
    cluster.run("scancel", *map(str, jobs))
    assert [wait_for(cluster, number, "CANCELLED").end is not None for number in jobs] == [True] * 3


def test_gpu_job_waits_until_a_gpu_is_free(cluster: Cluster):
    jobs = [submit(cluster, "sleep 60", "--partition=gpu", "--gpus=2") for _ in range(3)]
    holders = [wait_for(cluster, number, "RUNNING") for number in jobs[:2]]
    assert {gpu for holder in holders for gpu in holder.gpus} == {"gpu1:0", "gpu1:1", "gpu2:0", "gpu2:1"}
    assert job(cluster, jobs[2]).state == "PENDING"
    cluster.run("scancel", str(jobs[0]))
    assert wait_for(cluster, jobs[2], "RUNNING").gpus == holders[0].gpus
    cluster.run("scancel", *map(str, jobs[1:]))


def test_job_has_no_network_but_its_own_loopback(cluster: Cluster, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        connect = f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 5)"
        assert subprocess.run([sys.executable, "-c", connect], check=False).returncode == 0
        script = f'tail -n +3 /proc/net/dev > {tmp_path}/devices; {sys.executable} -c "{connect}" 2> {tmp_path}/error'
        assert wait_for(cluster, submit(cluster, script), "COMPLETED", "FAILED").exit_code == "1:0"
    assert [line.split(":")[0].strip() for line in (tmp_path / "devices").read_text().splitlines()] == ["lo"]
    assert "ConnectionRefusedError" in (tmp_path / "error").read_text()


def test_scancel_sends_term_and_then_kill(cluster: Cluster, tmp_path: Path):
    script = f"trap 'touch {tmp_path}/asked' TERM; touch {tmp_path}/begun; while :; do sleep 0.1; done"
    number = submit(cluster, script)
    wait_until((tmp_path / "begun").exists, 20, "the job has begun")
    cluster.run("scancel", str(number))
    wait_until((tmp_path / "asked").exists, 20, "the job got SIGTERM")
    assert len(cluster.processes("cpu1", number)) > 0
    wait_until(lambda: not cluster.processes("cpu1", number), 20, "the job got SIGKILL")


def test_signals_reach_the_command_inside(cluster: Cluster, tmp_path: Path):
    script = "trap 'exit 3' USR1; pwd; while :; do sleep 0.1; done"
    for number, code in ((signal.SIGUSR1, 3), (signal.SIGKILL, -signal.SIGKILL)):
        with cluster.popen("sh", "-c", script, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == f"{tmp_path}\n"
            process.send_signal(number)
            assert process.wait(10) == code


def test_failed_nodes_lose_their_jobs_and_come_back(cluster: Cluster, tmp_path: Path):
    # Two failures at once, since it takes SLURM a while to notice.
    write = (
        "while date >> {0}/plain; do sleep 0.1; done & srun sh -c 'while date; do date >> {0}/step; sleep 0.1; done'"
    )
    commands = {"gpu1": "sleep 300", "gpu2": write.format(tmp_path)}
    jobs = {
        node: submit(cluster, commands[node], "--partition=gpu", "--gpus=1", f"--nodelist={node}") for node in commands
    }
    wait_until(lambda: (tmp_path / "step").exists() and cluster.processes("gpu1"), 20, "both jobs have begun")
    cluster.kill_node("gpu1")
    assert cluster.processes("gpu1") == []
    cluster.partition_node("gpu2")
    failed = [wait_for(cluster, number, "NODE_FAIL", seconds=40) for number in jobs.values()]
    assert [job.nodes for job in failed] == [("gpu1",), ("gpu2",)]
    assert cluster.nodes() == {"cpu1": "idle", "gpu1": "down*", "gpu2": "down*"}

    sizes = [(tmp_path / name).stat().st_size for name in ("plain", "step")]
    assert len(cluster.processes("gpu2", jobs["gpu2"])) > 0
    time.sleep(0.5)
    assert all((tmp_path / name).stat().st_size > size for name, size in zip(("plain", "step"), sizes, strict=True))

    for node in jobs:
        cluster.start_node(node)
    wait_until(lambda: set(cluster.nodes().values()) == {"idle"}, 20, "the nodes are back")
    assert cluster.processes("gpu2") == []
    again = [submit(cluster, "exit 0", "--partition=gpu", "--gpus=2", f"--nodelist={node}") for node in jobs]
    assert [wait_for(cluster, number, "COMPLETED").nodes for number in again] == [("gpu1",), ("gpu2",)]


def test_stop_leaves_no_process_and_the_host_as_it_was(tmp_path: Path):
    def host() -> tuple[object, ...]:
        files = sorted(Path("/etc/slurm").rglob("*"))
        return (
            files,
            Path("/etc/hosts").read_bytes(),
            socket.gethostname(),
            Path("/proc/self/mountinfo").read_text(encoding="utf-8"),
        )

    install()
    before = host()
    mark = f"{tmp_path}/ever"
    cluster = Cluster(tmp_path, gpu_nodes=1, gpus=1, kill_wait=60)
    cluster.start()
    number = submit(cluster, f"trap '' TERM; setsid tail -f /dev/null {mark} & while :; do sleep 1; done")
    wait_until(lambda: processes_with(mark), 20, "the job has begun")
    cluster.partition_node("cpu1")
    assert len(cluster.processes("cpu1", number)) > 0
    assert host() == before
    # From another process than the one that started it.
    command_line = [sys.executable, str(Path(__file__).with_name("cluster.py"))]
    subprocess.run([*command_line, "down", f"--state={tmp_path}"], check=True)
    assert not cluster.is_running()
    assert processes_with(str(tmp_path)) == []
    assert host() == before
    cluster.stop()


def test_cluster_ends_with_the_process_that_started_it(tmp_path: Path):
    install()
    program = f"import cluster, time; cluster.Cluster('{tmp_path}', gpu_nodes=0).start(); print('up'); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-u", "-c", program], cwd=Path(__file__).parent, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout.readline() == "up\n"
        assert Cluster(tmp_path).nodes() == {"cpu1": "idle"}
        starter.kill()
    wait_until(lambda: not processes_with(str(tmp_path)), 10, "the cluster has ended")
