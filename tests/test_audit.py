"""Provenance: contents of sidecars, findings of audits, and origins of numbers."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import run_workflow
from inflationary_flows.audit.__main__ import main
from inflationary_flows.audit.bundle import collect, write_bundle
from inflationary_flows.audit.checks import Finding, audit
from inflationary_flows.audit.crate import describe_run
from inflationary_flows.audit.sidecars import Ledger, Sidecar, read_sidecar
from inflationary_flows.audit.trace import trace
from inflationary_flows.config import load_config, resolve
from inflationary_flows.config.settings import network_settings, schedule_settings, training_settings
from inflationary_flows.config.study import Study
from inflationary_flows.errors import ArtifactError, DataError
from inflationary_flows.files.files import atomic_write, sha256_of
from inflationary_flows.files.portable import portable
from inflationary_flows.report.environment import environment_rows
from inflationary_flows.report.origins import origin_row
from inflationary_flows.runtime.configuration import write_configuration
from inflationary_flows.runtime.digest import source_digest
from inflationary_flows.runtime.provenance import PROVENANCE, Recorder, find_seeds, recorded, seal, sidecar_of
from provenance import inside, make_results, write
from repository import REPOSITORY

SCRIPTS = REPOSITORY / "workflow_scripts"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return make_results(tmp_path / "run")


def sidecar(results: Path, artifact: str) -> Sidecar:
    return read_sidecar(sidecar_of(artifact, results), artifact)


def kinds(results: Path) -> dict[str, str]:
    """What an audit says of each path; one kind a path, stale ones left out where the path has another."""
    found: dict[str, str] = {}
    for finding in audit(results).findings:
        if found.get(finding.path, "stale") == "stale":
            found[finding.path] = finding.kind
    return found


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "inflationary_flows.audit", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


# ---------------------------------------------------------------------------------------------
# Sidecars


def test_a_sidecar_says_what_the_artifact_is_and_what_it_was_made_from(results: Path) -> None:
    table = sidecar(results, "metrics/seed1/error.csv")
    assert table.sha256 == sha256_of(results / table.artifact)
    assert table.size == (results / table.artifact).stat().st_size
    assert (table.rule, table.params) == ("measure", {"samples": 10})
    assert {item.path: item.sha256 for item in table.inputs} == {
        name: sha256_of(results / name) for name in ("flows/seed1/flow.txt", "data/points.csv")
    }
    assert table.source["lock"] == sha256_of(REPOSITORY / "requirements.lock")
    assert table.software["packages"]["numpy"] == __import__("numpy").__version__
    assert table.host["cpu"]
    assert table.started <= table.ended
    assert table.peak_memory_mb is not None
    assert table.peak_memory_mb > 1


def test_seeds_are_found_wherever_they_stand(results: Path) -> None:
    assert sidecar(results, "flows/seed1/flow.txt").seeds == {"wildcards.seed": "1", "params.seed": 1}
    nested = {"dataset": {"kind": "embedded", "seed": 3, "seeds": [1, 2]}, "seed": 0, "seeding": 5}
    assert find_seeds(nested, "params") == {"params.dataset.seed": 3, "params.dataset.seeds": [1, 2], "params.seed": 0}


def test_a_file_of_the_user_is_an_input_from_outside(results: Path) -> None:
    (given,) = sidecar(results, "data/points.csv").inputs
    assert (given.path, given.outside) == ("given.csv", True)


def test_sidecars_name_no_user_no_machine_and_no_absolute_path(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "table.csv"
    elsewhere.parent.mkdir()
    elsewhere.write_text("1\n")
    folder = tmp_path / "run"
    folder.mkdir()
    with inside(folder):
        params = {
            "url": f"file://{elsewhere}",
            "nested": [{"file": str(elsewhere)}],
            "own": str(folder / "results/x"),
            "address": "https://jane:password@host.org:80/a/b.zip?token=abc#part",
            "winding": "data/../../elsewhere/table.csv",
            "back": f"../{folder.name}/results/x",
            "home": ["~/elsewhere/table.csv", "~jane", "..", "/"],
            "columns": ["/a", "../b"],
        }
        write({"results/x.txt": "x"}, "rule", str(elsewhere), "../elsewhere/table.csv", **params)
    text = sidecar_of("x.txt", folder / "results").read_text()
    assert "elsewhere" not in text
    assert str(tmp_path) not in text
    assert str(REPOSITORY) not in text
    assert socket.gethostname() not in text
    content = json.loads(text)
    assert content["params"] == {
        "url": "table.csv",
        "nested": [{"file": "table.csv"}],
        "own": "results/x",
        "address": "https://host.org:80/a/b.zip",
        "winding": "table.csv",
        "back": "results/x",
        "home": ["table.csv", "outside", "outside", "outside"],
        # Names of columns, whatever they look like.
        "columns": ["/a", "../b"],
    }
    del content["params"], content["inputs"]
    names = [value for value in json.dumps(content).replace('"', " ").split() if value.startswith(("/", "~"))]
    assert not names
    assert getpass.getuser() not in json.dumps([content["host"], content["job"], content["source"]])


ODD = (
    "/",
    "..",
    ".",
    "~",
    "~jane",
    "file:",
    "file://",
    "http://",
    "?k=v",
    "#f",
    "u:p@",
    "host",
    "a",
    "\0",
    "[",
    "%2e",
    "/v",
)


@settings(max_examples=200, deadline=None)
@given(text=st.lists(st.sampled_from(ODD), max_size=7).map("".join))
def test_whatever_a_path_looks_like_nothing_telling_is_left(text: str) -> None:
    left = portable(text, REPOSITORY)
    assert not left.startswith(("/", "~", "file:"))
    assert ".." not in left.split("/")
    assert portable(left, REPOSITORY) == left


def test_the_sidecar_is_there_before_the_artifact_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that is killed between the two leaves no artifact without a sidecar, and no old one unnoticed."""
    monkeypatch.chdir(tmp_path)
    seen: list[tuple[bool, bool]] = []
    replace = __import__("os").replace

    def watched(old: Path, new: Path) -> None:
        if Path(new) == Path("results/x.txt"):
            seen.append((sidecar_of("x.txt").exists(), Path("results/x.txt").exists()))
        replace(old, new)

    monkeypatch.setattr("os.replace", watched)
    write({"results/x.txt": "x"}, "rule")
    assert seen == [(True, False)]


