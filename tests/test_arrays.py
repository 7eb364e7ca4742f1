"""The public API takes every real array and names what it does not take; damaged flows are refused when loaded."""

from __future__ import annotations

import json
import struct
from collections import namedtuple
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
import xarray as xr
from torch.masked import masked_tensor

from inflationary_flows import Flow, InjectiveFlow
from inflationary_flows.artifacts.flow_files import save_flow
from inflationary_flows.data.preparation import make_splits
from inflationary_flows.data.splits import load_splits
from inflationary_flows.errors import ArtifactError, DataError
from inflationary_flows.files.tensors import load_tensors, save_tensors
from inflationary_flows.mathematics import flow as mathematics
from inflationary_flows.mathematics.denoisers import NetworkDenoiser
from inflationary_flows.mathematics.eigenbasis import Eigenbasis
from inflationary_flows.mathematics.schedules import make_schedule
from inflationary_flows.networks.build import build_network
from oracles import PRR, mixture_flow

SCHEDULE = {"kernel": "floor", "signal_left": 1e-3, "kept_dims": 1}
NETWORK = {"kind": "mlp", "space": "eigen", "width": 8, "blocks": 1, "frequencies": 4}
COLUMNS = ("height", "width")


def write_flow(path: Path, columns: tuple[str, ...] = COLUMNS) -> Path:
    """A flow of two named coordinates, with a network that nobody trained."""
    basis = Eigenbasis.fit(np.random.default_rng(0).normal(size=(50, 2)) * [3.0, 1.0])
    denoiser = NetworkDenoiser(
        make_schedule(basis.eigenvalues, **SCHEDULE), build_network(NETWORK, 2, 0), basis, "eigen"
    )
    latents = torch.zeros(9, 1, dtype=torch.float64)
    flow = mathematics.Flow(denoiser, basis, compressed_latents=latents, columns=columns)
    save_flow(path, flow, {"schedule": SCHEDULE, "network": NETWORK, "provenance": {}})
    return path


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Flow:
    return Flow.load(write_flow(tmp_path_factory.mktemp("flow") / "flow.safetensors"))


X = np.arange(10.0).reshape(5, 2) / 4
Row = namedtuple("Row", COLUMNS[::-1])


def frame_of(x: np.ndarray) -> pd.DataFrame:
    """Points with the names of the flow's columns, in their order."""
    return pd.DataFrame(x, columns=COLUMNS)


def swapped() -> pd.DataFrame:
    """The points X, by name, in another order of the columns."""
    return frame_of(X)[list(COLUMNS[::-1])]


REAL: dict[str, Callable[[np.ndarray], Any]] = {
    "reversed": lambda x: x[::-1][::-1],
    "every other column": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "by columns": np.asfortranarray,
    "big-endian": lambda x: x.astype(">f8"),
    "long double": lambda x: x.astype(np.longdouble),
    "half": lambda x: x.astype(np.float16),
    "lists": lambda x: x.tolist(),
    "tuples": lambda x: tuple(map(tuple, x)),
    "read-only": lambda x: np.broadcast_to(x[None], (1, *x.shape))[0],
    "a data frame": lambda x: pd.DataFrame(x, columns=COLUMNS),
    "a data frame in another order": lambda x: pd.DataFrame(x, columns=COLUMNS)[list(COLUMNS[::-1])],
    "a data frame with more columns": lambda x: pd.DataFrame(x, columns=COLUMNS).assign(label="a")[["label", *COLUMNS]],
    "a data frame without names": pd.DataFrame,
    "a data frame of nullable numbers": lambda x: frame_of(x).astype("Float64"),
    "a data frame with the types that pandas finds": lambda x: frame_of(x).convert_dtypes(),
    "a data frame of arrow's numbers": lambda x: frame_of(x).astype("double[pyarrow]"),
    "a data frame of objects": lambda x: frame_of(x).astype(object),
    "a data frame of decimals": lambda x: frame_of(x).map(Decimal)[list(COLUMNS[::-1])],
    "objects": lambda x: x.astype(object),
    "fractions": lambda x: [list(map(Fraction, row)) for row in x],
    "a list of arrays": list,
    "a list of tensors": lambda x: list(torch.from_numpy(x)),
    "a list of masked arrays without a mask": lambda x: list(np.ma.masked_array(x)),
    "a buffer": lambda x: memoryview(np.ascontiguousarray(x)),
    "a tensor of 32 bits": lambda x: torch.from_numpy(x).float(),
    "a tensor that is trained": lambda x: torch.from_numpy(x).requires_grad_(),
}


