"""Wrong calls of the public API: each is one error that says what was expected, what was got, and what to do."""

from __future__ import annotations

import json
import pickle
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from inflationary_flows import Flow, ScheduleSettings
from inflationary_flows.errors import InflationaryFlowsError
from inflationary_flows.files.tensors import load_tensors, save_tensors
from inflationary_flows.mathematics.flow import SolverSettings
from test_fit import COLUMNS, SHORT, rows

TABLE = rows(60)
X = TABLE.to_numpy()
MESSAGE = re.compile(r"[^\n]+: expected [^\n]+, got [^\n]+\nHint: [^\n]+")
NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")


@pytest.fixture(scope="module")
def flow() -> Flow:
    """A flow of three named columns to two dimensions."""
    return Flow.fit(TABLE, kept_dims=2, progress=False, **SHORT)


def refused(call: Callable[[], Any]) -> str:
    """What the one error of a wrong call says."""
    with warnings.catch_warnings():
        # A warning besides would be a second message.
        warnings.simplefilter("error")
        with pytest.raises(InflationaryFlowsError) as caught:
            call()
    text = str(caught.value)
    assert MESSAGE.fullmatch(text), text
    return text


def masked() -> Any:
    return np.ma.masked_array(X, mask=np.greater(X, X.mean()))


POINTS: dict[str, tuple[Any, str]] = {
    "one row": (X[0], "shape (3,)"),
    "one row of a data frame": (TABLE.iloc[0], "shape (3,)"),
    "three axes": (X[None], "shape (1, 60, 3)"),
    "a column too few": (X[:, :2], "(n, 3), got shape (60, 2)"),
    "a column too many": (np.c_[X, X[:, 0]], "(n, 3), got shape (60, 4)"),
    "a number": (1.5, "shape ()"),
    "an empty list": ([], "shape (0,)"),
    "nothing": (None, "got None"),
    "NaN": (np.where(np.arange(60)[:, None] == 7, np.nan, X), "NaN or infinity in row 7"),
    "infinity": (X * np.inf, "NaN or infinity in row 0"),
    "far away": (X * 1e200, "a point far outside"),
    "complex": (X + 1j, "complex128"),
    "a complex tensor": (torch.tensor(X.tolist()) + 1j, "complex64"),
    "text": ("wine.csv", "something of type str"),
    "an array of text": (X.astype(str), "<U"),
    "lists of text": ([["a", "b", "c"]], "str"),
    "bytes": (b"123", "something of type bytes"),
    "times": (np.zeros((5, 3), "M8[s]"), "datetime64"),
    "spans of time": (np.zeros((5, 3), "m8[s]"), "timedelta64"),
    "a data frame with times": (TABLE.assign(width=pd.Timestamp("2024-01-01")), "column 'width'"),
    "a data frame with text": (TABLE.assign(width="a"), "column 'width'"),
    "a data frame with categories": (TABLE.assign(width=pd.Categorical(["a"] * 60)), "column 'width'"),
    "a missing column": (TABLE[["height", "depth"]], "'width' is not there"),
    "a column of another name": (TABLE.rename(columns={"width": "Width"}), "'width' is not there"),
    "a column twice": (TABLE[["height", "width", "depth", "width"]], "not once"),
    "a missing value": (TABLE.convert_dtypes().mask(TABLE.index.to_numpy()[:, None] == [3] * 3), "in row 3"),
    "masked entries": (masked(), "masked"),
    "a sparse tensor": (torch.tensor(X.tolist()).to_sparse(), "sparse"),
    "a tensor without values": (torch.zeros(5, 3, device="meta"), "float32"),
    "ragged lists": ([[1, 2, 3], [1, 2]], "cannot be read"),
    "a dict of columns": (TABLE.to_dict("list"), "dict"),
    "a list of dicts": (TABLE.to_dict("records"), "dict"),
    "a set": ({1.0, 2.0, 3.0}, "set"),
    "a function": (refused, "function"),
    "a generator": ((row for row in X), "generator"),
    "integers beyond a float": ([[10**400, 1, 1]], "too large"),
}


