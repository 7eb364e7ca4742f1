"""Bad input of every kind: one clear message, exit code not zero, finished work untouched."""

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from inflationary_flows import Flow
from inflationary_flows.__main__ import main
from inflationary_flows.artifacts.bases import load_basis
from inflationary_flows.artifacts.flow_files import save_flow
from inflationary_flows.artifacts.networks import load_network, save_network
from inflationary_flows.config import load_config
from inflationary_flows.data.preparation import make_splits
from inflationary_flows.data.splits import load_splits
from inflationary_flows.errors import (
    ArtifactError,
    ConfigError,
    DataError,
    InflationaryFlowsError,
    ScheduleError,
)
from inflationary_flows.files.files import sha256_of
from inflationary_flows.files.tensors import load_tensors, save_tensors
from inflationary_flows.mathematics.denoisers import NetworkDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.networks.build import build_network

BASE: dict[str, Any] = {
    "datasets": {
        "circles": {"schedules": ["prp"]},
        "mine": {"kind": "csv", "path": "mine.csv", "schedules": ["prp"]},
    },
    "schedules": {"prp": {"signal_left": 1e-3}, "prr1": {"kept_dims": 1, "signal_left": 1e-3}},
    "networks": {"toy": {"kind": "mlp"}, "images": {"kind": "unet"}},
    "training": {"toy": {"steps": 1000}},
}


@dataclass(frozen=True)
class Case:
    """One mistake.

    Arguments:
        name: What is wrong.
        arrange: Writes files into the working directory and returns what a user would do next.
        error: The class of error it must end in.
        parts: What the message must hold: where, what was expected, what was got.
        command: Whether `check config.yaml` must fail with the same message.
    """

    name: str
    arrange: Callable[[], Callable[[], object]]
    error: type[InflationaryFlowsError]
    parts: tuple[str, ...]
    command: bool = False


def read_config_cases() -> list[Case]:
    """The wrong configurations of data/bad_configs.yaml."""
    entries = yaml.safe_load((Path(__file__).parent / "data" / "bad_configs.yaml").read_text())
    return [
        config_text(entry["name"], entry["text"] if "text" in entry else _changed(entry), *entry["says"])
        for entry in entries
    ]


def _changed(entry: dict[str, Any]) -> str:
    """BASE with an entry's value at its place, such as schedules/prp/rho, or without the place."""
    changed = copy.deepcopy(BASE)
    *parents, last = entry["at"].split("/")
    node = changed
    for part in parents:
        node = node.setdefault(part, {})
    node.pop(last, None)
    if "value" in entry:
        node[last] = entry["value"]
    return yaml.safe_dump(changed)


def config_text(name: str, text: str | bytes | None, *parts: str) -> Case:
    """A configuration file with the given content."""
    return Case(name, lambda: _write_config(text), ConfigError, parts, command=True)