def test_a_job_that_fails_leaves_no_sidecars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def fail() -> None:
        with recorded(Recorder("rule", repository=REPOSITORY)):
            with atomic_write("results/x.txt") as path:
                path.write_text("x")
            raise DataError("data", "numbers", "none", "give some.")

    with pytest.raises(DataError):
        fail()
    assert not sidecar_of("x.txt").exists()


def test_progress_and_files_elsewhere_are_no_artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write({"results/.training/state.txt": "x", "elsewhere.txt": "x"}, "rule")
    assert not (tmp_path / "results" / PROVENANCE).exists()


# ---------------------------------------------------------------------------------------------
# What an audit finds


def test_results_as_written_have_no_findings(results: Path) -> None:
    found = audit(results)
    assert found.findings == []
    assert (found.artifacts, found.jobs) == (8, 7)


def test_results_can_be_audited_elsewhere_under_another_name(results: Path, tmp_path: Path) -> None:
    moved = Path(shutil.move(results, tmp_path / "received"))
    assert audit(moved).findings == []


def test_damage_is_found_and_named(results: Path) -> None:
    (results / "data/points.json").unlink()
    (results / "flows/seed0/flow.txt").write_text("flow 9\n")
    (results / "figures/new.png").write_text("from nowhere")
    (results / PROVENANCE / "figures/error.png.json").write_text("{}")
    assert kinds(results) == {
        "data/points.json": "missing",
        "flows/seed0/flow.txt": "changed",
        "metrics/seed0/error.csv": "stale",
        "figures/new.png": "orphaned",
        f"{PROVENANCE}/figures/error.png.json": "sidecar",
    }


def test_exchanged_files_are_named_as_such(results: Path) -> None:
    first, second = (results / f"flows/seed{n}/flow.txt" for n in (0, 1))
    texts = first.read_text(), second.read_text()
    second.write_text(texts[0])
    first.write_text(texts[1])
    found = kinds(results)
    assert found["flows/seed0/flow.txt"] == found["flows/seed1/flow.txt"] == "swapped"


def test_a_file_that_is_gone_with_its_sidecar_is_missed_by_those_made_from_it(results: Path) -> None:
    (results / "data/points.csv").unlink()
    sidecar_of("data/points.csv", results).unlink()
    assert kinds(results) == {"data/points.csv": "missing"}


