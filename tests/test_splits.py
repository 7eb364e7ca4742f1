"""Splits: disjoint, reproducible, in the user's units; files that are what was written."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits

from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.data.preparation import make_splits
from inflationary_flows.data.splits import load_splits
from inflationary_flows.data.tables import read_points, read_table
from inflationary_flows.errors import ArtifactError, DataError
from inflationary_flows.files.files import atomic_write, sha256_of, write_json
from inflationary_flows.files.tables import merge_tables, write_csv, write_rows
from inflationary_flows.files.tensors import load_tensors, save_tensors

OWN_TABLE = Path(__file__).parent / "data" / "own_table.csv"
CIRCLES = {
    "kind": "circles",
    "seed": 0,
    "sizes": {"train": 300, "validation": 100, "test": 200},
}
FRACTIONS = {"train": 0.7, "validation": 0.15, "test": 0.15}


def own_table_rows():
    """A cone's shell: golden-ratio angles, square-root-of-two heights, three units."""
    rows = []
    for index in range(400):
        angle = 2 * math.pi * math.fmod(index * 0.6180339887498949, 1)
        height = math.fmod(index * 0.41421356237309515, 1) - 0.5
        radius = 1 + 0.3 * height
        rows.append(
            (
                150 + 40 * radius * math.cos(angle),
                2 * radius * math.sin(angle),
                0.5 * height + 0.1 * math.sin(2 * angle),
            )
        )
    return rows


def test_the_table_of_the_tests_is_its_formula():
    table = read_table({"kind": "csv", "path": str(OWN_TABLE)})
    assert table.columns == ("height", "width", "depth")
    np.testing.assert_allclose(table.points, own_table_rows(), atol=6e-7)


def test_toy_splits_are_reproducible_and_independent():
    first, again = make_splits(CIRCLES), make_splits(CIRCLES)
    larger = make_splits(CIRCLES | {"sizes": CIRCLES["sizes"] | {"train": 400}})
    other = make_splits(CIRCLES | {"seed": 1})
    assert first.provenance == again.provenance
    for split in ("train", "validation", "test"):
        assert_array_equal(getattr(first, split), getattr(again, split))
        assert not np.array_equal(getattr(first, split), getattr(other, split))
    assert_array_equal(first.test, larger.test)
    # Of one size, splits that share a stream of random numbers would be the same points.
    equal = make_splits(CIRCLES | {"sizes": dict.fromkeys(CIRCLES["sizes"], 100)})
    assert len(np.unique(np.vstack([equal.train, equal.validation, equal.test]), axis=0)) == 300
    assert_array_equal(first.scale, np.ones(2))


def test_digits_are_cut_into_disjoint_splits():
    splits = make_splits({"kind": "digits", "seed": 3, "fractions": FRACTIONS})
    grey, classes = load_digits(return_X_y=True)
    order = np.random.default_rng([3, 4]).permutation(len(grey))
    for name, rows in zip(("train", "validation", "test"), np.split(order, [1257, 1257 + 270]), strict=True):
        assert_array_equal(getattr(splits, name), grey[rows] / 8.0 - 1.0)
        assert_array_equal(getattr(splits, f"{name}_labels"), classes[rows])
    assert splits.image == ImageFormat(1, 8, 8, 16)


def test_tables_keep_their_units_and_give_a_scale():
    settings = {
        "kind": "csv",
        "path": str(OWN_TABLE),
        "seed": 0,
        "fractions": FRACTIONS,
        "standardise": True,
    }
    splits = make_splits(settings)
    assert len(splits.train) == 280
    assert splits.train[:, 0].mean() == pytest.approx(150, abs=10)
    assert_array_equal(splits.scale, splits.train.std(axis=0, ddof=1))
    assert_array_equal(make_splits(settings | {"standardise": False}).scale, np.ones(3))
    assert splits.provenance["source_sha256"] == sha256_of(OWN_TABLE)


@pytest.mark.parametrize("kind", ["npz", "csv", "parquet"])
def test_every_format_gives_the_same_points(tmp_path, kind):
    frame = pd.DataFrame(own_table_rows(), columns=["a", "b", "c"])
    path = tmp_path / f"table.{kind}"
    if kind == "npz":
        np.savez(path, points=frame.to_numpy())
    elif kind == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    table = read_table({"kind": kind, "path": str(path)})
    assert_array_equal(table.points, frame.to_numpy())


def test_columns_and_labels_are_chosen(tmp_path):
    frame = pd.DataFrame(own_table_rows(), columns=["a", "b", "c"])
    frame["species"] = ["cat", "ant", "bee", "cat"] * 100
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    settings = {"kind": "csv", "path": str(path), "label_column": "species"}
    assert read_table(settings).columns == ("a", "b", "c")
    table = read_table(settings | {"columns": ["c", "a"]})
    assert_array_equal(table.points, frame[["c", "a"]].to_numpy())
    assert_array_equal(table.labels[:4], [2, 0, 1, 2])


def test_splits_are_read_as_written(tmp_path):
    splits = make_splits(CIRCLES)
    splits.save(tmp_path / "splits.safetensors", tmp_path / "splits.json")
    loaded = load_splits(tmp_path / "splits.safetensors")
    assert loaded.provenance == splits.provenance
    assert json.loads((tmp_path / "splits.json").read_text()) == splits.provenance
    for name in ("train", "validation", "test", "train_labels", "test_labels", "scale"):
        assert_array_equal(getattr(loaded, name), getattr(splits, name))
        assert getattr(loaded, name).dtype == np.float64
    loaded.train[0, 0] = 7.0


