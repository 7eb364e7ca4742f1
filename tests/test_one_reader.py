"""One reader of configurations: whatever a file holds, wherever it is read, there is one meaning or one message."""

from __future__ import annotations

import copy
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from functools import partial, reduce
from operator import getitem
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from snakemake.scheduling.job_scheduler import JobScheduler

from configurations import changed
from conftest import Outcome, run_workflow
from inflationary_flows.__main__ import main
from inflationary_flows.config import load_config, resolve
from inflationary_flows.config.reading import read_yaml
from inflationary_flows.config.study import Study
from inflationary_flows.errors import ConfigError, ScheduleError
from inflationary_flows.experiments.layout import stage_files
from inflationary_flows.experiments.registry import STAGES, find
from inflationary_flows.files.yaml_text import dump_yaml
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.networks.build import build_network
from inflationary_flows.networks.presets import PRESETS
from repository import REPOSITORY, SMOKE

SMALL: dict[str, Any] = {
    "datasets": {
        "circles": {"schedules": ["prp"], "sizes": {"train": 60, "validation": 20, "test": 20}},
        "mine": {"kind": "csv", "path": "table.csv", "schedules": ["prp"]},
    },
    "schedules": {"prp": {"signal_left": 0.01}},
    "networks": {"toy": {"kind": "mlp", "width": 8}},
    "training": {"toy": {"steps": 10, "warmup_steps": 1}},
}
_ROWS = random.Random(0)
TABLE = "a,b,c\n" + "".join(f"{_ROWS.gauss()},{_ROWS.gauss()},{_ROWS.gauss()}\n" for _ in range(60))


with_values = partial(changed, SMALL)


def write(path: Path, content: Any, table: bool = True) -> Path:
    """Writes a configuration, and a table beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    if table:
        path.with_name("table.csv").write_text(TABLE, encoding="utf-8")
    return path


def checked(capsys: pytest.CaptureFixture[str], path: Path | str) -> str | None:
    """The one message of `check`, or None if it finds nothing wrong."""
    code = main(["check", str(path)])
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    if code == 0:
        return None
    assert code == 2
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert len(lines) == 2, printed.err
    assert ": expected " in lines[0]
    assert lines[1].startswith("Hint: ")
    assert len(printed.err) < 9_000
    return printed.err.rstrip("\n")


LINES = [
    line
    for path in (REPOSITORY / "config.yaml", REPOSITORY / "configs/paper.yaml", REPOSITORY / "tests/configs/smoke.yaml")
    for line in path.read_text(encoding="utf-8").splitlines()
    if line.strip() and not line.strip().startswith("#")
]
# Aliases, tags, numbers and texts that YAML readers differ on; one a line.
ODD = r"""
&a [*a]
*unknown
&a {b: &b [*a, *a]}
!!python/object:os.system {}
!!python/name:os.system
!!binary x
!!timestamp x
!!int ''
!!bool x
!!set {a, b}
!!omap [a: 1]
!!str [1]
!own x
<<: [1]
<<: {a: 1}
2024-01-01
2024-13-45
1:30:00
0x10
010
0o17
1e999
.nan
-.inf
yes
~
=
''
"\0"
"\ud83d"
"\ud83d\ude00"
"\e[31m"
|
>
- - - -
? [a]
%
@
---
...
{{}}
{a: [}
'
""".strip().splitlines()
ODD += ["9" * 5_000, "0x" + "f" * 5_000, "[" * 100_000, "{" * 100_000, *"\t\0\x1b\ufeff\u2028", "", "letters" * 900]
FILES = yaml.safe_dump(SMALL, sort_keys=False).splitlines()


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Configurations with lines that were changed, moved, left out or taken from elsewhere, and with odd ones."""
    lines = list(draw(st.sampled_from([FILES, FILES, LINES[:40]])))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(lines) - 1))
        odd = draw(st.one_of(st.sampled_from(ODD), st.text(max_size=20), st.sampled_from(LINES)))
        line, indent = lines[place], lines[place][: len(lines[place]) - len(lines[place].lstrip())]
        key = line.partition(":")[0] + ": "
        lines[place : place + draw(st.integers(0, 2))] = [
            draw(st.sampled_from([key + odd, indent + odd, line + odd, odd]))
        ]
        lines = lines or [""]
    return "\n".join(lines)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(['*' + old] * 10)}]\n" for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)


