"""Folders as inputs: of pictures and of idx files, from the configurations in docs and configs to figures."""

from __future__ import annotations

import gzip
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from conftest import run_workflow
from inflationary_flows.audit.__main__ import main as audit
from inflationary_flows.data.idx_names import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS
from inflationary_flows.files.files import read_json, sha256_of
from provenance import inside, write
from repository import REPOSITORY

FIGURES = tuple(f"results/figures/{name}.png" for name in ("spectra", "training_curves", "fig05_fashion_mnist"))


def draw_birds(folder: Path) -> None:
    """Two classes of pictures of several sizes, and what a file manager leaves behind."""
    chance = np.random.default_rng(0)
    for species in ("owl", "wren"):
        (folder / species).mkdir(parents=True)
        for number in range(12):
            pixels = chance.integers(0, 256, (9 + number, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / species / f"{number:02}.png")
    (folder / "Thumbs.db").write_bytes(b"a file manager's")


def draw_clothes(folder: Path) -> None:
    """The four files of a set made like MNIST."""
    folder.mkdir()
    chance = np.random.default_rng(1)
    for images, labels, count in ((TRAIN_IMAGES, TRAIN_LABELS, 120), (TEST_IMAGES, TEST_LABELS, 20)):
        header = bytes([0, 0, 8, 3]) + np.array([count, 28, 28], ">u4").tobytes()
        pixels = chance.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        (folder / f"{images}.gz").write_bytes(gzip.compress(header + pixels.tobytes()))
        header = bytes([0, 0, 8, 1]) + np.array([count], ">u4").tobytes()
        (folder / labels).write_bytes(header + bytes(number % 10 for number in range(count)))


def documented(name: str) -> dict[str, Any]:
    """A data set of docs/own_data.md as it stands there."""
    text = (REPOSITORY / "docs/own_data.md").read_text(encoding="utf-8")
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    (found,) = [block["datasets"][name] for block in blocks if name in block.get("datasets", {})]
    return dict(found)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run of configs/fashion_mnist.yaml and of the birds in the docs, small ones, and its configuration."""
    folder = tmp_path_factory.mktemp("folders")
    directory = folder / "run"
    draw_birds(directory / "birds")
    draw_clothes(folder / "fashion-mnist")
    content = yaml.safe_load((REPOSITORY / "configs/fashion_mnist.yaml").read_text(encoding="utf-8"))
    content["datasets"]["fashion_mnist"]["path"] = str(folder / "fashion-mnist")
    content["datasets"]["birds"] = documented("birds")
    content["networks"]["birds"] = {"kind": "mlp", "width": 4, "blocks": 1, "frequencies": 4}
    few = {"steps": 2, "batch_size": 4, "warmup_steps": 1, "validate_every": 1, "validation_points": 4}
    content["training"]["images"] |= few
    content["training"]["toy"] = few
    content["solver"]["steps"] = 8
    content["experiments"]["images"]["fashion_mnist"] |= {
        "samples": 20,
        "shard_size": 20,
        "roundtrip": 4,
        "pictures": 2,
    }
    del content["experiments"]["images"]["fashion_mnist"]["sweep"]
    configuration = folder / "small.yaml"
    configuration.write_text(yaml.safe_dump(content), encoding="utf-8")
    outcome = run_workflow(directory, *FIGURES, config=configuration)
    assert outcome.code == 0, outcome.text
    return directory, configuration


@pytest.fixture
def birds(run: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Callable[[], dict[str, int]]]:
    """A copy of the run, and what it would do."""
    directory, configuration = Path(shutil.copytree(run[0], tmp_path / "run")), run[1]

    def planned() -> dict[str, int]:
        outcome = run_workflow(directory, "--dry-run", *FIGURES, config=configuration)
        assert outcome.code == 0, outcome.text
        return dict(outcome.jobs)

    return directory, planned


@pytest.mark.long
def test_folders_lead_to_figures_and_nothing_is_left_to_do(
    run: tuple[Path, Path], birds: tuple[Path, Callable[[], dict[str, int]]]
) -> None:
    directory, planned = birds
    assert all((directory / figure).stat().st_size > 1000 for figure in FIGURES)
    assert planned() == {}
    for name, path in (("birds", directory / "birds"), ("fashion_mnist", run[1].parent / "fashion-mnist")):
        sidecar = read_json(directory / f"results/provenance/data/{name}/splits.safetensors.json")
        assert sidecar["inputs"] == [{"path": path.name, "outside": True, "sha256": sha256_of(path)}]
    assert read_json(directory / "results/data/birds/splits.json")["counts"] == {"owl": 12, "wren": 12}
    assert read_json(directory / "results/data/birds/splits.json")["source_sha256"] == sha256_of(directory / "birds")


@pytest.mark.long
def test_the_audit_finds_a_picture_that_changed_whatever_its_time_says(
    birds: tuple[Path, Callable[[], dict[str, int]]], capsys: pytest.CaptureFixture[str]
) -> None:
    directory, planned = birds
    assert audit([str(directory / "results")]) == 0
    picture = directory / "birds/wren/03.png"
    before, content = picture.stat(), bytearray(picture.read_bytes())
    content[-20] ^= 1
    picture.write_bytes(content)
    os.utime(picture, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert audit([str(directory / "results")]) == 1
    found = capsys.readouterr().out
    for artifact in ("splits.json", "splits.safetensors"):
        assert f"stale     data/birds/{artifact}: birds, which it was made from, changed" in found
    assert audit(["trace", str(directory / "results/figures/spectra.png")]) == 0
    assert re.search(r"birds  \[given\]  sha256 \w+  CHANGED", capsys.readouterr().out)
    picture.rename(picture.with_name("new.png"))
    assert planned()["prepare_splits"] == 1


@pytest.mark.long
def test_the_audit_finds_a_changed_folder_outside_of_the_working_directory(
    birds: tuple[Path, Callable[[], dict[str, int]]],
    run: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    directory, _ = birds
    local = directory / "results/.config.json"
    moved = Path(shutil.copytree(run[1].parent / "fashion-mnist", tmp_path / "vault/fashion-mnist"))
    local.write_text(local.read_text(encoding="utf-8").replace(str(run[1].parent / "fashion-mnist"), str(moved)))
    assert audit([str(directory / "results")]) == 0
    (moved / TRAIN_LABELS).write_bytes(b"others")
    assert audit([str(directory / "results")]) == 1
    assert "data/fashion_mnist/splits.json: fashion-mnist, which it was made from, changed" in capsys.readouterr().out
    shutil.rmtree(moved)
    assert audit([str(directory / "results")]) == 0
    assert "not found here, so not checked: fashion-mnist" in capsys.readouterr().out


# ---------------------------------------------------------------------------------------------
# The digest of a folder


def audited(folder: Path, change: Callable[[Path], object]) -> int:
    """What the command says of a table made from a folder that has changed since."""
    draw_birds(folder / "birds")
    with inside(folder):
        write({"results/data/birds.csv": "1\n"}, "prepare_splits", "birds")
    assert audit([str(folder / "results")]) == 0
    change(folder / "birds")
    return audit([str(folder / "results")])


@pytest.mark.parametrize(
    "change",
    [
        lambda birds: (birds / "owl/00.png").unlink(),
        lambda birds: (birds / "owl/00.png").rename(birds / "owl/0.png"),
        lambda birds: (birds / "owl").rename(birds / "eagle"),
        lambda birds: (birds / "owl/00.png").write_bytes((birds / "owl/01.png").read_bytes()),
        lambda birds: (birds / "owl/99.png").write_bytes(b"new"),
        lambda birds: (birds / "more").symlink_to("owl"),
    ],
)
def test_names_and_bytes_of_all_files_decide_what_a_folder_is(
    tmp_path: Path, change: Callable[[Path], object], capsys: pytest.CaptureFixture[str]
) -> None:
    assert audited(tmp_path, change) == 1
    assert "stale     data/birds.csv: birds, which it was made from, changed after it" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change",
    [
        lambda birds: (birds / ".DS_Store").write_bytes(b"x"),
        lambda birds: (birds / "owl/Thumbs.db").write_bytes(b"x"),
        lambda birds: (birds / "empty").mkdir(),
        lambda birds: os.mkfifo(birds / "pipe"),
        lambda birds: os.utime(birds / "owl/00.png", (1, 1)),
    ],
)
def test_what_readers_pass_over_does_not_decide_it(tmp_path: Path, change: Callable[[Path], object]) -> None:
    assert audited(tmp_path, change) == 0


def test_a_link_to_the_folder_itself_ends(tmp_path: Path) -> None:
    draw_birds(tmp_path / "birds")
    before = sha256_of(tmp_path / "birds")
    (tmp_path / "birds/owl/again").symlink_to(tmp_path / "birds")
    assert sha256_of(tmp_path / "birds") != before


def test_a_folder_is_the_same_elsewhere(tmp_path: Path) -> None:
    draw_birds(tmp_path / "birds")
    (tmp_path / "birds/small").symlink_to(tmp_path / "birds/wren")
    moved = Path(shutil.copytree(tmp_path / "birds", tmp_path / "others", symlinks=True))
    (moved / "small").unlink()
    (moved / "small").symlink_to("wren")
    assert sha256_of(moved) == sha256_of(tmp_path / "birds")
