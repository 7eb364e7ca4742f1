"""One small run under telling names: what its bundle says of them, and what is stale when Snakemake forgets it."""

from __future__ import annotations

import getpass
import http.server
import io
import os
import re
import shutil
import socket
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from conftest import run_workflow
from inflationary_flows.audit.__main__ import main as audit
from repository import NOT_COPIED, REPOSITORY

# A folder, a token in an address, a job of a cluster and its node.
TELLING = ("secret-project-k7", "token-abc123", "424242", "node-secret", "vault-of-jane")
NETWORK = "results/networks/circles/prp/seed0/network.safetensors"
TARGETS = (NETWORK, "results/data/birds/splits.json", "results/data/wine/splits.json")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder on this machine."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()


def zip_birds(path: Path) -> None:
    chance = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(10):
            content = io.BytesIO()
            Image.fromarray(chance.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(content, "PNG")
            archive.writestr(f"birds/{number}.png", content.getvalue())


def write_configuration(path: Path, address: str, table: str) -> None:
    sizes = {"train": 60, "validation": 20, "test": 20}
    url = f"http://{address}/birds.zip?key=token-abc123#token-abc123"
    content = {
        "datasets": {
            "circles": {"schedules": ["prp"], "sizes": sizes},
            "birds": {
                "kind": "image_folder",
                "resolution": 4,
                "download": [{"url": url, "checksum": "record"}],
                "schedules": ["prp"],
            },
            "wine": {"kind": "csv", "path": table, "schedules": ["prp"]},
        },
        "schedules": {"prp": {"signal_left": 1e-2}},
        "networks": {"toy": {"kind": "mlp", "width": 4, "blocks": 1, "frequencies": 4}},
        "training": {"toy": {"steps": 2, "batch_size": 8, "warmup_steps": 1, "validate_every": 1}},
        "seeds": [0],
    }
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished and bundled run, below a folder with a telling name and within a job of SLURM."""
    base = tmp_path_factory.mktemp("private") / "secret-project-k7"
    (base / "vault-of-jane").mkdir(parents=True)
    rows = np.random.default_rng(0).normal(size=(40, 2))
    np.savetxt(base / "vault-of-jane/wine.csv", rows, delimiter=",", header="a,b", comments="")
    zip_birds(base / "birds.zip")
    # A repository whose own configurations say too much.
    repository = Path(shutil.copytree(REPOSITORY, base / "repository", ignore=NOT_COPIED))
    directory = base / "run"
    directory.mkdir()
    configuration = repository / "configs/mine.yaml"
    with pytest.MonkeyPatch.context() as patch, served(base) as address:
        patch.setenv("SLURM_JOB_ID", "424242")
        patch.setenv("SLURMD_NODENAME", "node-secret")
        write_configuration(configuration, address, "x/../../vault-of-jane/wine.csv")
        (directory / "x").mkdir()
        shutil.copy(configuration, repository / "config.yaml")
        for targets in (TARGETS, ("bundle",)):
            outcome = run_workflow(directory, *targets, config=configuration, repository=repository)
            assert outcome.code == 0, outcome.text
    return directory


def planned(
    run: Path, directory: Path, edit: Callable[[dict[str, Any]], None] = lambda content: None
) -> dict[str, int]:
    """Jobs that a run would do after an edit of the configuration."""
    content = yaml.safe_load((run.parent / "repository/configs/mine.yaml").read_text(encoding="utf-8"))
    edit(content)
    configuration = directory.parent / "edited.yaml"
    configuration.write_text(yaml.safe_dump(content), encoding="utf-8")
    outcome = run_workflow(directory, "--dry-run", *TARGETS, config=configuration, repository=run.parent / "repository")
    assert outcome.code == 0, outcome.text
    return dict(outcome.jobs)


@pytest.fixture
def forgotten(run: Path, tmp_path: Path) -> Path:
    """The results elsewhere, with their times but without what Snakemake knows of them."""
    shutil.copytree(run.parent / "vault-of-jane", tmp_path / "vault-of-jane")
    return Path(shutil.copytree(run, tmp_path / "copy", ignore=shutil.ignore_patterns(".snakemake")))


def distinctive(name: str) -> bool:
    """Whether a name of a machine or a user is no word that stands in sources for other reasons."""
    ignored = [f"--exclude-dir={folder}" for folder in (".git", ".venv", "results")]
    sought = subprocess.run(["grep", "-rIqi", *ignored, name, str(REPOSITORY)], check=False)
    return len(name) > 5 and sought.returncode == 1


@pytest.mark.slow
def test_a_bundle_names_no_folder_no_credential_and_no_machine(run: Path) -> None:
    telling = [*TELLING, *filter(distinctive, (socket.gethostname(), getpass.getuser())), f"{Path.home()}/"]
    with zipfile.ZipFile(run / "results.crate.zip") as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    said = [
        (name, word)
        for name, text in content.items()
        for word in telling
        if word.encode() in text or word in name or word.encode("utf-16-le") in text
    ]
    assert said == []
    assert b"wine.csv" in content["results/config.resolved.yaml"]
    assert re.search(rb"url: http://127\.0\.0\.1:\d+/birds\.zip\n", content["results/config.resolved.yaml"])
    assert content["config.yaml"] == content["results/config.resolved.yaml"]
    assert b"token-abc123" in (run.parent / "repository/configs/mine.yaml").read_bytes()


@pytest.mark.slow
def test_a_bundle_can_be_audited_where_the_inputs_are_not(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(run / "results.crate.zip") as archive:
        archive.extractall(tmp_path)
    assert audit([str(tmp_path / "results")]) == 0
    assert "not found here, so not checked: wine.csv" in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_without_metadata_has_nothing_to_do(run: Path, forgotten: Path) -> None:
    assert planned(run, run) == {}
    assert planned(run, forgotten) == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda content: content["training"]["toy"].update(learning_rate=0.5), {"train_network": 1}),
        (lambda content: content["networks"]["toy"].update(width=5), {"train_network": 1}),
        (
            lambda content: content["datasets"]["circles"].update(seed=4),
            {"prepare_splits": 1, "fit_eigenbasis": 1, "train_network": 1},
        ),
        (lambda content: content["datasets"]["wine"].update(standardise=False), {"prepare_splits": 1}),
    ],
)
def test_a_run_without_metadata_does_what_an_edit_asks_for(
    run: Path, forgotten: Path, edit: Callable[[dict[str, Any]], None], expected: dict[str, int]
) -> None:
    assert planned(run, forgotten, edit) == expected


@pytest.mark.slow
def test_a_table_that_was_edited_with_an_old_time_is_read_again(run: Path, forgotten: Path) -> None:
    known = Path(shutil.copytree(run, forgotten.parent / "known"))
    table = forgotten.parent / "vault-of-jane/wine.csv"
    content, times = table.read_bytes(), table.stat()
    table.write_bytes(content.replace(b"1", b"2", 1))
    os.utime(table, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert planned(run, known) == planned(run, forgotten) == {"prepare_splits": 1}


@pytest.mark.slow
def test_a_run_without_metadata_sees_an_edit_of_the_source(run: Path, forgotten: Path) -> None:
    script = run.parent / "repository/workflow_scripts/train_network.py"
    before, times = script.read_bytes(), script.stat()
    try:
        script.write_bytes(before + b"\nchanged = True\n")
        os.utime(script, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert planned(run, forgotten) == {"train_network": 1}
    finally:
        script.write_bytes(before)


@pytest.mark.slow
def test_the_plan_of_a_run_finds_the_files_of_the_user(run: Path) -> None:
    configuration = run.parent / "repository/configs/mine.yaml"
    outcome = run_workflow(run, "plan", config=configuration, repository=run.parent / "repository")
    assert outcome.code == 0, outcome.text
    assert "prepare_splits" in outcome.text