def test_what_was_made_from_an_input_that_was_made_again_is_stale(results: Path) -> None:
    with inside(results.parent):
        write({"results/metrics/seed0/error.csv": "seed,error\n0,0.5\n"}, "measure", "results/data/points.csv")
    assert kinds(results) == {"tables/error.csv": "stale"}


def test_what_an_earlier_source_made_is_stale(results: Path) -> None:
    with inside(results.parent):
        write({"results/tables/x.csv": "a\n"}, "tabulate", source={"fit_eigenbasis.py": "0" * 64})
    (found,) = audit(results, SCRIPTS).findings
    assert (found.kind, found.path) == ("stale", "tables/x.csv")
    assert "the source of fit_eigenbasis.py changed" in found.detail


def test_what_an_earlier_method_made_is_stale(results: Path) -> None:
    """Scripts find methods by name, so that the digest of a script says nothing of them."""
    script, method = "train_method.py", "inflationary_flows/baselines/methods/m_flow.py"
    known = {source: source_digest(SCRIPTS / source, SCRIPTS) for source in (script, method)}
    with inside(results.parent):
        for name, digests in (("old", known | {method: "0" * 64}), ("new", known)):
            write({f"results/tables/{name}.csv": "a\n"}, "train", source=digests)
    (found,) = audit(results, SCRIPTS).findings
    assert (found.kind, found.path) == ("stale", "tables/old.csv")
    assert "methods/m_flow.py" in found.detail


def test_a_forged_row_is_found_even_with_a_sidecar_that_fits(results: Path) -> None:
    """A forged number in a table with a resealed sidecar still has no source."""
    with inside(results.parent):
        parts = [f"results/metrics/seed{n}/error.csv" for n in (0, 1)]
        write({"results/tables/error.csv": "seed,error\n0,0.025\n1,0.001\n"}, "plot_error", *parts)
        write({"results/figures/error.png": "a picture"}, "plot", "results/tables/error.csv")
    (found,) = audit(results).findings
    assert found == Finding("untraced", "tables/error.csv", "no small table has its row '1,0.001'")


COMPARISON = "dataset,metric,published,ours,sample_seeds,status,flow\n"
ROUNDTRIP = "dataset,schedule,seed,mse_uint8_wrapped\nbirds,prp,0,0.5\nbirds,prp,1,0.25\n"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("birds,roundtrip_mse_uint8,1.0,0.375,2,compared,birds/prp", None),
        ("birds,roundtrip_mse_uint8,1.0,not run,not run,not run,not run", None),
        (
            "birds,roundtrip_mse_uint8,1.0,0.374,2,compared,birds/prp",
            "the mean in metrics/*/image_roundtrip.csv is 0.375",
        ),
        (
            "birds,roundtrip_mse_uint8,1.0,0.375,3,compared,birds/prp",
            "of 3 sample seeds, but metrics/*/image_roundtrip.csv has 2",
        ),
        ("birds,roundtrip_mse_uint8,1.0,0.375,2,compared,birds/prr", "metrics/*/image_roundtrip.csv has no birds/prr"),
        ("birds,fid,1.0,0.375,2,compared,birds/prp", "the comparison was made from no table that has such numbers"),
    ],
)
def test_numbers_beside_published_ones_have_their_sample_seeds(tmp_path: Path, row: str, why: str | None) -> None:
    with inside(tmp_path):
        header, *rows = ROUNDTRIP.splitlines(keepends=True)
        parts = {f"results/metrics/birds/sample{n}/image_roundtrip.csv": header + text for n, text in enumerate(rows)}
        write(parts, "measure")
        table = {"results/metrics/paper_comparison.csv": COMPARISON + row + "\n"}
        write(table, "measure_paper_comparison", *parts)
    details = [finding.detail for finding in audit(tmp_path / "results").findings]
    assert len(details) == (why is not None)
    assert why is None or details[0].endswith(why)


METHODS = "method,dataset,schedule,seed,metric,value,n\n"
BEST = "birds,prr,0,fid_best"