@pytest.mark.parametrize(("points", "said"), POINTS.values(), ids=POINTS)
def test_points(flow: Flow, points: Any, said: str) -> None:
    for call in (flow.inflate, flow.log_prob, flow.round_trip):
        text = refused(lambda call=call: call(points))
        assert text.startswith("x: expected")
        assert said in text


LATENTS: dict[str, tuple[Callable[[Flow], Any], str]] = {
    "kept latents alone": (lambda f: f.generate(f.inflate(X)[:, :2]), "z: expected an array of shape (n, 3)"),
    "data as latents": (lambda f: f.generate(TABLE), "'z1' is not there"),
    "one latent": (lambda f: f.generate(np.zeros(3)), "z: expected an array of shape (n, 3), got shape (3,)"),
    "a latent of NaN": (lambda f: f.generate(np.full((1, 3), np.nan)), "z: expected finite numbers"),
    "all latents as kept ones": (lambda f: f.decode_kept(f.inflate(X)), "z: expected an array of shape (n, 2)"),
    "kept latents of text": (lambda f: f.decode_kept([["a", "b"]]), "z: expected real numbers"),
    "kept latents of NaN": (lambda f: f.decode_kept([[0.0, np.nan]]), "z: expected finite numbers"),
    "one kept latent": (lambda f: f.decode_kept([0.0, 1.0]), "shape (2,)"),
    "kept latents under other names": (lambda f: f.decode_kept(TABLE[["height", "width"]]), "'z1' is not there"),
    "one draw": (lambda f: f.decode_kept([[0.0, 1.0]], draws=1), "draws: expected a whole number from 2"),
    "draws of text": (lambda f: f.decode_kept([[0.0, 1.0]], draws="many"), "draws: expected a whole number"),
    "a seed of draws": (lambda f: f.decode_kept([[0.0, 1.0]], seed=0.5), "seed: expected a whole number"),
}
ARGUMENTS: dict[str, tuple[Callable[[Flow], Any], str]] = {
    "fewer than no rows": (lambda f: f.sample(-1), "n: expected a whole number from 0"),
    "half a row": (lambda f: f.sample(2.5), "n: expected a whole number"),
    "rows of text": (lambda f: f.sample("3"), "n: expected a whole number"),
    "no number of rows": (lambda f: f.sample(None), "n: expected a whole number"),
    "true rows": (lambda f: f.sample(True), "n: expected a whole number"),
    "more rows than fit": (lambda f: f.sample(10**12), "n: expected a whole number from 0 to 2147483648"),
    "a seed with a fraction": (lambda f: f.sample(3, 0.5), "seed: expected a whole number"),
    "a seed of text": (lambda f: f.sample(3, "zero"), "seed: expected a whole number"),
    "no seed": (lambda f: f.sample(3, None), "seed: expected a whole number"),
    "a generator as a seed": (lambda f: f.sample(3, np.random.default_rng(0)), "seed: expected a whole number"),
    "an unknown prior": (lambda f: f.sample(3, 0, "flat"), "compressed_prior: expected one of gaussian"),
    "a prior that is a list": (lambda f: f.sample(3, 0, ["gaussian"]), "compressed_prior: expected one of"),
    "an unknown solver": (lambda f: f.inflate(X, solver="rk9"), "solver: expected one of euler"),
    "a solver in capitals": (lambda f: f.generate(X, solver="RK4"), "solver: expected one of euler"),
    "a solver that is a number": (lambda f: f.inflate(X, solver=4), "solver: expected one of"),
    "a solver that is a list": (lambda f: f.inflate(X, solver=["rk4"]), "solver: expected one of"),
    "no steps": (lambda f: f.inflate(X, steps=0), "steps: expected a whole number from 1"),
    "steps backwards": (lambda f: f.generate(X, steps=-5), "steps: expected a whole number from 1"),
    "half a step": (lambda f: f.inflate(X, steps=2.5), "steps: expected a whole number from 1"),
    "steps of text": (lambda f: f.log_prob(X, steps="10"), "steps: expected a whole number from 1"),
    "a time before the schedule": (lambda f: f.inflate(X, times=[-1.0]), "times: expected a number between"),
    "a time after it": (lambda f: f.generate(X, times=[1e9]), "times: expected a number between"),
    "times of text": (lambda f: f.inflate(X, times=["start"]), "times: expected a number between"),
    "one time": (lambda f: f.inflate(X, times=1.0), "times: expected a row of numbers"),
    "a table of times": (lambda f: f.inflate(X, times=[[0.0, 1.0]]), "times: expected a number between"),
    "no probes": (lambda f: f.log_prob(X, exact=False, probes=0), "probes: expected a whole number from 1"),
    "the error of one probe": (
        lambda f: f.log_prob(X, exact=False, probes=1, return_error=True),
        "probes: expected a whole number from 2",
    ),
    "no noise": (lambda f: f.propagate(X[0], 0.0, 10, 0), "noise_std: expected a number > 0"),
    "noise below zero": (lambda f: f.propagate(X[0], -1.0, 10, 0), "noise_std: expected a number > 0"),
    "noise of text": (lambda f: f.propagate(X[0], "small", 10, 0), "got 'small'"),
    "noise of two columns": (lambda f: f.propagate(X[0], [0.1, 0.2], 10, 0), "3 of them, or a covariance"),
    "noise of other columns": (lambda f: f.propagate(X[0], {"height": 1, "width": 1}, 10, 0), "none for 'depth'"),
    "noise that is no covariance": (lambda f: f.propagate(X[0], np.ones((3, 3)), 10, 0), "not positive definite"),
    "a ball around many points": (lambda f: f.propagate(X, 0.1, 10, 0), "x0: expected one point, got 60"),
    "a ball of one point": (lambda f: f.propagate(X[0], 0.1, 1, 0), "n: expected a whole number from 2"),
    "one sample of a distribution": (lambda f: f.propagate(X[:1], None, 10, 0), "at least 2 samples"),
    "a level above one": (lambda f: f.propagate(X[0], 0.1, 10, 0, levels=[90]), "levels: expected a number between 0"),
    "one level": (lambda f: f.propagate(X[0], 0.1, 10, 0, levels=0.9), "levels: expected a row of numbers"),
    "levels of text": (lambda f: f.propagate(X[0], 0.1, 10, 0, levels="90%"), "levels: expected a row of numbers"),
    "noised data without a seed": (lambda f: f.noised_data(X, None), "seed: expected a whole number"),
    "a device of no kind": (lambda f: f.to("gpu"), "device: expected a device of this machine"),
    "a device without values": (lambda f: f.to("meta"), "device: expected a device of this machine"),
    "a device that is a type": (lambda f: f.to(torch.float32), "device: expected a device of this machine"),
    "no device": (lambda f: f.to(None), "device: expected a device of this machine"),
    "evaluations of steps that are chosen": (lambda f: f.evaluations("dopri5"), "a fixed-step solver"),
    "a summary of two rows": (lambda f: f.summary(TABLE[:2]), "table: expected at least 3 rows, got 2"),
    "a summary of other columns": (lambda f: f.summary(TABLE[["height", "width"]]), "'depth' is not there"),
    "a summary of a file": (lambda f: f.summary("wine.csv"), "table: expected real numbers"),
    "a summary with a seed of text": (lambda f: f.summary(TABLE, seed="a"), "seed: expected a whole number"),
}


