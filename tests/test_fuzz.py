"""Thousands of damaged files through the doors that users take: one message, or what the file still says.

A damaged file is refused, or it is read as a second reader understands it. Files that carry a checksum are refused or
equal to what was written.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from inflationary_flows import Flow
from inflationary_flows.__main__ import main
from inflationary_flows.artifacts.flow_files import save_flow
from inflationary_flows.audit.__main__ import main as audit_main
from inflationary_flows.config import load_config, resolve
from inflationary_flows.data.images import read_images
from inflationary_flows.data.tables import Table, read_table
from inflationary_flows.errors import InflationaryFlowsError
from inflationary_flows.files.tensors import load_tensors, save_tensors
from inflationary_flows.mathematics.denoisers import NetworkDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.networks.build import build_network
from inflationary_flows.runtime.provenance import seal
from pictures import cifar_members, noise, png, write_idx, write_tar, write_zip
from provenance import make_results
from repository import REPOSITORY

pytestmark = pytest.mark.slow

# What files consist of, put where it does not belong.
_PIECES = [
    b"",
    b"\0",
    b"\xff\xfe",
    b"\n",
    b"\r",
    b",",
    b";",
    b"\t",
    b'"',
    b"'",
    b"#",
    b"-",
    b"e",
    b"nan",
    b"inf",
    b"1e999",
]
_PIECES += [b"[", b"]", b"{", b"}", b":", b": ", b"&a ", b"*a", b"<<: ", b"!!python/name:os.system ", b"null", b"true"]
_PIECES += [
    b"\xc3",
    "ü".encode(),
    b"../",
    b"/",
    b"\\",
    b"0x1F",
    b"1_000",
    b"[" * 3000,
    b'{"a":' * 3000,
    b"9" * 400,
    b"1e999",
]
_LEAVES = [None, True, -1, 0, 5e-324, 1e300, 10**30, "", "x", "../..", [], {}, [[]], {"a": None}]


def damaged(content: bytes, random: np.random.Generator) -> bytes:
    """A file after one to three accidents: bits, bytes, lines and pieces that changed, moved or are gone."""
    for _ in range(random.integers(1, 4)):
        size = max(len(content), 1)
        first, last = sorted(int(place) for place in random.integers(0, size + 1, 2))
        match random.integers(8):
            case 0:
                content = content[:first]
            case 1 if content:
                place = first % len(content)
                content = (
                    content[:place] + bytes([content[place] ^ 1 << int(random.integers(8))]) + content[place + 1 :]
                )
            case 2:
                content = content[:first] + content[min(last, first + 40) :]
            case 3:
                content = content[:last] + content[first : min(last, first + 200)] + content[last:]
            case 4 | 5:
                content = content[:first] + _PIECES[random.integers(len(_PIECES))] + content[first:]
            case 6:
                lines = content.splitlines(keepends=True) or [b""]
                one, other = (int(place) for place in random.integers(0, len(lines), 2))
                lines[one], lines[other] = lines[other], lines[one]
                content = b"".join(lines)
            case _:
                content = content[:first] + random.bytes(min(last - first, 8)) + content[min(last, first + 8) :]
    return content


def with_odd_leaf(value: Any, random: np.random.Generator) -> Any:
    """Nested settings in which one value is another, or gone."""
    places = [place for place in _places(value) if place]
    place = places[random.integers(len(places))]
    copy = json.loads(json.dumps(value))
    node = copy
    for key in place[:-1]:
        node = node[key]
    if random.random() < 0.2:
        del node[place[-1]]
    else:
        node[place[-1]] = _LEAVES[random.integers(len(_LEAVES))]
    return copy


def _places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield above
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in items:
        yield from _places(entry, (*above, key))


def _ends_well(command: Callable[[], int], capsys: pytest.CaptureFixture[str], allowed: tuple[int, ...]) -> int:
    """The exit code of a command, which says nothing, or one message of two lines, on standard error."""
    code = command()
    said = capsys.readouterr().err
    assert code in allowed
    assert "Traceback" not in said
    if code == 2:
        assert ": expected " in said, said
        assert said.count("\nHint: ") == 1, said
    return code


@pytest.mark.long
def test_a_damaged_configuration_is_refused_or_says_what_it_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(1)
    texts = [
        (REPOSITORY / name).read_bytes() for name in ("config.yaml", "configs/baselines.yaml", "configs/paper.yaml")
    ]
    contents = [yaml.safe_load(text) for text in texts]
    accepted = 0
    for number in range(600):
        if number % 2:
            edited = with_odd_leaf(contents[number % 3], random)
            Path("my.yaml").write_text(yaml.safe_dump(edited, allow_unicode=True), encoding="utf-8")
        else:
            Path("my.yaml").write_bytes(damaged(texts[number % 3], random))
        if _ends_well(partial(main, ["check", "my.yaml"]), capsys, (0, 2)) == 0:
            accepted += 1
            given = yaml.safe_load(Path("my.yaml").read_text(encoding="utf-8-sig"))
            resolved = resolve(load_config("my.yaml"))
            assert not list(_lost(given, resolved)), number
            assert resolve(load_config(resolved)) == resolved
    # Both ways out are taken: nothing but refusals would prove nothing.
    assert 30 < accepted < 570


def _lost(given: Any, resolved: Any, where: str = "") -> Iterator[str]:
    """Places of values that a configuration gives and its resolved form has not."""
    if isinstance(given, dict) and isinstance(resolved, dict):
        for key, value in given.items():
            if value is not None:
                yield from _lost(value, resolved.get(key), f"{where}.{key}")
    elif isinstance(given, list) and isinstance(resolved, list) and len(given) == len(resolved):
        for number, (one, other) in enumerate(zip(given, resolved, strict=True)):
            yield from _lost(one, other, f"{where}[{number}]")
    elif given not in (resolved, {}) and _number(given) != _number(resolved):
        yield f"{where}: {given!r}, {resolved!r}"


def _number(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return value


def test_a_damaged_flow_is_refused_or_gives_the_same_bits(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    points = random.normal(size=(50, 2))
    basis = Eigenbasis.fit(points)
    settings = {"kernel": "floor", "signal_left": 1e-3}
    network_settings = {"kind": "mlp", "space": "eigen", "width": 8, "blocks": 1, "frequencies": 4}
    network = build_network(network_settings, 2, seed=0)
    denoiser = NetworkDenoiser(make_schedule(basis.eigenvalues, **settings), network, basis, "eigen")
    path = tmp_path / "flow.safetensors"
    save_flow(path, Flow(denoiser, basis), {"schedule": settings, "network": network_settings, "provenance": {}})
    content = path.read_bytes()
    latents = Flow.load(path).inflate(points[:3])
    arrays, metadata = load_tensors(path)
    refused = 0
    for number in range(400):
        forged = number % 4 == 0
        if forged:
            # Somebody else wrote this one: its checksum fits.
            save_tensors(path, arrays, with_odd_leaf(metadata, random))
        else:
            path.write_bytes(damaged(content, random))
        try:
            again = Flow.load(path).inflate(points[:3])
            assert forged or np.array_equal(again, latents)
        except InflationaryFlowsError:
            refused += 1
    assert refused > 300


def test_damaged_sidecars_are_findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(3)
    results = make_results(tmp_path)
    sidecars = sorted((results / "provenance").rglob("*.json"))
    found = 0
    for number in range(400):
        path = sidecars[random.integers(len(sidecars))]
        content = path.read_bytes()
        odd = with_odd_leaf(json.loads(content), random)
        match number % 3:
            case 0:
                path.write_bytes(damaged(content, random))
            case 1:
                path.write_text(json.dumps(odd), encoding="utf-8")
            case 2:
                path.write_text(json.dumps({**odd, "seal": seal(odd)}), encoding="utf-8")
        code = _ends_well(partial(audit_main, [str(results)]), capsys, (0, 1))
        # Other words may say the same. Who seals a sidecar again may write anything of the right type.
        assert number % 3 == 2 or (code == 0) == (_read(path.read_bytes()) == json.loads(content)), path.read_bytes()
        found += code
        if number % 20 == 0:
            artifact = results / path.relative_to(results / "provenance").with_suffix("")
            _ends_well(partial(audit_main, ["trace", str(artifact)]), capsys, (0, 2))
        path.write_bytes(content)
    assert found > 300


def _read(content: bytes) -> Any:
    try:
        return json.loads(content.decode())
    except (ValueError, RecursionError):
        return None


def test_damaged_archives_of_images_are_refused_or_give_the_same_pictures(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    folder = write_idx(tmp_path / "idx")
    pictures = {f"{group}/{number}.png": png(noise(6, 6, 3, seed=number)) for group in "ab" for number in range(4)}
    sources: list[tuple[Path, dict[str, Any]]] = [
        (
            write_zip(tmp_path / "x.zip", pictures),
            {"kind": "image_folder", "resolution": 4, "resize": "box", "channels": 3},
        ),
        (write_tar(tmp_path / "x.tar.gz", cifar_members(2)), {"kind": "cifar10"}),
        (folder / "train-images-idx3-ubyte.gz", {"kind": "idx", "resolution": 6}),
    ]
    kept = refused = 0
    for path, settings in sources:
        content = path.read_bytes()
        dataset = {**settings, "path": str(path)}
        good = read_images(dataset).parts
        for _ in range(100):
            path.write_bytes(damaged(content, random))
            try:
                parts = read_images(dataset).parts
            except InflationaryFlowsError:
                refused += 1
                continue
            kept += 1
            for part, (values, labels) in good.items():
                np.testing.assert_array_equal(parts[part][0], values)
                np.testing.assert_array_equal(parts[part][1], labels)
        path.write_bytes(content)
    assert refused > 200
    assert kept > 0


def test_a_damaged_table_is_refused_or_read_as_a_second_reader_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(5)
    frame = pd.DataFrame(random.normal(size=(30, 3)).round(4), columns=["a", "b c", "ü"])
    writers: list[tuple[str, str, Callable[[Path], object]]] = [
        ("csv", "t.csv", lambda path: frame.to_csv(path, index=False)),
        ("csv", "t.csv", lambda path: frame.to_csv(path, index=False, sep=";", decimal=",")),
        ("csv", "t.csv", lambda path: frame.to_csv(path, sep="\t")),
        ("csv", "t.csv", lambda path: frame.to_csv(path, index=False, quoting=csv.QUOTE_ALL, encoding="latin-1")),
        ("csv", "t.csv.gz", lambda path: frame.to_csv(path, index=False)),
        ("parquet", "t.parquet", lambda path: frame.to_parquet(path)),
        ("npz", "t.npz", lambda path: np.savez_compressed(path, points=frame.to_numpy())),
        ("xlsx", "t.xlsx", lambda path: frame.to_excel(path, index=False)),
    ]
    settings: dict[str, Any] = {"schedules": ["prp"], "fractions": {"train": 0.6, "validation": 0.2, "test": 0.2}}
    sections = {"schedules": {"prp": {"signal_left": 1e-2}}, "networks": {"toy": {"kind": "mlp"}}}
    accepted = 0
    for kind, name, write in writers:
        path = tmp_path / name
        write(path)
        content = path.read_bytes()
        dataset = {"kind": kind, "path": name, **settings}
        whole = {"datasets": {"mine": dataset}, **sections, "training": {"toy": {"steps": 1000}}}
        Path("my.yaml").write_text(yaml.safe_dump(whole), encoding="utf-8")
        assert main(["check", "my.yaml"]) == 0
        capsys.readouterr()
        for _ in range(100):
            path.write_bytes(damaged(content, random))
            if _ends_well(partial(main, ["check", "my.yaml"]), capsys, (0, 2)) == 0:
                accepted += 1
                table = read_table(dataset)
                np.testing.assert_array_equal(table.points, _read_again(path, kind, table))
    assert 40 < accepted < 600


def _read_again(path: Path, kind: str, table: Table) -> np.ndarray:
    """The numbers of a table by another reader, told of nothing but the separator and the decimal sign."""
    if kind == "npz":
        with np.load(path) as archive:
            return archive["points"]
    if kind == "parquet":
        return pd.read_parquet(path)[list(table.columns)].to_numpy()
    if kind == "xlsx":
        return pd.read_excel(path)[list(table.columns)].to_numpy(dtype=np.float64)
    content = path.read_bytes()
    content = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    text = content.decode({"Windows-1252": "cp1252", "UTF-16": "utf-16"}.get(table.record["encoding"], "utf-8-sig"))
    mark = {"tab": "\t", "blank": " ", "none": ","}.get(table.record["separator"], table.record["separator"])
    lines = [
        row for row in csv.reader(io.StringIO(text, newline=""), delimiter=mark, skipinitialspace=mark == " ") if row
    ]
    rows = [row for row in lines if not row[0].startswith("#") or row[0].strip("# ") in table.columns]
    header, *body = rows
    places = [header.index(column) for column in table.columns]
    short = len(body[0]) - len(header)
    return np.array(
        [[float(row[place + short].replace(table.record["decimal"], ".")) for place in places] for row in body]
    )