@pytest.mark.parametrize("kind", REAL)
@pytest.mark.parametrize("method", ["inflate", "log_prob", "round_trip"])
def test_real_points_of_every_kind_are_read(flow, kind, method):
    expected, points = getattr(flow, method)(X), REAL[kind](X)
    result = getattr(flow, method)(points)
    single = getattr(points, "dtype", None) == torch.float32
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6 if single else 1e-12)


NAMES = {"inflate": ["z1", "z2"], "noised_latents": ["z1", "z2"], "round_trip": [*COLUMNS], "noised_data": [*COLUMNS]}


@pytest.mark.parametrize("method", NAMES)
def test_data_frames_come_back_as_data_frames_and_single_precision_as_single(flow, method):
    seed = [0] if method.startswith("noised") else []
    frame = swapped().set_axis([f"row {n}" for n in range(len(X))])
    expected = getattr(flow, method)(X, *seed)
    result = getattr(flow, method)(frame, *seed)
    pd.testing.assert_frame_equal(result, pd.DataFrame(expected, index=frame.index, columns=NAMES[method]))
    for single in (X.astype(np.float32), torch.from_numpy(X).float(), frame.astype(np.float32)):
        returned = getattr(flow, method)(single, *seed)
        assert type(returned) is type(single)
        assert str(np.asarray(returned).dtype) == "float32"
        np.testing.assert_allclose(returned, expected, rtol=0, atol=1e-6)
    mixed = getattr(flow, method)(frame.astype({"height": np.float32}), *seed)
    assert set(mixed.dtypes) == {np.dtype("float64")}


def test_densities_of_a_data_frame_are_a_series_and_latents_return_by_name(flow):
    frame = swapped().set_axis([*"abcde"])
    density = flow.log_prob(frame)
    pd.testing.assert_series_equal(density, pd.Series(flow.log_prob(X), index=frame.index))
    z = flow.inflate(frame)
    pd.testing.assert_frame_equal(flow.generate(z[["z2", "z1"]]), flow.generate(z))
    assert list(flow.generate(z).columns) == list(COLUMNS)
    with pytest.raises(DataError, match="z: expected the columns z1, z2, got height, width"):
        flow.generate(frame_of(X))


@pytest.mark.parametrize("dtype", ["i1", "u8", ">i4", "?"])
def test_whole_numbers_are_read(flow, dtype):
    x = np.array([[0, 1], [1, 1]], dtype=dtype)
    np.testing.assert_array_equal(flow.inflate(x), flow.inflate(x.astype(float)))