@pytest.mark.parametrize(("call", "said"), (LATENTS | ARGUMENTS).values(), ids=LATENTS | ARGUMENTS)
def test_arguments(flow: Flow, call: Callable[[Flow], Any], said: str) -> None:
    assert said in refused(lambda: call(flow))


@NO_GPU
@pytest.mark.parametrize("device", ["cuda", "cuda:0", torch.device("cuda")], ids=str)
def test_a_gpu_that_is_not_there(flow: Flow, device: Any, tmp_path: Path) -> None:
    flow.save(tmp_path / "flow.safetensors")
    for call in (lambda: flow.to(device), lambda: Flow.load(tmp_path, device)):
        assert "device: expected a device of this machine, such as cpu, got" in refused(call)
    assert "device: expected a device" in refused(lambda: Flow.fit(TABLE, device=device, progress=False, **SHORT))


def write(content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content) and None


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def altered(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)


def of_another_kind(path: Path) -> None:
    save_tensors(path, {"train": X}, {"kind": "splits"})


def of_a_later_release(path: Path) -> None:
    arrays, metadata = load_tensors(path)
    save_tensors(path, arrays, {**metadata, "format": 99})


def from_elsewhere(path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"weight": X}, path)


FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (Path.unlink, "an existing file"),
    "empty": (write(b""), "a whole safetensors"),
    "of json": (write(json.dumps({"flow": 1}).encode()), "a whole safetensors"),
    "of csv": (write(TABLE.to_csv().encode()), "a whole safetensors"),
    "a pickle": (write(pickle.dumps({"flow": 1})), "a whole safetensors"),
    "a picture": (write(b"\x89PNG\r\n\x1a\n" + bytes(100)), "a whole safetensors"),
    "cut short": (cut_short, "a whole safetensors"),
    "altered": (altered, "was altered"),
    "of another kind": (of_another_kind, "splits"),
    "of a later release": (of_a_later_release, "format 99"),
    "from elsewhere": (from_elsewhere, "checksum"),
}