@pytest.mark.parametrize(
    ("ours", "why"),
    [
        ("0.5", None),
        ("0.25", "the mean in baselines/*.csv is 0.5"),
        ("0.75", "the mean in baselines/*.csv is 0.5"),
    ],
)
def test_numbers_of_table_4_are_followed_to_the_models_of_their_method(
    tmp_path: Path, ours: str, why: str | None
) -> None:
    rows = f"mine,{BEST},0.5,10000\nmine,{BEST},0.25,1000\nother,{BEST},0.75,10000\n"
    compared = f"birds,m_flow,fid_best_10k,1.0,{ours},1,compared,birds/prr\n"
    with inside(tmp_path):
        write({"results/baselines/mine/quality.csv": METHODS + rows}, "measure")
        table = {"results/metrics/paper_comparison.csv": COMPARISON.replace("dataset,", "dataset,method,") + compared}
        kinds = {"mine": "m_flow", "other": "rectangular_flow"}
        write(table, "measure_paper_comparison", "results/baselines/mine/quality.csv", methods=kinds)
    details = [finding.detail for finding in audit(tmp_path / "results").findings]
    assert len(details) == (why is not None)
    assert why is None or details[0].endswith(why)


def test_the_command_tells_by_its_exit_code(results: Path, tmp_path: Path) -> None:
    assert command(results).returncode == 0
    (results / "data/points.csv").write_text("forged")
    found = command(results)
    assert found.returncode == 1
    assert "changed   data/points.csv: " in found.stdout
    nothing = command(tmp_path / "nowhere")
    assert nothing.returncode == 2
    assert nothing.stderr.startswith(f"{tmp_path / 'nowhere'}: expected a folder with sidecars")