def _write_config(text: str | bytes | None) -> Callable[[], object]:
    if text is not None:
        Path("config.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
    return lambda: load_config("config.yaml")


def table(name: str, write: Callable[[], object], settings: dict[str, Any], *parts: str) -> Case:
    """An own table that is read; `write` makes the file."""

    def arrange() -> Callable[[], object]:
        write()
        fractions = {"train": 0.7, "validation": 0.15, "test": 0.15}
        return lambda: make_splits({"seed": 0, "fractions": fractions, **settings})

    return Case(name, arrange, DataError, parts)


def csv_text(name: str, text: str, *parts: str, **settings: Any) -> Case:
    """An own csv table with the given text."""
    return table(
        name,
        lambda: Path("t.csv").write_text(text, encoding="utf-8"),
        {"kind": "csv", "path": "t.csv", **settings},
        *parts,
    )


def npz(name: str, arrays: dict[str, Any], *parts: str, **settings: Any) -> Case:
    """An own npz file with the given arrays."""
    return table(
        name,
        lambda: np.savez("t.npz", **arrays),
        {"kind": "npz", "path": "t.npz", **settings},
        *parts,
    )


def schedule(name: str, eigenvalues: list[float], settings: dict[str, Any], *parts: str) -> Case:
    """A schedule that does not fit itself or the data."""
    return Case(name, lambda: lambda: make_schedule(np.array(eigenvalues), **settings), ScheduleError, parts)


def artifact(name: str, damage: Callable[[Path], object], read: Callable[[Path], object], *parts: str) -> Case:
    """A finished file that was damaged and is then read."""

    def arrange() -> Callable[[], object]:
        path = _finished_file(read)
        damage(path)
        return lambda: read(path)

    return Case(name, arrange, ArtifactError, parts)


def small_basis() -> Eigenbasis:
    """The eigenbasis of the small files below."""
    return Eigenbasis.fit(np.random.default_rng(0).normal(size=(50, 2)))


def read_network(path: Path) -> object:
    """Reads a network of the small eigenbasis."""
    return load_network(path, small_basis())


def _finished_file(read: Callable[[Path], object]) -> Path:
    """A small file of the kind that `read` reads."""
    basis = small_basis()
    settings = {"kernel": "floor", "signal_left": 1e-3}
    network_settings = {"kind": "mlp", "space": "eigen", "width": 8, "blocks": 1, "frequencies": 4}
    network = build_network(network_settings, 2, seed=0)
    denoiser = NetworkDenoiser(make_schedule(basis.eigenvalues, **settings), network, basis, "eigen")
    path = Path("results") / "file.safetensors"
    if read is load_splits:
        sizes = {"train": 20, "validation": 5, "test": 5}
        splits = make_splits({"kind": "circles", "seed": 0, "sizes": sizes})
        splits.save(path, path.with_suffix(".json"))
    elif read == Flow.load:
        metadata = {"schedule": settings, "network": network_settings, "provenance": {}}
        save_flow(path, Flow(denoiser, basis), metadata)
    elif read is read_network:
        save_network(path, denoiser, {"schedules": [settings]}, network_settings, {})
    else:
        save_tensors(path, {"a": np.arange(8.0)}, {"kind": "test"})
    return path


def cut(share: float) -> Callable[[Path], object]:
    """Keeps the first part of a file."""
    return lambda path: path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def flip(path: Path) -> None:
    """Changes one bit of the last value."""
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(bytes(content))


def edit_metadata(path: Path) -> None:
    """Changes a digit of the description without its checksum."""
    content = path.read_bytes()
    assert b"floor" in content
    path.write_bytes(content.replace(b"floor", b"fl00r"))


def drop_a_weight(path: Path) -> None:
    """Rewrites the file with a valid checksum, but without one weight."""
    arrays, metadata = load_tensors(path)
    arrays.pop("network.last.weight")
    save_tensors(path, arrays, metadata)


def change_the_basis(path: Path) -> None:
    """Rewrites the file with a valid checksum, as if the network were of other data."""
    arrays, metadata = load_tensors(path)
    save_tensors(path, arrays, metadata | {"eigenbasis": "0" * 64})


def drop_the_basis(path: Path) -> None:
    """Rewrites the file with a valid checksum, but without the eigenvectors."""
    arrays, metadata = load_tensors(path)
    arrays.pop("eigenbasis.vectors")
    save_tensors(path, arrays, metadata)


def drop_a_split(path: Path) -> None:
    """Rewrites the splits with a valid checksum, but without the test split."""
    arrays, metadata = load_tensors(path)
    arrays.pop("test")
    save_tensors(path, arrays, metadata)


def foreign(path: Path) -> None:
    """Puts a safetensors file of somebody else in the place."""
    from safetensors.numpy import save_file

    save_file({"weight": np.zeros(3)}, path)


def pickled(path: Path) -> None:
    """Puts a pickle in the place."""
    torch.save({"weight": torch.zeros(3)}, path)


ROWS = "".join(f"{x},{x * x % 7},{x % 5}\n" for x in range(40))
GOOD = "a,b,c\n" + ROWS
NORMAL = np.random.default_rng(0).normal(size=(40, 3))
WITH_NAN = NORMAL.copy()
WITH_NAN[6, 1] = np.nan
CONSTANT = NORMAL * [1, 0, 1] + [0, 5.5, 0]
PRP = {"signal_left": 1e-3}

CASES = [
    *read_config_cases(),
    config_text("no file", None, "config.yaml", "an existing configuration file", "none"),
    config_text("not UTF-8", b"label: \xff\xfe\n", "config.yaml", "text in UTF-8", "not"),
    table(
        "no table",
        lambda: None,
        {"kind": "csv", "path": "none.csv"},
        "none.csv",
        "an existing file",
        "got none",
    ),
    csv_text("empty table", "", "t.csv", "a table", "an empty file"),
    csv_text("header only", "a,b\n", "t.csv", "rows of numbers", "none"),
    csv_text("no header", ROWS, "t.csv", "a header line", "0,0,0"),
    csv_text(
        "a word among numbers",
        GOOD.replace("4,2,4", "4,two,4"),
        't.csv, row 5, column "b"',
        "a number",
        "'two'",
    ),
    csv_text(
        "a decimal comma",
        GOOD.replace("4,2,4", '4,"2,5",4'),
        't.csv, row 5, column "b"',
        "a number",
        "'2,5'",
    ),
    csv_text(
        "an empty entry",
        GOOD.replace("4,2,4", "4,,4"),
        't.csv, row 5, column "b"',
        "a finite number",
        "NaN or an empty entry",
    ),
    csv_text(
        "infinity",
        GOOD.replace("4,2,4", "4,inf,4"),
        't.csv, row 5, column "b"',
        "a finite number",
        "inf",
    ),
    csv_text(
        "ragged rows",
        GOOD.replace("4,2,4", "4,2,4,8,9"),
        "t.csv, row 5",
        "3 fields",
        "got 5",
    ),
    csv_text("truth values", "a,b\n" + "true,1\nfalse,2\n" * 9, 'column "a"', "real numbers", "bool"),
    csv_text(
        "a constant column",
        "a,b\n" + "".join(f"{x},7\n" for x in range(20)),
        't.csv, column "b"',
        "values that vary",
        "constant 7",
    ),
    csv_text(
        "fewer rows than columns",
        "a,b,c\n1,2,3\n2,3,5\n",
        "t.csv",
        "at least 4",
        "2 rows of 3 columns",
    ),
    csv_text("too few rows to split", "a,b,c\n1,2,3\n2,3,5\n3,5,1\n4,4,4\n", "t.csv", "at least", "of 4"),
    csv_text(
        "unknown label",
        GOOD,
        "t.csv",
        'called "kind" (label_column)',
        "a, b, c",
        label_column="kind",
    ),
    table(
        "binary as csv",
        lambda: Path("t.csv").write_bytes(b"\x93\xff\x00\x01" * 9),
        {"kind": "csv", "path": "t.csv"},
        "t.csv",
        "a readable csv file",
        "not",
    ),
    npz("NaN in an array", {"x": WITH_NAN}, 't.npz, row 7, column "x1"', "a finite number", "NaN"),
    npz(
        "a constant coordinate",
        {"x": CONSTANT},
        't.npz, column "x1"',
        "values that vary",
        "constant 5.5",
    ),
    npz("several arrays", {"x": NORMAL, "y": NORMAL}, "t.npz", "one array", "2 arrays: x, y"),
    npz("an unknown array", {"x": NORMAL}, "t.npz", 'an array called "points"', "x", array="points"),
    npz("a vector", {"x": NORMAL[:, 0]}, "t.npz", "shape (rows, columns)", "(40,)"),
    npz(
        "images unflattened",
        {"x": NORMAL[:, :, None]},
        "t.npz",
        "shape (rows, columns)",
        "(40, 3, 1)",
    ),
    npz("complex numbers", {"x": NORMAL + 1j}, 'array "x"', "real numbers", "complex128"),
    npz(
        "Python objects",
        {"x": np.array([[1, None]], dtype=object)},
        'array "x"',
        "an array of numbers",
        "Python objects",
    ),
    npz("fewer rows than dimensions", {"x": NORMAL[:3]}, "t.npz", "at least 4", "3 rows of 3"),
    table(
        "no zip archive",
        lambda: Path("t.npz").write_bytes(b"not a zip"),
        {"kind": "npz", "path": "t.npz"},
        "t.npz",
        "a readable npz file",
        "zip",
    ),
    table(
        "truncated parquet",
        lambda: (
            pd.DataFrame(NORMAL, columns=list("abc")).to_parquet("t.parquet"),
            cut(0.5)(Path("t.parquet")),
        ),
        {"kind": "parquet", "path": "t.parquet"},
        "t.parquet",
        "a readable parquet file",
        "not",
    ),
    schedule("no variance", [0.0, 0.0], PRP, "eigenvalues", "positive", "0.0"),
    schedule("broken variance", [float("nan"), 1.0], PRP, "eigenvalues", "finite", "nan"),
    schedule(
        "kept as many as there are",
        [1.0, 0.5],
        {"kept_dims": 2, **PRP},
        "kept_dims",
        "from 1 to 1",
        "got 2",
    ),
    schedule("kept none", [1.0, 0.5], {"kept_dims": 0, **PRP}, "kept_dims", "from 1 to 1", "got 0"),
    schedule(
        "gap missing",
        [1.0, 0.5],
        {"kept_dims": 1, "gap": "constant", **PRP},
        "inflation_gap",
        "a number",
        "nothing",
    ),
    schedule("rate negative", [1.0, 0.5], {"rho": -1.0, **PRP}, "rho", "> 0", "-1"),
    schedule(
        "time that ends before it starts",
        [1.0],
        {"t_min": 3.0, "t_max": 2.0},
        "t_max",
        "t_min < t_max",
        "t_min = 3",
    ),
    schedule("end given twice", [1.0], {"t_max": 2.0, **PRP}, "t_max", "exactly one", "both"),
    schedule(
        "proportional shrinking too fast",
        [3.0, 2.0, 1.0],
        {
            "kernel": "proportional",
            "kept_dims": 2,
            "gap": "constant",
            "inflation_gap": 2.0,
            **PRP,
        },
        "gap",
        "exponents >= 0",
        "-1",
    ),
    artifact("network missing", Path.unlink, read_network, "file.safetensors", "an existing file", "none"),
    artifact(
        "network truncated",
        cut(0.6),
        read_network,
        "file.safetensors",
        "a whole safetensors file",
        "cannot be read",
    ),
    artifact(
        "network empty",
        cut(0),
        read_network,
        "file.safetensors",
        "a whole safetensors file",
        "0 bytes",
    ),
    artifact(
        "network tampered with",
        flip,
        read_network,
        "file.safetensors",
        "contents whose sha256",
        "altered",
    ),
    artifact(
        "network description tampered with",
        edit_metadata,
        read_network,
        "file.safetensors",
        "sha256",
        "altered",
    ),
    artifact(
        "network of somebody else",
        foreign,
        read_network,
        "file.safetensors",
        "written by inflationary_flows",
        "without its checksum",
    ),
    artifact(
        "a pickle as network",
        pickled,
        read_network,
        "file.safetensors",
        "a whole safetensors file",
        "cannot be read",
    ),
    artifact(
        "network without a weight",
        drop_a_weight,
        read_network,
        "file.safetensors",
        "weights that fit",
        "last.weight",
    ),
    artifact(
        "network of another basis",
        change_the_basis,
        read_network,
        "file.safetensors",
        "trained in the eigenbasis",
        "000000000000",
    ),
    artifact(
        "flow without its basis",
        drop_the_basis,
        Flow.load,
        "file.safetensors",
        "an eigenbasis",
        "vectors",
    ),
    artifact(
        "flow truncated",
        cut(0.9),
        Flow.load,
        "file.safetensors",
        "a whole safetensors file",
        "cannot be read",
    ),
    artifact(
        "flow tampered with",
        flip,
        Flow.load,
        "file.safetensors",
        "contents whose sha256",
        "altered",
    ),
    artifact("flow missing", Path.unlink, Flow.load, "file.safetensors", "an existing file", "none"),
    artifact(
        "splits truncated",
        cut(0.3),
        load_splits,
        "file.safetensors",
        "a whole safetensors file",
        "cannot be read",
    ),
    artifact(
        "splits tampered with",
        flip,
        load_splits,
        "file.safetensors",
        "contents whose sha256",
        "altered",
    ),
    artifact(
        "splits without a split",
        drop_a_split,
        load_splits,
        "file.safetensors",
        "the tensors",
        "train",
    ),
    artifact(
        "tensors for an eigenbasis",
        lambda path: None,
        load_basis,
        "file.safetensors",
        "kind 'eigenbasis'",
        "kind 'test'",
    ),
    artifact(
        "a missing file hashed",
        Path.unlink,
        sha256_of,
        "file.safetensors",
        "an existing file",
        "none",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_gives_one_clear_message(case, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("results").mkdir()
    Path("results/finished.csv").write_text("earlier work\n", encoding="utf-8")
    Path("mine.csv").write_text(GOOD, encoding="utf-8")
    act = case.arrange()
    before = contents(tmp_path)
    with pytest.raises(InflationaryFlowsError) as caught:
        act()
    message = str(caught.value)
    assert caught.type is case.error
    for part in case.parts:
        assert part in message
    assert ": expected " in message
    assert ", got " in message
    assert message.count("\nHint: ") == 1
    assert len(message.splitlines()) == 2
    if case.command:
        assert main(["check", "config.yaml"]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err == f"{message}\n"
        assert "Traceback" not in printed.err
    assert contents(tmp_path) == before


def contents(directory: Path) -> dict[str, str]:
    """The sha256 of every file below a directory."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_there_are_many_cases_each_of_its_own():
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)