UNREAL: dict[str, Any] = {
    "complex": X + 1j,
    "a complex tensor": torch.from_numpy(X) + 0j,
    "complex lists": [[1j, 2]],
    "text": X.astype(str),
    "objects that are text": X.astype(str).astype(object),
    "text among objects": np.array([[1.0, "2"]], dtype=object),
    "times among objects": np.array([[1.0, np.timedelta64(2, "s")]], dtype=object),
    "nothing": None,
    "ragged lists": [[1, 2], [3]],
    "a word": "abc",
    "a mapping": {"height": 1, "width": 2},
    "times": np.zeros((3, 2), "M8[s]"),
    "named fields": np.zeros(3, [("height", float), ("width", float)]),
    "masked": np.ma.masked_array(X, mask=X > 1),
    "a list of masked rows": list(np.ma.masked_array(X, mask=X > 1)),
    "lists of masked numbers": [list(row) for row in np.ma.masked_array(X, mask=X > 1)],
    "a masked tensor": masked_tensor(torch.from_numpy(X), torch.from_numpy(X > 1)),
    "a list of masked tensors": [masked_tensor(torch.from_numpy(row), torch.from_numpy(row > 1)) for row in X],
    "a table of pyarrow": pa.table(swapped().to_dict("list")),
    "a record batch of pyarrow": pa.record_batch(swapped().to_dict("list")),
    "a list of series": [row for _, row in swapped().iterrows()],
    "a tuple of series": tuple(row for _, row in swapped().iterrows()),
    "a list of dicts": swapped().to_dict("records"),
    "a tuple of dicts": tuple(swapped().to_dict("records")),
    "a dict of columns": swapped().to_dict("list"),
    "a list of named tuples": list(swapped().itertuples(index=False, name="Point")),
    "a named tuple": Row(1.0, 2.0),
    "a list of records": list(swapped().to_records(index=False)),
    "an array with named axes": xr.DataArray(X[:, ::-1], dims=("point", "column"), coords={"column": [*COLUMNS[::-1]]}),
    "a nested tensor": torch.nested.nested_tensor([torch.ones(2), torch.ones(2)], layout=torch.jagged),
    "a nested tensor of the old layout": torch.nested.nested_tensor([torch.ones(2), torch.ones(2)]),
    "integers beyond a float": [[10**400, 1]],
    "a sparse tensor": torch.from_numpy(X).to_sparse(),
    "a tensor without values": torch.zeros(3, 2, device="meta"),
    "text in a data frame": pd.DataFrame({"height": ["1"], "width": [2]}),
}
UNFIT: dict[str, tuple[Any, str]] = {
    "one row": (X[0], r"shape \(n, 2\), got shape \(2,\)\.\nHint: .* x\[None\]"),
    "no rows": ([], r"got shape \(0,\)"),
    "three axes": (X[None], r"got shape \(1, 5, 2\)"),
    "3e38": (np.array([[0.0, 0.0], [3e38, 0.0]]), "standard deviations of the data, got a point far outside in row 1"),
    "1e300": (np.full((1, 2), 1e300), "got a point far outside in row 0"),
    "-1e308": (np.full((1, 2), -1e308), "got a point far outside in row 0"),
    "a long double beyond a float": (np.full((1, 2), np.longdouble("1e4000")), "NaN or infinity in row 0"),
    "infinity": (np.array([[0, np.inf]]), "finite numbers, got NaN or infinity in row 0"),
    "another name": (pd.DataFrame({"height": [1.0], "depth": [2.0]}), "columns height, width, got height, depth"),
    "columns of several levels": (
        pd.DataFrame(X, columns=pd.MultiIndex.from_product([["x"], COLUMNS[::-1]])),
        "the columns height, width, got .*'height' is not there",
    ),
    "a missing nullable number": (frame_of(X).convert_dtypes().mask(X == 1.25), "NaN or infinity in row 2"),
    "a missing number of arrow": (frame_of(X).astype("double[pyarrow]").mask(X == 1.25), "NaN or infinity in row 2"),
    "a missing object": (frame_of(X).astype(object).where(X != 1.25, None), "NaN or infinity in row 2"),
    "nothing in a list": ([[1.0, 2.0], [3.0, None]], "NaN or infinity in row 1"),
    "a name twice": (
        pd.DataFrame([[1.0, 2.0, 3.0]], columns=["height", "width", "width"]),
        "'width' is not there, or not once",
    ),
}


@pytest.mark.parametrize("points", UNREAL.values(), ids=UNREAL)
@pytest.mark.parametrize("method", ["inflate", "log_prob", "round_trip", "noised_data"])
def test_what_is_no_array_of_real_numbers_is_refused(flow, points, method):
    with pytest.raises(DataError, match="x: expected real numbers, got"):
        getattr(flow, method)(points, *([0] if method == "noised_data" else []))
    if isinstance(points, pd.DataFrame):
        points = points.set_axis(["z1", "z2"], axis=1)
    with pytest.raises(DataError, match="z: expected real numbers, got"):
        flow.generate(points)