@pytest.mark.parametrize(("damage", "said"), FILES.values(), ids=FILES)
def test_files(flow: Flow, damage: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    path = tmp_path / "flow.safetensors"
    flow.save(path)
    damage(path)
    assert said in refused(lambda: Flow.load(path))
    assert said in refused(lambda: Flow.load(str(path)))


PATHS: dict[str, Any] = {
    "none": None,
    "a number": 3,
    "bytes": b"flow.safetensors",
    "a list": ["flow.safetensors"],
    "a null byte": "flow\0.safetensors",
    "a name too long": "a" * 5000,
    "a folder that is missing": "missing/flow.safetensors",
    "a folder without a flow": ".",
    "nothing": "",
}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_paths(flow: Flow, path: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    refused(lambda: Flow.load(path))
    refused(lambda: flow.save(path))
    assert not list(tmp_path.iterdir())


def test_files_that_the_system_refuses(flow: Flow) -> None:
    assert "one that cannot be read" in refused(lambda: Flow.load("/proc/self/mem"))
    assert "a file that can be written" in refused(lambda: flow.save("/proc/flow.safetensors"))


def test_what_is_right_is_taken(flow: Flow) -> None:
    """Neighbours of the wrong calls: the others could not all be refused for one reason."""
    expected = flow.inflate(X)
    assert not np.isclose(flow.inflate(X[:, ::-1].copy()), expected).all()
    shuffled = flow.inflate(TABLE[["depth", "height", "width"]])
    np.testing.assert_array_equal(shuffled.to_numpy(), expected)
    assert flow.inflate(X[:0]).shape == (0, 3)
    assert flow.inflate(TABLE[:0]).shape == (0, 3)
    assert flow.log_prob(X[:0]).shape == (0,)
    assert flow.sample(0).shape == (0, 3)
    assert flow.inflate(np.asfortranarray(X[::-1])).shape == (60, 3)


# ---------------------------------------------------------------------------------------------
# Flow.fit

TABLES: dict[str, tuple[Any, str]] = {
    "a file": ("wine.csv", "table: expected rows of numbers, such as a data frame, got 'wine.csv'"),
    "a path": (Path("wine.csv"), "the file first, a csv by pandas.read_csv"),
    "nothing": (None, "table: expected real numbers, got None"),
    "text": (X.astype(str), "table: expected real numbers"),
    "a column of text": (TABLE.assign(width="a"), "column 'width'"),
    "a column of times": (TABLE.assign(width=pd.Timestamp("2024-01-01")), "column 'width'"),
    "a column of categories": (TABLE.assign(width=pd.Categorical(["a"] * 60)), "column 'width'"),
    "a missing value": (TABLE.mask(TABLE.isin([TABLE.iloc[4, 1]])), "NaN or infinity in row 4"),
    "one column": (X[:, 0], "shape (60,)"),
    "no columns": (X[:, :0], "shape (60, 0)"),
    "no rows": (TABLE[:0], "at least 4 rows"),
    "one row": (TABLE[:1], "at least 4 rows"),
    "fewer rows than columns": (np.eye(30)[:20], "at least 31 rows"),
    "rows enough for training alone": (TABLE[:5], "rows"),
    "a constant column": (TABLE.assign(width=1.0), "width"),
    "a column twice": (pd.concat([TABLE, TABLE["width"]], axis=1), "'width' twice"),
    "names that are no text": (TABLE.rename(columns={"width": 7}), "a text as the name of each column"),
    "complex": (X + 1j, "complex128"),
    "masked entries": (masked(), "masked"),
    "dicts": (TABLE.to_dict("records"), "dict"),
    "numbers beyond squares": (TABLE * 1e300, "table"),
}
SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "no dimensions": ({"kept_dims": 0}, "kept_dims: expected a whole number from 1"),
    "more dimensions than columns": ({"kept_dims": 4}, "kept_dims"),
    "dimensions of text": ({"kept_dims": "2"}, "kept_dims: expected a whole number"),
    "half a dimension": ({"kept_dims": 1.5}, "kept_dims: expected a whole number"),
    "an unknown schedule": ({"schedule": "flor"}, "schedule: expected proportional or floor"),
    "a schedule of a list": ({"schedule": ["floor"]}, "schedule: expected proportional or floor"),
    "no schedule": ({"schedule": None}, "schedule: expected proportional or floor"),
    "a schedule of two ends": ({"schedule": ScheduleSettings(t_max=5.0, signal_left=0.01)}, "signal_left"),
    "a schedule that goes backwards": ({"schedule": ScheduleSettings(rho=-1.0)}, "rho"),
    "two numbers of dimensions": (
        {"schedule": ScheduleSettings(kept_dims=1), "kept_dims": 2},
        "kept_dims: expected one number of dimensions",
    ),
    "a seed below zero": ({"seed": -1}, "seed: expected a whole number from 0"),
    "a seed of text": ({"seed": "zero"}, "seed: expected a whole number"),
    "no validation": ({"validation": 0}, "validation: expected a number between 0 and 1"),
    "all for validation": ({"validation": 1.0}, "validation: expected a number between 0 and 1"),
    "a share of text": ({"validation": "a tenth"}, "validation"),
    "a share below zero": ({"test": -0.1}, "test: expected a number between 0 and 1"),
    "nothing to train on": ({"validation": 0.6, "test": 0.5}, "shares that leave rows to train on"),
    "validation rows of other columns": ({"validation": TABLE[["height", "width"]]}, "'depth' is not there"),
    "one validation row": ({"validation": TABLE[:1]}, "validation: expected at least 3 rows"),
    "one test row": ({"test": TABLE[:1]}, "test: expected at least"),
    "test rows of NaN": ({"test": TABLE * np.nan}, "test: expected finite numbers"),
    "a missing column": (
        {"columns": ["height", "size"]},
        "columns: expected names of height, width, depth, got 'size'",
    ),
    "a column twice": ({"columns": ["height", "height"]}, "columns"),
    "a column that is no list": ({"columns": "height"}, 'columns: expected a list of names, or "auto"'),
    "no columns": ({"columns": []}, "columns: expected"),
    "an unknown key of the network": ({"network": {"widht": 8}}, 'did you mean "width"'),
    "a network without width": ({"network": {"width": 0}}, "network.width: expected a whole number from 1"),
    "a network by name": ({"network": "unet"}, "network: expected"),
    "an unknown space": ({"network": {"space": "pixels"}}, "space 'pixels'"),
    "an unknown key of training": ({"training": {"epochs": 8}}, "training: expected keys of steps"),
    "no steps": ({"training": {"steps": 0}}, "training.steps: expected a whole number from 1"),
    "steps of text": ({"training": {"steps": "many"}}, "training.steps: expected a whole number"),
    "a learning rate below zero": (
        {"training": {"learning_rate": -1}},
        "training.learning_rate: expected a number > 0",
    ),
    "warm-up without end": ({"training": {"steps": 60, "warmup_steps": 60}}, "fewer than steps (60)"),
    "training that is a number": ({"training": 100}, "training: expected"),
    "an unknown weighting": ({"training": {"weighting": "snr"}}, "one of uniform, flow, data"),
    "a solver by name": ({"solver": "rk4"}, "solver: expected"),
    "a solver of another name": ({"solver": SolverSettings(method="rk9")}, "solver: expected one of euler"),
    "a solver without steps": ({"solver": SolverSettings(steps=0)}, "steps: expected a whole number from 1"),
    "an unknown prior": ({"compressed_prior": "flat"}, "compressed_prior: expected one of gaussian"),
    "a device of no kind": ({"device": "gpu"}, "device: expected a device of this machine"),
    "a callback that is none": ({"callbacks": ["print"]}, "callbacks: expected"),
    "callbacks that are no list": ({"callbacks": print}, "callbacks: expected"),
    "a checkpoint that is a file": ({"checkpoint": __file__}, "checkpoint"),
    "a checkpoint that is a number": ({"checkpoint": 3}, "checkpoint: expected a path"),
    "a checkpoint of bytes": ({"checkpoint": b"folder"}, "checkpoint: expected a path"),
}


@pytest.mark.parametrize(("table", "said"), TABLES.values(), ids=TABLES)
def test_tables_to_fit(table: Any, said: str) -> None:
    assert said in refused(lambda: Flow.fit(table, progress=False, **SHORT))


@pytest.mark.parametrize(("settings", "said"), SETTINGS.values(), ids=SETTINGS)
def test_settings_of_fit(settings: dict[str, Any], said: str) -> None:
    begun: list[Any] = []
    arguments = {"callbacks": [begun.append], "progress": False, **SHORT, **settings}
    assert said in refused(lambda: Flow.fit(TABLE, **arguments))
    assert not begun, "it was found after the training"


SCHEDULES: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown kernel": ({"kernel": "flor"}, "schedule.kernel: expected one of proportional, floor, got 'flor'"),
    "an unknown gap": ({"gap": "wide"}, "schedule.gap: expected one of"),
    "a rate of text": ({"rho": "fast"}, "schedule.rho: expected a number, got 'fast'"),
    "half a dimension": ({"kept_dims": 1.5}, "schedule.kept_dims: expected a number"),
    "a time that is true": ({"t_max": True}, "schedule.t_max: expected a number, got True"),
}


@pytest.mark.parametrize(("settings", "said"), SCHEDULES.values(), ids=SCHEDULES)
def test_settings_of_a_schedule(settings: dict[str, Any], said: str) -> None:
    assert said in refused(lambda: ScheduleSettings(**settings))


def test_columns_of_an_array_have_no_names() -> None:
    said = refused(lambda: Flow.fit(X, columns=COLUMNS, progress=False, **SHORT))
    assert "columns: expected names of columns of a data frame" in said