def test_equal_tensors_are_equal_files(tmp_path):
    tensors = {"b": np.arange(6.0).reshape(2, 3), "a": np.float32(3.0), "c": np.zeros((0, 2))}
    metadata = {"kind": "test", "y": 1, "x": [1.5, None, "z"]}
    for name in ("first", "second"):
        save_tensors(tmp_path / name, dict(reversed(tensors.items())), metadata)
        tensors = dict(reversed(tensors.items()))
        metadata = dict(reversed(metadata.items()))
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    loaded, found = load_tensors(tmp_path / "first", kind="test")
    assert found == metadata
    assert loaded["a"].shape == ()
    assert loaded["c"].shape == (0, 2)
    assert_array_equal(loaded["b"], tensors["b"])


def test_torch_tensors_are_saved_without_a_gradient(tmp_path):
    torch = pytest.importorskip("torch")
    save_tensors(tmp_path / "file", {"w": torch.ones(2, 3, requires_grad=True).T})
    assert_array_equal(load_tensors(tmp_path / "file")[0]["w"], np.ones((3, 2), dtype=np.float32))


def test_every_flipped_bit_of_the_values_is_noticed(tmp_path):
    path = tmp_path / "file"
    save_tensors(path, {"a": np.arange(4.0)}, {"seed": 1})
    content = path.read_bytes()
    for position in range(len(content) - 32, len(content)):
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        with pytest.raises(ArtifactError, match="altered"):
            load_tensors(path)


def test_any_truncation_is_noticed(tmp_path):
    path = tmp_path / "file"
    save_tensors(path, {"a": np.arange(4.0)}, {"seed": 1})
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ArtifactError, match="truncated"):
            load_tensors(path)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "deep" / "table.csv"
    write_csv(path, pd.DataFrame({"x": [1.0]}))

    def fail_half_way():
        with atomic_write(path) as temporary:
            assert temporary.suffix == ".csv"
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert path.read_text() == "x\n1.0\n"
    assert os.listdir(path.parent) == ["table.csv"]


def test_a_new_file_takes_the_place_of_the_old_one_at_once(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    # A copy, unlike a renamed file, would show a reader parts of both.
    with open(path, encoding="utf-8") as reader:
        with atomic_write(path) as temporary:
            temporary.write_text("new")
        assert reader.read() == "old"
    assert path.read_text() == "new"


def test_a_file_in_the_way_of_a_directory_is_named(tmp_path):
    (tmp_path / "results").write_text("in the way")
    with pytest.raises(ArtifactError, match="in the way"), atomic_write(tmp_path / "results" / "x"):
        pass


def test_tables_give_back_their_floats(tmp_path):
    frame = pd.DataFrame(
        {
            "name": ["a", None],
            "n": [1, 2],
            "value": [0.1 + 0.2, 1e-300],
            "reference": [float("nan"), np.float64(2) / 3],
        }
    )
    write_csv(tmp_path / "t.csv", frame)
    assert (tmp_path / "t.csv").read_bytes() == (
        b"name,n,value,reference\na,1,0.30000000000000004,\n,2,1e-300,0.6666666666666666\n"
    )
    again = pd.read_csv(tmp_path / "t.csv")
    pd.testing.assert_frame_equal(again, frame, check_exact=True, check_dtype=False)


def test_json_refuses_what_json_cannot_hold(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert not (tmp_path / "x.json").exists()


@pytest.mark.parametrize("kind", ["csv", "npz", "parquet"])
def test_single_points_are_read_from_every_format(tmp_path, kind):
    path, point = tmp_path / f"points.{kind}", np.array([[0.5, -1.25, 3.0]])
    frame = pd.DataFrame(point, columns=["a", "b", "c"])
    write = {
        "csv": lambda: frame.to_csv(path, index=False),
        "npz": lambda: np.savez(path, points=point),
        "parquet": lambda: frame.to_parquet(path),
    }
    write[kind]()
    assert_array_equal(read_points(path, 3), point)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("points.csv", "a,b\n1,2\n", "expected 3 columns"),
        ("points.csv", "a,b,c\n1,2,\n", "expected a finite number"),
        ("points.csv", "a,b,c\n", "expected rows"),
        ("points.doc", "1 2 3\n", r"ending in \.csv"),
    ],
)
def test_points_that_do_not_fit_are_refused(tmp_path, name, text, says):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DataError, match=says):
        read_points(path, 3)


def test_a_table_without_rows_adds_none_to_the_merged_one(tmp_path):
    for name, rows in (("empty", []), ("one", [{"a": 1, "b": 0.5}])):
        write_rows(tmp_path / f"{name}.csv", rows)
    for order in (["empty", "one"], ["one", "empty"]):
        merge_tables([tmp_path / f"{name}.csv" for name in order], tmp_path / "merged.csv")
        assert (tmp_path / "merged.csv").read_text() == "a,b\n1,0.5\n"
    write_rows(tmp_path / "other.csv", [{"a": 1, "c": 2}])
    with pytest.raises(ArtifactError, match="expected the columns a,b, got a,c"):
        merge_tables([tmp_path / "one.csv", tmp_path / "other.csv"], tmp_path / "merged.csv")