@pytest.mark.parametrize(("points", "message"), UNFIT.values(), ids=UNFIT)
def test_points_that_no_flow_can_carry_are_refused(flow, points, message):
    for method in (flow.inflate, flow.log_prob, flow.round_trip):
        with pytest.raises(DataError, match=message):
            method(points)
    if not isinstance(points, pd.DataFrame):
        with pytest.raises(DataError, match=message):
            flow.generate(points)


@pytest.mark.parametrize("text", [["1", "2"], ["1", None], pd.Categorical(["a", "b"])], ids=str)
def test_a_column_of_text_is_named(flow, text):
    frame = pd.DataFrame({"height": [1.0, 2.0], "width": text, "label": "a"})
    for points in (frame, frame.convert_dtypes()):
        with pytest.raises(DataError, match="got a data frame whose column 'width' holds none"):
            flow.inflate(points)


def test_what_has_names_and_is_no_data_frame_is_refused_with_a_way_out(flow):
    with pytest.raises(DataError, match=r"something of type dict\.\nHint: .* or a data frame"):
        flow.inflate(swapped().to_dict("records"))


def test_toys_have_no_names_and_take_data_frames_by_position():
    unnamed, x = mixture_flow(PRR)
    np.testing.assert_array_equal(unnamed.inflate(pd.DataFrame(x[:5], columns=["b", "a"])), unnamed.inflate(x[:5]))


def test_a_flow_keeps_the_names_of_its_columns(flow, tmp_path):
    assert flow.columns == COLUMNS
    assert flow.double().columns == flow.to("cpu").columns == COLUMNS
    unnamed = Flow.load(write_flow(tmp_path / "flow.safetensors", ()))
    assert unnamed.columns == ()
    assert "columns" not in load_tensors(tmp_path / "flow.safetensors")[1]


@pytest.mark.slow
def test_flows_of_tables_know_the_names_of_their_columns(smoke_run):
    flows = smoke_run / "results/flows"
    flow = Flow.load(flows / "own_table/prr2/seed0")
    table = pd.read_csv(smoke_run / "tests/data/own_table_with_holes.csv").dropna()
    assert flow.columns == tuple(table.columns)
    np.testing.assert_array_equal(flow.inflate(table[table.columns[::-1]]), flow.inflate(table.to_numpy()))
    with pytest.raises(DataError, match="'height' is not there, or not once"):
        flow.inflate(table.rename(columns={"height": "size"}))
    assert Flow.load(flows / "circles/prp/seed0").columns == ()


@pytest.mark.parametrize(
    "point",
    [
        [0.5, 1.5],
        (0.5, 1.5),
        pd.Series([0.5, 1.5]),
        pd.Series({"width": 1.5, "label": 3.0, "height": 0.5}),
        pd.DataFrame({"width": [1.5], "height": [0.5]}),
        torch.tensor([0.5, 1.5]),
    ],
)
def test_a_single_point_may_come_as_it_is(flow, point):
    expected = flow.propagate(np.array([0.5, 1.5]), 0.1, 20, seed=0)
    np.testing.assert_array_equal(flow.propagate(point, 0.1, 20, seed=0).z, expected.z)


def test_a_column_of_a_data_frame_is_no_point(flow):
    with pytest.raises(DataError, match="the columns height, width, got 0, 1, where 'height' is not there"):
        flow.propagate(frame_of(X[:2])["width"], 0.1, 20, seed=0)