def test_a_reviewer_needs_nothing_but_python(results: Path) -> None:
    line = [sys.executable, "-S", "-m", "inflationary_flows.audit", str(results)]
    found = subprocess.run(line, env={"PYTHONPATH": str(SCRIPTS)}, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert "nothing wrong" in found.stdout


# ---------------------------------------------------------------------------------------------
# Inputs from outside, links, settings


def edit_unnoticed(path: Path, content: str) -> None:
    """Another content with the old time, as a restored backup or a tool that keeps times leaves it."""
    before = path.stat()
    path.write_text(content, encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_table_that_was_edited_with_an_old_time_is_found(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit_unnoticed(results.parent / "given.csv", "1,2\n3,5\n")
    assert main([str(results)]) == 1
    assert "stale     data/points.csv: given.csv, which it was made from, changed after it" in capsys.readouterr().out
    assert main(["trace", str(results / "data/points.csv")]) == 0
    assert "given.csv  [given]" in capsys.readouterr().out.splitlines()[-1]


def test_a_table_from_another_folder_is_found_by_the_configuration_as_it_was_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, folder = tmp_path / "vault/wine.csv", tmp_path / "run"
    table.parent.mkdir()
    folder.mkdir()
    table.write_text("1,2\n")
    with inside(folder):
        write_configuration({"datasets": {"wine": {"path": "../vault/wine.csv"}}}, [], REPOSITORY)
        write({"results/data/wine.csv": "1,2\n"}, "prepare_splits", "../vault/wine.csv")
    assert "vault" not in (folder / "results/config.resolved.yaml").read_text()
    assert main([str(folder / "results")]) == 0
    assert "not found here, so not checked: wine.csv" not in capsys.readouterr().out
    # A copy in the working directory is not the one that the configuration names.
    (folder / "wine.csv").write_text("1,2\n", encoding="utf-8")
    edit_unnoticed(table, "1,3\n")
    assert main([str(folder / "results")]) == 1
    assert "stale     data/wine.csv: wine.csv, which it was made from, changed" in capsys.readouterr().out
    table.unlink()
    assert main([str(folder / "results")]) == 0
    assert "not found here, so not checked: wine.csv" in capsys.readouterr().out


def test_a_folder_that_was_moved_and_linked_back_is_followed(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("flows", f"{PROVENANCE}/metrics", "metrics"):
        moved = Path(shutil.move(results / name, tmp_path / f"disk-{name.replace('/', '-')}"))
        (results / name).symlink_to(moved)
    (results / "flows/seed0/back").symlink_to(results)
    assert main([str(results)]) == 0, capsys.readouterr().out
    (results / "flows/seed1/flow.txt").write_text("forged")
    assert main([str(results)]) == 1
    assert "changed   flows/seed1/flow.txt: " in capsys.readouterr().out


def test_artifacts_that_were_made_with_other_settings_are_stale(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after a run without Snakemake's metadata: nothing was made again, and the configuration is a new one."""
    config = load_config(REPOSITORY / "tests/configs/smoke.yaml")
    names = {"dataset": "circles", "schedule": "prp", "seed": "0"}
    training = training_settings(config, "circles")
    params = {
        "dataset": Study(config).settings_of("circles"),
        "kernels": {"schedules": [schedule_settings(config, "prp", "circles")]},
        "network": network_settings(config, "circles"),
        "training": training,
    }
    with inside(tmp_path):
        write_configuration(resolve(config), [], REPOSITORY)
        write({"results/networks/sound.txt": "x"}, "train_network", wildcards=names, **params)
        assert main(["results"]) == 0, capsys.readouterr().out
        early = names | {"seed": "0-early"}
        write({"results/networks/early.txt": "x"}, "train_network", wildcards=early, **params)
        params["training"] = training | {"learning_rate": 0.5}
        write({"results/networks/other.txt": "x"}, "train_network", wildcards=names, **params)
        write({"results/networks/gone.txt": "x"}, "train_network", wildcards=names | {"dataset": "moons"}, **params)
        solver = {"samples": 3, "paper_steps": 50}
        write({"results/metrics/x.csv": "a\n"}, "measure_roundtrip", wildcards={"dataset": "circles"}, **solver)
        assert main(["results"]) == 1
    found = capsys.readouterr().out
    assert "stale     metrics/x.csv: params samples: made with 3, configuration says 100" in found
    wrong = "stale     networks/other.txt: params training.learning_rate: made with 0.5, configuration says 0.002"
    assert wrong in found
    assert "stale     networks/early.txt: params network.width: made with 32, configuration says 16" in found
    assert "networks/sound.txt" not in found
    assert "networks/gone.txt" not in found


# ---------------------------------------------------------------------------------------------
# Sidecars of any shape


def reseal(path: Path, content: Any) -> None:
    """Writes a sidecar whose seal fits, whatever it says."""
    if isinstance(content, dict):
        content["seal"] = seal(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def without(content: dict[str, Any], *places: str) -> dict[str, Any]:
    inner = content
    for place in places[:-1]:
        inner = inner[place]
    del inner[places[-1]]
    return content


MALFORMED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a list": lambda content: [content],
    "null": lambda content: None,
    "a number": lambda content: 3,
    "no artifact": lambda content: without(content, "artifact"),
    "no format": lambda content: without(content, "format"),
    "no inputs": lambda content: without(content, "inputs"),
    "no library": lambda content: without(content, "source", "library"),
    "no start": lambda content: without(content, "job", "started"),
    "inputs null": lambda content: content | {"inputs": None},
    "inputs of text": lambda content: content | {"inputs": ["data/points.csv"]},
    "an input without sha256": lambda content: content | {"inputs": [{"path": "x"}]},
    "sha256 of a number": lambda content: content | {"sha256": 7},
    "bytes of text": lambda content: content | {"bytes": "many"},
    "bytes true": lambda content: content | {"bytes": True},
    "params of a list": lambda content: content | {"params": []},
    "a time without zone": lambda content: content | {"job": content["job"] | {"started": "2024-01-01"}},
    "a time that is none": lambda content: content | {"job": content["job"] | {"ended": "yesterday"}},
    "half a character": lambda content: content | {"rule": "\ud800"},
    "a number that is none": lambda content: content | {"job": content["job"] | {"peak_memory_mb": float("nan")}},
    "a deep value": lambda content: content | {"rule": []},
    "settings without end": lambda content: content | {"params": reduce(lambda inner, _: {"a": inner}, range(900), {})},
}


def commands_on(results: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What audit and trace say; a traceback would come through. They say the same as the report and the bundle read."""
    codes = [main([str(results)]), main(["trace", str(results / "figures/error.png")])]
    assert set(codes) <= {0, 1, 2}
    with pytest.raises(ArtifactError):
        write_bundle(results.parent / "x.zip", results, REPOSITORY)
    environment_rows(Ledger.read(results))
    said = capsys.readouterr()
    return said.out + said.err


@pytest.mark.parametrize("shape", MALFORMED)
def test_a_malformed_sidecar_is_a_finding(results: Path, shape: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = sidecar_of("tables/error.csv", results)
    reseal(path, MALFORMED[shape](json.loads(path.read_text())))
    if shape == "a deep value":
        path.write_text(path.read_text().replace('"rule": []', f'"rule": {"[" * 200_000}{"]" * 200_000}'))
    assert f"sidecar   {PROVENANCE}/tables/error.csv.json: expected " in commands_on(results, capsys)


def test_what_is_no_file_is_a_finding_too(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for artifact in ("tables/error.csv", "data/points.json", "figures/error.png"):
        sidecar_of(artifact, results).unlink()
    sidecar_of("tables/error.csv", results).mkdir()
    sidecar_of("nothing", results).mkdir()
    os.mkfifo(sidecar_of("data/points.json", results))
    sidecar_of("figures/error.png", results).symlink_to("nowhere")
    said = commands_on(results, capsys)
    with open(os.fsencode(results) + b"/figures/\xff\n.png", "wb"):
        assert main([str(results)]) == 1
    assert r"orphaned  figures/\udcff\n.png: " in capsys.readouterr().out
    for artifact in ("tables/error.csv", "nothing", "data/points.json", "figures/error.png"):
        assert f"sidecar   {PROVENANCE}/{artifact}.json: expected a sidecar, got" in said


def test_a_merged_table_that_is_no_text_is_a_finding(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with inside(results.parent):
        parts = [f"results/metrics/seed{n}/error.csv" for n in (0, 1)]
        write({"results/tables/error.csv": b"seed,error\n\xff\xfe\n"}, "plot_error", *parts)
        write({"results/metrics/paper_comparison.csv": "no,such\ncolumns,\n"}, "measure", *parts)
    assert main([str(results)]) == 1
    said = capsys.readouterr().out
    assert "untraced  tables/error.csv: its rows cannot be followed" in said
    assert "untraced  metrics/paper_comparison.csv: its rows cannot be followed" in said


def test_a_chain_of_1500_files_is_followed_to_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with inside(tmp_path):
        write({"results/0.txt": "0"}, "begin", seed=3)
        content = json.loads(sidecar_of("0.txt").read_text())
        for number in range(1, 1500):
            before = {"path": f"{number - 1}.txt", "sha256": hashlib.sha256(str(number - 1).encode()).hexdigest()}
            path, text = Path(f"results/{number}.txt"), str(number)
            path.write_text(text, encoding="utf-8")
            link = {"artifact": path.name, "sha256": hashlib.sha256(text.encode()).hexdigest(), "bytes": len(text)}
            reseal(sidecar_of(path.name), content | link | {"inputs": [before]})
        assert main(["results"]) == 0
        capsys.readouterr()
        assert main(["trace", "results/1499.txt"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1500
    assert "0.txt  [begin; seed 3]" in lines[-1]


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_no_sidecar_leads_to_a_traceback(results: Path, data: st.DataObject) -> None:
    """Any value of a sidecar may be any other: audit, trace and bundle say something, and end."""
    path = sidecar_of(data.draw(st.sampled_from(["tables/error.csv", "metrics/seed1/error.csv"])), results)
    (results / "config.resolved.yaml").write_text("seeds: [0]\n")
    before = path.read_text()
    content = json.loads(before)
    inner, key = content, data.draw(st.sampled_from(sorted(content)))
    while isinstance(inner[key], dict | list) and inner[key] and data.draw(st.booleans()):
        inner = inner[key]
        key = data.draw(st.sampled_from(sorted(inner) if isinstance(inner, dict) else range(len(inner))))
    odd = st.sampled_from(["../../x", "/etc/hostname", "x" * 5000, "\0", "a\nb", "\x1b[31m", -1, 1e308, True])
    leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | odd
    anything = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner))
    inner[key] = data.draw(anything)
    content["seal"] = seal(content)
    try:
        path.write_text(json.dumps(content))
        codes = [main([str(results)]), main(["trace", str(results / "figures/error.png")])]
        assert set(codes) <= {0, 1, 2}
        ledger = Ledger.read(results)
        environment_rows(ledger)
        origin_row(ledger, "figures/error.png", "x")
        with suppress(ArtifactError):
            members = collect(ledger, REPOSITORY)
            json.dumps(describe_run(ledger, members), allow_nan=False).encode()
    finally:
        path.write_text(before)


@pytest.mark.parametrize("line", ["inflationary_flows.audit results", "inflationary_flows schema"])
def test_a_reader_that_has_seen_enough_ends_the_command_without_a_word(results: Path, line: str) -> None:
    # The pipe is closed before the first line, and what is written is more than a pipe holds.
    for number in range(2000):
        (results / f"figures/from-nowhere-with-a-long-name-{number}.png").touch()
    shell = f"{sys.executable} -m {line} | head -c 1 > /dev/null"
    done = subprocess.run(["bash", "-c", shell], cwd=results.parent, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# ---------------------------------------------------------------------------------------------
# Where a figure comes from


def test_trace_leads_to_data_and_seeds(results: Path) -> None:
    lines = list(trace(results / "figures/error.png"))
    assert lines[0].startswith("figures/error.png  [plot]")
    assert any("flows/seed1/flow.txt  [train; seed 1]" in line for line in lines)
    (data,) = [line for line in lines if "data/points.csv" in line and "see above" not in line]
    assert "[prepare; seed 7]" in data
    assert sum("given.csv  [given]" in line for line in lines) == 1


def test_trace_marks_what_is_no_longer_what_it_was(results: Path) -> None:
    (results / "flows/seed0/flow.txt").write_text("forged")
    (results / "flows/seed1/flow.txt").unlink()
    lines = list(trace(results / "tables/error.csv"))
    assert [line.rpartition("  ")[2] for line in lines if "flows/" in line] == ["CHANGED", "MISSING"]


def test_trace_of_a_file_without_a_sidecar_says_so(results: Path) -> None:
    (results / "figures/new.png").write_text("from nowhere")
    with pytest.raises(ArtifactError, match="expected a sidecar, got none"):
        list(trace(results / "figures/new.png"))


# ---------------------------------------------------------------------------------------------
# A whole run

Damage = Callable[[Path, random.Random], str]


def flip(path: Path, chance: random.Random) -> str:
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    return "changed"


def truncate(path: Path, chance: random.Random) -> str:
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])
    return "changed"


def delete(path: Path, chance: random.Random) -> str:
    path.unlink()
    return "missing"


@pytest.mark.slow
@pytest.mark.long
def test_two_hundred_random_corruptions_are_all_found_and_named(smoke_run: Path, tmp_path: Path) -> None:
    """Four at a time, of files that were not made from one another."""
    results = Path(shutil.copytree(smoke_run / "results", tmp_path / "results"))
    assert audit(results, SCRIPTS).findings == []
    ledger, chance = Ledger.read(results), random.Random(20_261_125)
    users, done = ledger.users_of(), Counter[str]()
    for _ in range(50):
        names = unrelated(ledger, 5, chance)
        before = {name: (results / name).read_bytes() for name in names}
        expected = {
            name: damage(results / name, chance) for name, damage in zip(names, (flip, truncate, delete), strict=False)
        }
        one, other = names[3:]
        (results / one).write_bytes(before[other])
        (results / other).write_bytes(before[one])
        expected |= dict.fromkeys((one, other), "swapped")
        found = audit(results).findings
        assert {finding.path: finding.kind for finding in found if finding.kind != "stale"} == expected
        changed = [name for name in names if expected[name] != "missing"]
        stale = {finding.path for finding in found if finding.kind == "stale"}
        assert stale == {user for name in changed for user in users.get(name, [])}
        for name, content in before.items():
            (results / name).write_bytes(content)
        done.update([*(expected[name] for name in names[:3]), "swapped"])
    assert done == {"changed": 100, "missing": 50, "swapped": 50}
    assert audit(results).findings == []


def unrelated(ledger: Ledger, count: int, chance: random.Random) -> list[str]:
    """Artifacts with different content, none of which was made from another."""
    # What is damaged in the configuration of the run is held against all files, which are then made with other params.
    users, artifacts = ledger.users_of(), sorted(ledger.sidecars.keys() - {"config.resolved.yaml"})
    while True:
        names = chance.sample(artifacts, count)
        if len({ledger.sidecars[name].sha256 for name in names}) == count and not any(
            set(users.get(name, [])) & set(names) for name in names
        ):
            return names


@pytest.mark.slow
@pytest.mark.long
def test_a_hundred_damaged_sidecars_are_all_found(smoke_run: Path, tmp_path: Path) -> None:
    results = Path(shutil.copytree(smoke_run / "results", tmp_path / "results"))
    chance = random.Random(7)
    artifacts = sorted(Ledger.read(results).sidecars)
    for number in range(100):
        name = chance.choice(artifacts)
        path = sidecar_of(name, results)
        content = path.read_bytes()
        (flip, truncate, delete)[number % 3](path, chance)
        found = kinds(results)
        if number % 3 == 2:
            assert found == {name: "orphaned"}
        elif json_equal(path, content):
            assert found == {}
        else:
            assert found.get(f"{PROVENANCE}/{name}.json") == "sidecar"
        path.write_bytes(content)


def json_equal(path: Path, content: bytes) -> bool:
    """Whether a damaged sidecar still says the same: white space and the like was hit."""
    try:
        return bool(json.loads(path.read_bytes()) == json.loads(content))
    except ValueError:
        return False


@pytest.mark.slow
def test_every_artifact_of_a_run_has_a_sidecar_and_every_chain_ends_in_data_or_a_seed(smoke_run: Path) -> None:
    ledger = Ledger.read(smoke_run / "results")
    rootless = [
        sidecar.artifact
        for sidecar in ledger.sidecars.values()
        if not sidecar.inputs and not sidecar.seeds and "dataset" not in sidecar.params
    ]
    assert rootless == []
    for sidecar in ledger.sidecars.values():
        assert sidecar.source["library"] or sidecar.rule == "configuration"
        for item in sidecar.inputs:
            assert item.outside or item.path in ledger.sidecars or item.path.startswith("benchmarks/")


@pytest.mark.slow
def test_trace_of_figure_4_takes_less_than_two_seconds(smoke_run: Path) -> None:
    figure = smoke_run / "results/figures/fig04.pdf"
    began = time.monotonic()
    traced = command("trace", figure)
    assert time.monotonic() - began < 2
    assert traced.returncode == 0, traced.stderr
    for part in (
        "[plot_hmc]",
        "[sample_joint; ",
        "[train_network; ",
        "[prepare_splits; ",
        "data/circles/splits.safetensors",
    ):
        assert part in traced.stdout


@pytest.mark.slow
def test_snakemake_audits_the_run(smoke_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(smoke_run, tmp_path / "run"))
    sound = run_workflow(run, "audit")
    assert sound.code == 0, sound.text
    assert "nothing wrong" in sound.text
    (run / "results/tables/roundtrip.csv").write_text("forged\n")
    found = run_workflow(run, "audit")
    assert found.code == 1
    assert "changed   tables/roundtrip.csv: " in found.text
    assert "Traceback" not in found.text


@pytest.mark.slow
def test_a_run_asks_for_every_artifact_that_it_makes(smoke_run: Path) -> None:
    """Otherwise Snakemake would not remake a deleted file whose dependents still exist."""
    ledger = Ledger.read(smoke_run / "results")
    asked = run_workflow(smoke_run, "--summary").text
    missing = [name for name in ledger.sidecars if f"results/{name}\t" not in asked]
    assert missing == ["config.resolved.yaml"]


def made_again(ledger: Ledger, *deleted: str) -> set[str]:
    """Artifacts that are made again when some are gone: with their job's others, and with what was made from those."""
    users, found, waiting = ledger.users_of(), set[str](), list(deleted)
    while waiting:
        job = ledger.sidecars[waiting.pop()].job
        siblings = {sidecar.artifact for sidecar in ledger.sidecars.values() if sidecar.job == job} - found
        found |= siblings
        waiting += [user for sibling in siblings for user in users.get(sibling, [])]
    return found


@pytest.mark.slow
@pytest.mark.long
def test_deleted_intermediates_are_made_again_with_what_follows_and_nothing_else(
    smoke_run: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(smoke_run, tmp_path / "run"))
    before = Ledger.read(run / "results")
    # At the beginning of everything: its jobs are only announced.
    first = "data/own_table/eigenbasis.safetensors"
    (run / "results" / first).rename(tmp_path / "eigenbasis")
    jobs = {before.sidecars[name].job for name in made_again(before, first)}
    assert len(jobs) > 20
    assert run_workflow(run, "-n").jobs == Counter(rule for rule, _, _ in jobs)
    (tmp_path / "eigenbasis").rename(run / "results" / first)

    deleted = ("inference/circles/prp/seed0/evidence.safetensors", "metrics/circles/roundtrip.csv")
    for name in deleted:
        (run / "results" / name).unlink()
    outcome = run_workflow(run)
    assert outcome.code == 0, outcome.text
    after = Ledger.read(run / "results")
    remade = {name for name, sidecar in after.sidecars.items() if sidecar.started != before.sidecars[name].started}
    assert remade - {"config.resolved.yaml"} == made_again(before, *deleted)
    assert {n: s.sha256 for n, s in after.sidecars.items()} == {n: s.sha256 for n, s in before.sidecars.items()}
    assert audit(run / "results", SCRIPTS).findings == []