@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=st.one_of(texts(), st.text(max_size=60)))
@example(text=BOMB)
@example(text=BOMB.replace("[", "{<<: [").replace("]", "]}"))
@example(text="datasets: &a {b: *a}")
@example(text="[" * 100_000)
@example(text="{a: " * 100_000)
@example(text="- " * 50_000 + "x")
def test_no_text_ends_in_a_traceback(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text(TABLE, encoding="utf-8")
    Path("any.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    checked(capsys, "any.yaml")


EXTREMES = [0, -1, 5e-324, 1e300, 10**9, 10**12, 10**400, float("nan"), float("inf"), ""]


def numbers(node: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Places of all numbers of a configuration."""
    if isinstance(node, int | float) and not isinstance(node, bool):
        yield place
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from numbers(value, (*place, key))


def one_of_each(content: dict[str, Any]) -> dict[tuple[Any, ...], tuple[str | int, ...]]:
    """Places of numbers, one of each kind of section that names are given to."""
    found: dict[tuple[Any, ...], tuple[str | int, ...]] = {}
    for place in numbers(content):
        named = content[place[0]][place[1]].get("kind") if place[0] in ("datasets", "networks") else "any"
        found.setdefault((place[0], named, *place[2:]) if place[0] in NAMED else place, place)
    return found


NAMED = ("datasets", "schedules", "networks", "training")


def test_every_number_at_its_extremes_is_refused_or_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is accepted has finite schedules, of a spectrum that they fit, and a number of files that can be listed."""
    monkeypatch.chdir(REPOSITORY)
    whole = resolve(load_config(SMOKE))
    messages, accepted = [], 0
    for place in one_of_each(whole).values():
        for extreme in EXTREMES:
            edited = copy.deepcopy(whole)
            *parents, last = place
            reduce(getitem, parents, edited)[last] = extreme
            try:
                study = Study(load_config(edited))
            except ConfigError as problem:
                messages.append((place[0], str(problem)))
                continue
            accepted += 1
            assert sum(len(stage_files(study, stage)) for stage in STAGES) < 1_000_000
            for name in study.config.schedules if place[0] == "schedules" else ():
                assert is_finite_or_refused(study.schedule(name)), (place, extreme)
    assert len(messages) > 3 * accepted > 0
    for section, message in messages:
        assert section in message
        assert len(message.splitlines()) == 2


def is_finite_or_refused(settings: dict[str, Any]) -> bool:
    """Whether all that a flow needs of a schedule is finite, of a spectrum for which it can be made."""
    try:
        chosen = make_schedule([1.0, 0.5, 1e-3], **settings)
    except ScheduleError:
        return True
    times = (chosen.t_min, (chosen.t_min + chosen.t_max) / 2, chosen.t_max)
    parts = (chosen.log_noise_ratio, chosen.angle_rate, chosen.c_out, chosen.total_std, chosen.scale, chosen.clock)
    return all(bool(part(time).isfinite().all()) for part in parts for time in times)


@pytest.mark.parametrize(
    "settings",
    [
        {"signal_left": 5e-324},
        {"gamma0": 5e-324, "signal_left": 0.01},
        {"rho": 1e300, "signal_left": 0.01},
        {"rho": 5e-324, "signal_left": 0.01},
        {"t_max": 1e300},
        {"t_max": 5e-324},
        {"t_min": 1.0, "t_max": 1.0 + 1e-15},
        {"kernel": "proportional", "t_min": 5e-324, "t_max": 3.0},
        {"kernel": "proportional", "gamma0": 1e-30, "t_max": 3.0},
        {"kept_dims": 1, "gap": "constant", "inflation_gap": 1e30, "t_max": 3.0},
    ],
)
def test_schedules_are_finite_or_refused(settings: dict[str, Any]) -> None:
    assert is_finite_or_refused(settings)


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"schedules__prp": {"signal_left": 5e-324}}, "schedules.prp.signal_left: expected a number above 0"),
        ({"schedules__prp__gamma0": 5e-324}, "schedules.prp.gamma0: expected a number above 0 and of at least 1e-30"),
        ({"schedules__prp": {"t_max": 1e300}}, "prp.t_max: expected a number above 0 and of at most 1e+30"),
        ({"schedules__prp": {"t_max": 1e3}}, "schedules.prp.t_max: expected a time of at most 300, at the rate 1"),
        (
            {"datasets__circles__sizes__train": 10**12},
            "circles.sizes.train: expected an integer of at least 2",
        ),
        (
            {"datasets__circles__sizes__train": 10**9},
            "circles.sizes: expected at most 500000000 points in all",
        ),
        ({"datasets__mine__path": "x" * 5_000}, "datasets.mine.path: expected an existing file"),
        ({"datasets__mine__path": "x/" * 5_000}, "datasets.mine.path: expected an existing file"),
        ({"datasets__mine__path": "x\0"}, "datasets.mine.path: expected a text, not empty and without"),
        ({"datasets__mine__label": "\x1b[31m"}, "datasets.mine.label: expected a text, not empty and without"),
        ({"datasets__circles__label": 12}, "datasets.circles.label: expected a text"),
        ({"datasets__" + "x" * 65: {}}, "a name of lower-case letters, digits and underscores, 64 at most"),
        ({"datasets__extractors": {"kind": "circles", "schedules": ["prp"]}}, "datasets.extractors: expected another"),
        ({"schedules__tarp.csv": {"t_max": 1}}, "expected a name of lower-case letters, digits, underscores, hyphens"),
        ({"training__toy__mem": "1" + "0" * 400 + "GB"}, "training.toy.mem: expected an amount of memory"),
        (
            {"experiments__hmc__chains": 10**9},
            "hmc.chains: expected an integer of at least 2 and of at most",
        ),
        ({"experiments__propagation__examples__mine__file": "none.csv"}, "propagation.examples.mine.file: expected an"),
    ],
)
def test_what_no_job_could_do_is_refused_by_name(
    changed: dict[str, Any], place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = checked(capsys, write(tmp_path / "config.yaml", with_values(**changed)))
    assert message is not None
    assert place in message


def unet(resolution: int, **network: Any) -> dict[str, Any]:
    """Photographs of a resolution with a U-Net."""
    photographs = {"kind": "photo_patches", "resolution": resolution, "schedules": ["prp"], "network": "images"}
    return with_values(datasets__photographs=photographs, networks__images={"kind": "unet", **network})


@pytest.mark.parametrize("resolution", [7, 8, 12])
@pytest.mark.parametrize(
    "network", [{}, {"preset": "small_32"}, {"channels": [8]}, {"channels": [8, 12]}, {"patch": 3}]
)
def test_networks_are_refused_that_cannot_be_built(
    resolution: int, network: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = unet(resolution, **network)
    message = checked(capsys, write(tmp_path / "config.yaml", content))
    chosen = {**PRESETS[network.get("preset", "small_8")], **network, "image": [3, resolution, resolution]}
    dimension = 3 * resolution**2
    try:
        built = build_network({"kind": "unet", **{k: v for k, v in chosen.items() if k != "preset"}}, dimension, seed=0)
    except ConfigError:
        assert message is not None
        assert "networks.images.channels" in message
    else:
        assert message is None
        assert built(torch.zeros(2, dimension), torch.zeros(2)).shape == (2, dimension)


def test_networks_of_variants_are_looked_at_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compared = {"flows": {"circles": ["prp"]}, "variants": ["other"]}
    content = with_values(
        variants={"other": {"network": "images"}},
        networks__images={"kind": "unet"},
        experiments__identifiability=compared,
    )
    message = checked(capsys, write(tmp_path / "config.yaml", content))
    assert message is not None
    assert "variants.other.network: expected a network for points" in message


def test_files_lie_beside_the_configuration_in_the_working_directory_or_beside_the_snakefile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def path_of(content: dict[str, Any]) -> str:
        assert main(["resolve", str(write(tmp_path / "there/my.yaml", content, table=False))]) == 0
        return str(yaml.safe_load(capsys.readouterr().out)["datasets"]["mine"]["path"])

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    of_repository = with_values(datasets__mine__path="tests/data/own_table.csv")
    assert path_of(of_repository) == str(REPOSITORY / "tests/data/own_table.csv")
    Path("table.csv").write_text(TABLE, encoding="utf-8")
    assert path_of(SMALL) == "table.csv"
    beside = tmp_path / "there/table.csv"
    beside.write_text(TABLE, encoding="utf-8")
    assert path_of(SMALL) == str(beside)
    assert checked(capsys, "../there/my.yaml") is None
    # From above, it is named by a path that can be moved with the folder.
    monkeypatch.chdir(tmp_path)
    assert path_of(SMALL) == "there/table.csv"
    monkeypatch.chdir(tmp_path / "there")
    for path in ("table.csv", "../there/table.csv"):
        assert path_of(with_values(datasets__mine__path=path)) == path
    # Links count as what is below the working directory, and the working directory may be known by one.
    (tmp_path / "elsewhere/linked").symlink_to(tmp_path / "there")
    (tmp_path / "link").symlink_to(tmp_path)
    write(tmp_path / "there/my.yaml", SMALL)
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main(["resolve", "linked/my.yaml"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["datasets"]["mine"]["path"] == "linked/table.csv"
    write(tmp_path / "there/below/my.yaml", SMALL)
    monkeypatch.chdir(tmp_path / "there")
    assert main(["resolve", str(tmp_path / "link/there/below/my.yaml")]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["datasets"]["mine"]["path"] == "below/table.csv"


def test_later_files_win_and_each_has_its_own_folder(tmp_path: Path) -> None:
    first = write(tmp_path / "first/my.yaml", SMALL)
    second = write(tmp_path / "second/my.yaml", {"seeds": [1, 2], "datasets": {"other": SMALL["datasets"]["mine"]}})
    config = load_config([first, second], {"training": {"toy": {"steps": 20}}}, arguments=["seeds=[3]"])
    paths = {name: getattr(dataset, "path", None) for name, dataset in config.datasets.items()}
    assert paths == {
        "circles": None,
        "mine": str(first.with_name("table.csv")),
        "other": str(second.with_name("table.csv")),
    }
    assert (config.seeds, config.training["toy"].steps) == ([3], 20)
    with pytest.raises(ConfigError, match=rf"^{first}, {second}, --config: seeds\[0\]: expected an integer"):
        load_config([first, second], arguments=['seeds=["3"]'])
    with pytest.raises(ConfigError, match=r"^--config seeds, line 1, column 3: expected YAML"):
        load_config([first, second], arguments=["seeds=[3"])


def test_another_file_of_the_same_name_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "there/my.yaml", SMALL)
    monkeypatch.chdir(tmp_path)
    for text, said in (
        (TABLE, ""),
        (
            TABLE + "1,2,3\n",
            "'table.csv': read beside the configuration; that of the working directory is another one.\n",
        ),
    ):
        Path("table.csv").write_text(text, encoding="utf-8")
        assert main(["check", str(path)]) == 0
        assert capsys.readouterr().err == said


@pytest.mark.parametrize("name", ["a{b}.csv", "{{dataset}}.csv", "{x}/table.csv"])
def test_names_that_snakemake_takes_for_wildcards_are_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "my.yaml", with_values(datasets__mine__path=name))
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(TABLE, encoding="utf-8")
    message = checked(capsys, path)
    assert message is not None
    assert "datasets.mine.path: expected an existing file without braces in its path" in message


def test_numbers_are_those_of_yaml_1_2_and_texts_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    texts = ["010", "1e5", "1:30", "0o17", "0x1f", "12", "yes", "Vögel", "1_0", "\u2028"]
    path.write_text(dump_yaml({"labels": texts}), encoding="utf-8")
    assert read_yaml(path) == yaml.safe_load(path.read_text(encoding="utf-8")) == {"labels": texts}
    path.write_text('{"a": [010, 1e5, 0o17, 0x1f, 1_0, "\\ud83d\\ude00"]}', encoding="utf-8")
    assert read_yaml(path) == {"a": [10, 1e5, 15, 31, 10, "😀"]}
    path = tmp_path / "my.json"
    path.write_text(json.dumps({"a": {"b": [1, "😀\t"]}}, indent="\t"), encoding="utf-8")
    assert read_yaml(path) == {"a": {"b": [1, "😀\t"]}}


def test_hard_names_share_no_file() -> None:
    """Every file of every stage belongs to one flow, data set and figure, and none is the folder of another."""
    content = with_values(
        datasets={
            "circles": {"schedules": ["prp", "x_prp", "x.1"], "sizes": SMALL["datasets"]["circles"]["sizes"]},
            "circles_x": {"kind": "circles", "schedules": ["prp"], "sizes": SMALL["datasets"]["circles"]["sizes"]},
            "x_prp": {"kind": "circles", "schedules": ["prp"], "sizes": SMALL["datasets"]["circles"]["sizes"]},
            "digits": {"schedules": ["prp"]},
            "tarp": {"kind": "digits", "schedules": ["x_prp"]},
        },
        schedules={name: {"signal_left": 0.01} for name in ("prp", "x_prp", "x.1")},
        experiments={
            "propagation": {"examples": {name: {"indices": [0]} for name in ("circles", "circles_x", "x_prp")}},
            "images": {name: {"extractors": ["digits_classifier"], "samples": 100} for name in ("digits", "tarp")},
        },
    )
    study = Study(load_config(content))
    files = [path for stage in STAGES for path in dict.fromkeys(stage_files(study, stage))]
    files += [
        f"results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors" for dataset, schedule, seed in study.flows
    ]
    assert len(study.flows) == 7
    assert len([path for path in files if "animations/" in path]) == 5
    assert len([path for path in files if "figures/propagation_" in path]) == 6
    assert not {str(folder) for path in files for folder in Path(path).parents} & set(files)
    for path in files:
        match = find(path, {"dataset": study.datasets})
        assert match is None or path in [one.format(**match[1]) for one in match[0].paths]


WRONG = "seeds: [0]\n" + yaml.safe_dump(SMALL) + "seeds: [1]\n"


def test_a_run_says_what_check_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(WRONG, encoding="utf-8")
    message = checked(capsys, path)
    assert message is not None
    assert f"{path}, line 26: expected every key once" in message
    outcome = run_workflow(tmp_path / "run", "-n", config=path)
    assert outcome.code != 0
    assert message in outcome.text
    assert "Traceback" not in outcome.text


@pytest.mark.slow
def test_texts_of_the_command_line_stay_texts_in_every_locale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table beside the configuration becomes splits, in the jobs too, which are handed the same command line."""
    for name, value in (("LC_ALL", "C"), ("PYTHONUTF8", "0"), ("PYTHONCOERCECLOCALE", "0")):
        monkeypatch.setenv(name, value)
    path = write(tmp_path / "there" / "Vögel.yaml", with_values(datasets__mine__label="Vögel"))
    overrides = ["--config", 'datasets={circles: {label: "12", sizes: {train: 70}}, mine: {seed: 5}}', "seeds=[3]"]
    targets = ("results/data/mine/splits.safetensors", *overrides)
    # The locale is that of the start of a process.
    outcome = run_workflow(tmp_path / "run", *targets, config=path, alone=True)
    assert outcome.code == 0, outcome.text
    written = read_yaml(tmp_path / "run/results/config.resolved.yaml")
    assert written["datasets"]["circles"]["label"] == "12"
    assert written["datasets"]["circles"]["sizes"] == {"train": 70, "validation": 20, "test": 20}
    assert written["datasets"]["mine"]["label"] == "Vögel"
    assert written["seeds"] == [3]
    assert main(["check", str(tmp_path / "run/results/.config.json")]) == 0


def test_messages_are_printed_in_every_locale(tmp_path: Path) -> None:
    path = write(tmp_path / "Vögel.yaml", with_values(datasets__mine__label="Vögel", datasets__mine__path="Vögel.csv"))
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "inflationary_flows", "check", str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b'mine.path: expected an existing file, got "V\\xf6gel.csv", which is missing.' in done.stderr


def make(tmp_path: Path, target: str, *variables: str) -> Outcome:
    """Runs a target of the Makefile with this Python and this library."""
    (tmp_path / "bin").mkdir(exist_ok=True)
    for name, module in (("python", ""), ("snakemake", "-m snakemake")):
        program = tmp_path / "bin" / name
        library = REPOSITORY / "workflow_scripts"
        program.write_text(
            f"#!/bin/sh\nPYTHONPATH='{library}' exec '{sys.executable}' {module} \"$@\"\n", encoding="utf-8"
        )
        program.chmod(0o755)
    command = ["make", "--no-print-directory", "-C", str(REPOSITORY), target]
    # Newer than the lock file: everything is installed.
    (tmp_path / "installed").touch()
    command += [f"BIN={tmp_path / 'bin'}", f"STAMP={tmp_path / 'installed'}", *variables]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return Outcome(done.returncode, done.stdout)


@pytest.mark.slow
def test_make_takes_a_configuration_of_any_name(tmp_path: Path) -> None:
    name = "my {conf} [x]*'\"ö.yaml"
    write(tmp_path / "my folder" / name, with_values(datasets__mine__path="[a]* {.csv"))
    (tmp_path / "my folder/[a]* {.csv").write_text(TABLE, encoding="utf-8")
    target = f"TARGETS=results/data/mine/splits.json --directory {tmp_path}/run"
    outcome = make(tmp_path, "run", f"CONFIG={tmp_path / 'my folder' / name}", target, "CORES=1")
    assert outcome.code == 0, outcome.text
    assert (tmp_path / "run/results/data/mine/splits.json").is_file()


@pytest.mark.parametrize(("target", "text"), [("run", "[" * 100_000), ("report", "a: [1\nb: 2\n"), ("bundle", WRONG)])
def test_make_says_what_is_wrong_before_snakemake_starts(
    target: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "my conf.yaml"
    path.write_text(text, encoding="utf-8")
    outcome = make(tmp_path, target, f"CONFIG={path}")
    assert outcome.code != 0
    assert str(checked(capsys, path)) in outcome.text
    assert "snakemake" not in outcome.text
    assert "Traceback" not in outcome.text


IMPORTS = {
    "module": """
configfile: "there/my.yaml"

module flows:
    snakefile: SNAKEFILE
    config: config

use rule * from flows as flows_*

rule own:
    default_target: True
    input: "results/data/mine/splits.json"

onstart:
    flows.onstart()
""",
    "include": """
configfile: "there/my.yaml"

rule own:
    input: "results/data/mine/splits.json"

include: SNAKEFILE
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("how", IMPORTS)
def test_the_workflow_can_be_a_part_of_another_one(how: str, tmp_path: Path) -> None:
    """Its scripts, environments and library are found, and a table beside the configuration of the other one."""
    write(tmp_path / "there/my.yaml", SMALL)
    text = IMPORTS[how].replace("SNAKEFILE", repr(str(REPOSITORY / "Snakefile")))
    (tmp_path / "Snakefile").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "own", "--cores", "1"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results/data/mine/splits.json").is_file()
    assert read_yaml(tmp_path / "results/config.resolved.yaml")["datasets"]["mine"]["path"] == "there/table.csv"


def test_partitions_are_found_from_another_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The profile names them from where Snakemake was started; --directory has gone elsewhere since."""
    plugin = SimpleNamespace(read_partition_file=lambda file: Path(file).resolve(), query_job_status=None)
    plugin.common_settings = SimpleNamespace()
    monkeypatch.setitem(sys.modules, "snakemake_executor_plugin_slurm", plugin)
    monkeypatch.setattr(JobScheduler, "_schedule_reevalutation", JobScheduler._schedule_reevalutation)
    rules = REPOSITORY / "rules/executor.smk"
    workflow = SimpleNamespace(basedir=str(REPOSITORY))
    write(tmp_path / "start/slurm/partitions.yaml", {}, table=False)
    monkeypatch.chdir(tmp_path)
    read = plugin.read_partition_file
    for started_in, found_in in (("/", REPOSITORY), (tmp_path / "start", tmp_path / "start")):
        monkeypatch.setenv("PWD", str(started_in))
        plugin.read_partition_file = read
        exec(compile(rules.read_text(encoding="utf-8"), rules, "exec"), {"workflow": workflow})
        assert plugin.read_partition_file(Path("slurm/partitions.yaml")) == found_in / "slurm/partitions.yaml"
        assert plugin.read_partition_file(Path("/none.yaml")) == Path("/none.yaml")