CALLS: dict[str, tuple[Callable[[Flow], Any], str]] = {
    "a negative number": (lambda f: f.sample(-1, 0), "n: expected a whole number from 0"),
    "a fraction": (lambda f: f.sample(2.5, 0), "n: expected a whole number"),
    "a word": (lambda f: f.sample("3", 0), "n: expected a whole number"),
    "truth": (lambda f: f.sample(True, 0), "n: expected a whole number"),
    "more than fits": (lambda f: f.sample(10**12, 0), "n: expected a whole number from 0 to 2147483648"),
    "latents": (lambda f: f.sample_latents(-2, 0), "n: expected a whole number"),
    "a seed with a fraction": (lambda f: f.sample(2, 0.5), "seed: expected a whole number"),
    "a seed of none": (lambda f: f.propagate(X[0], 0.1, 5, None), "seed: expected a whole number"),
    "noise without a seed": (lambda f: f.noised_latents(X, "a"), "seed: expected a whole number"),
    "an unknown prior": (
        lambda f: f.sample(2, 0, "flat"),
        "compressed_prior: expected one of gaussian, empirical, zero",
    ),
    "samples": (lambda f: f.propagate(X[0], 0.1, 2.5, 0), "n: expected a whole number from 2"),
    "a radius of text": (lambda f: f.propagate(X[0], "a", 5, 0), "noise_std: expected a number > 0"),
    "a complex radius": (lambda f: f.propagate(X[0], 1j, 5, 0), "noise_std: expected a number > 0"),
    "a level of text": (
        lambda f: f.propagate(X[0], 0.1, 5, 0, levels=["a"]),
        "levels: expected a number between 0 and 1",
    ),
    "a masked number": (lambda f: f.sample(np.ma.array(3, mask=True), 0), "n: expected a whole number"),
    "a masked radius": (
        lambda f: f.propagate(X[0], np.ma.array([0.1], mask=True), 5, 0),
        "noise_std: expected a number > 0",
    ),
    "a masked level": (
        lambda f: f.propagate(X[0], 0.1, 5, 0, levels=np.ma.array([0.5, 0.9], mask=[0, 1])),
        "levels: expected a number between 0 and 1",
    ),
    "a masked time": (
        lambda f: f.inflate(X, times=np.ma.array([f.schedule.t_min, f.schedule.t_max], mask=[1, 0])),
        "times: expected a number between",
    ),
    "a masked tensor for a radius": (
        lambda f: f.propagate(X[0], masked_tensor(torch.tensor([0.1]), torch.tensor([False])), 5, 0),
        "noise_std: expected a number > 0",
    ),
    "one level": (lambda f: f.propagate(X[0], 0.1, 5, 0, levels=0.9), "levels: expected a row of numbers"),
    "a time before the schedule": (lambda f: f.inflate(X, times=[-1.0]), "times: expected a number between 0 and"),
    "a time after it": (lambda f: f.generate(X, times=[1e9]), "times: expected a number between 0 and"),
    "one time": (lambda f: f.inflate(X, times=1.0), "times: expected a row of numbers"),
    "steps": (lambda f: f.inflate(X, steps=2.5), "steps: expected a whole number from 1"),
    "a tolerance": (lambda f: f.settings(tolerance=0), "tolerance: expected a number between 0 and 1"),
    "probes": (lambda f: f.log_prob(X, exact=False, probes=0), "probes: expected a whole number from 1"),
    "no such device": (lambda f: f.to("nonsense"), "device: expected a device of this machine"),
    "a device without values": (lambda f: f.to("meta"), "device: expected a device of this machine"),
    "a type for a device": (lambda f: f.to(torch.float32), "device: expected a device of this machine"),
}


@pytest.mark.parametrize(("call", "message"), CALLS.values(), ids=CALLS)
def test_other_arguments_are_checked(flow, call, message):
    with pytest.raises(DataError, match=message):
        call(flow)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_named(flow):
    with pytest.raises(DataError, match="expected a device of this machine, such as cpu, got 'cuda'"):
        flow.to("cuda")


def test_numbers_of_numpy_and_torch_are_numbers(flow):
    times = [flow.schedule.t_min, flow.schedule.t_max * (1 + 1e-12)]
    expected = flow.inflate(X, times=times)
    np.testing.assert_array_equal(flow.inflate(X, times=np.array(times)), expected)
    np.testing.assert_array_equal(flow.inflate(X, times=torch.tensor(times, dtype=torch.float64)), expected)
    assert flow.inflate(X, times=[]).shape == (0, 5, 2)
    assert flow.sample(np.int64(3), np.uint8(0)).shape == (3, 2)
    assert flow.propagate(X[0], np.float32(0.1), 5, 0).z.shape == (5, 2)


# ---------------------------------------------------------------------------------------------
# Damaged files


def rewritten(change: Callable[[dict[str, np.ndarray], dict[str, Any]], None]) -> Callable[[Path], None]:
    """Another content, with a checksum that is right."""

    def rewrite(path: Path) -> None:
        arrays, metadata = load_tensors(path)
        change(arrays, metadata)
        save_tensors(path, arrays, metadata)

    return rewrite


def put(name: str, value: float) -> Callable[[Path], None]:
    return rewritten(lambda arrays, metadata: arrays[name].reshape(-1).__setitem__(0, value))


def described(**settings: Any) -> Callable[[Path], None]:
    return rewritten(lambda arrays, metadata: metadata["network"].update(settings))


def with_header(text: bytes) -> Callable[[Path], None]:
    def rewrite(path: Path) -> None:
        path.write_bytes(struct.pack("<Q", len(text)) + text)

    return rewrite


def with_entry(text: str) -> Callable[[Path], None]:
    return with_header(json.dumps({"__metadata__": {"inflationary_flows": text}}).encode())


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a weight is NaN": (put("network.last.weight", np.nan), "NaN or infinity in network.last.weight"),
    "an eigenvalue is infinite": (put("eigenbasis.eigenvalues", np.inf), "NaN or infinity in eigenbasis.eigenvalues"),
    "a latent is NaN": (put("compressed_latents", np.nan), "NaN or infinity in compressed_latents"),
    "the header nests deep": (with_header(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "a whole safetensors"),
    "the metadata nest deep": (with_entry("[" * 100_000 + "]" * 100_000), "without its checksum"),
    "the metadata are a list": (with_entry('{"sha256": "", "metadata": "[]"}'), "without its checksum"),
    "the header is said to be huge": (lambda path: path.write_bytes(b"\xff" * 8 + b"{}"), "a whole safetensors"),
    "sizes are impossible": (
        with_header(b'{"a":{"dtype":"F64","shape":[1000000000000,8],"data_offsets":[0,64000000000000]}}'),
        "a whole safetensors",
    ),
    "the network is said to be wide": (described(width=10**9), "too few for the network"),
    "the network is said to be long": (described(blocks=10**12), "too few for the network"),
    "a size is a word": (described(width="a"), "weights that fit"),
    "the kind is unknown": (described(kind="unknown"), "weights that fit"),
    "a third column": (rewritten(lambda a, m: m.update(columns=["a", "b", "c"])), "3 names of 2 coordinates"),
    "wide latents": (
        rewritten(lambda a, m: a.update(compressed_latents=np.zeros((3, 4)))),
        "compressed latents of shape",
    ),
    "no solver": (rewritten(lambda a, m: m.update(solver=[])), "weights that fit"),
    "a schedule of text": (rewritten(lambda a, m: m.update(schedule="prp")), "weights that fit"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_a_flow_that_is_damaged_or_hostile_is_refused_when_it_is_loaded(tmp_path, damage, message):
    path = write_flow(tmp_path / "flow.safetensors")
    damage(path)
    with pytest.raises(ArtifactError, match=message) as caught:
        Flow.load(path)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize("kind", [Flow, InjectiveFlow])
@pytest.mark.parametrize("path", [None, 3, [], b"flow.safetensors"])
def test_what_is_no_path_is_refused(kind, path):
    with pytest.raises(ArtifactError, match="path: expected a path"):
        kind.load(path)


def test_splits_with_a_nan_are_refused(tmp_path):
    path = tmp_path / "splits.safetensors"
    sizes = {"train": 20, "validation": 5, "test": 5}
    make_splits({"kind": "circles", "seed": 0, "sizes": sizes}).save(path, tmp_path / "splits.json")
    put("test", np.nan)(path)
    with pytest.raises(ArtifactError, match="finite numbers, got NaN or infinity in test"):
        load_splits(path)
