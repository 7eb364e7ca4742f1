"""Sets of images: every source gives the grey levels it holds, stored once, and numbers that convert both ways."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from PIL import Image

from inflationary_flows.data.checksums import verify_file
from inflationary_flows.data.images import read_images
from inflationary_flows.data.photo_patches import PHOTOGRAPHS, cut_patches, read_photographs, regions
from inflationary_flows.data.picture_files import decode
from inflationary_flows.data.pixels import ImageFormat, Pixels
from inflationary_flows.data.preparation import make_splits
from inflationary_flows.data.splits import load_splits
from inflationary_flows.errors import ArtifactError, DataError
from inflationary_flows.experiments.spectra.figure import draw_spectra
from inflationary_flows.files.tensors import load_tensors, map_tensors, save_tensors
from inflationary_flows.mathematics.eigenbasis import Eigenbasis, participation_ratio
from inflationary_flows.plotting.material import Material
from pictures import BATCHES, afhq_members, batch, cifar_members, noise, png, write_idx, write_tar, write_zip

FRACTIONS = {"train": 0.6, "validation": 0.2, "test": 0.2}
FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
SPLITS = ("train", "validation", "test")


@given(st.integers(1, 255))
def test_grey_levels_survive_the_way_to_numbers_and_back(levels):
    image = ImageFormat(1, 1, levels + 1, levels)
    values = np.arange(levels + 1, dtype=np.uint8)
    points = image.to_points(values)
    assert points[0] == -1.0
    assert points[-1] == 1.0
    assert_array_equal(points, 2.0 * values / levels - 1)
    assert_array_equal(image.to_levels(points), values)
    # Anything nearer to a level than to its neighbours rounds to it.
    assert_array_equal(image.to_levels(points + 0.98 / levels), values)
    assert_array_equal(image.to_levels(points - 0.98 / levels), values)


def test_numbers_outside_of_the_range_are_cut_off():
    assert_array_equal(ImageFormat(1, 1, 3).to_levels(np.array([-1e9, 0.0, 7.0])), [0, 128, 255])


@pytest.mark.parametrize("levels", [16, 255])
def test_least_variance_is_that_of_rounding(levels):
    image = ImageFormat(1, 1, 1, levels)
    x = np.random.default_rng(0).uniform(-1 + 1 / levels, 1 - 1 / levels, 200_000)
    error = image.to_points(image.to_levels(x)) - x
    assert np.mean(error**2) == pytest.approx(image.least_variance, rel=0.01)


def test_pixels_index_and_convert_as_an_array_of_points():
    image = ImageFormat(3, 2, 2)
    pixels = Pixels(noise(7, 12), image)
    dense = 2.0 * pixels.values / 255 - 1
    keys = [3, slice(1, 5), [0, 6], np.array([2, 2]), np.arange(7) % 2 == 0, (slice(None), 4), ..., slice(0, 0)]
    for key in keys:
        assert_array_equal(pixels[key], dense[key])
        assert pixels[key].dtype == np.float64
    assert (pixels.shape, pixels.ndim, len(pixels), pixels.dtype) == ((7, 12), 2, 7, np.float64)
    assert_array_equal(np.asarray(pixels), dense)
    assert_array_equal(np.vstack([pixels, pixels]), np.vstack([dense, dense]))
    assert_array_equal(np.asarray(pixels, dtype=np.float32), dense.astype(np.float32))
    assert_array_equal(torch.as_tensor(pixels).numpy(), dense)
    assert_array_equal(torch.as_tensor(pixels, dtype=torch.float32).numpy(), dense.astype(np.float32))


# ---------------------------------------------------------------------------------------------
# Storage


def test_images_are_stored_once_and_mapped(tmp_path):
    path = write_tar(tmp_path / "tiny.tar.gz", cifar_members(40))
    splits = make_splits({"kind": "cifar10", "path": str(path), "seed": 0, "validation_share": 0.1})
    splits.save(tmp_path / "splits.safetensors", tmp_path / "splits.json")
    images = sum(len(getattr(splits, name)) for name in SPLITS)
    overhead = (tmp_path / "splits.safetensors").stat().st_size - images * 3072
    assert 0 < overhead < 8 * (images + 3072) + 10_000
    loaded = load_splits(tmp_path / "splits.safetensors")
    assert loaded.image == ImageFormat(3, 32, 32)
    assert loaded.provenance == splits.provenance == json.loads((tmp_path / "splits.json").read_text())
    for name in SPLITS:
        values = getattr(loaded, name).values
        assert values.dtype == np.uint8
        assert not values.flags.owndata
        assert not values.flags.writeable
        assert_array_equal(values, getattr(splits, name).values)
        assert_array_equal(getattr(loaded, f"{name}_labels"), getattr(splits, f"{name}_labels"))
    assert_array_equal(loaded.scale, np.ones(3072))


def test_mapped_tensors_are_those_that_are_read(tmp_path):
    path = tmp_path / "file"
    tensors = {
        "bytes": noise(5, 3),
        "numbers": np.linspace(0, 1, 6).reshape(2, 3),
        "one": np.float32(3),
        "none": np.zeros((0, 2)),
        "flags": np.array([True, False]),
    }
    save_tensors(path, tensors, {"kind": "test"})
    mapped, metadata = map_tensors(path, kind="test")
    read, same = load_tensors(path, kind="test")
    assert metadata == same
    assert set(mapped) == set(read)
    for name in read:
        assert_array_equal(mapped[name], read[name])
        assert mapped[name].dtype == read[name].dtype
        assert mapped[name].shape == read[name].shape


def test_mapping_notices_every_changed_byte_and_every_cut(tmp_path):
    path = tmp_path / "file"
    save_tensors(path, {"a": np.arange(4.0)}, {"seed": 1})
    content = path.read_bytes()
    for position in range(len(content) - 32, len(content)):
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        with pytest.raises(ArtifactError, match="altered"):
            map_tensors(path)
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ArtifactError, match="truncated"):
            map_tensors(path)


# ---------------------------------------------------------------------------------------------
# Sources


def test_cifar_is_read_as_it_was_written(tmp_path):
    path = write_tar(tmp_path / "tiny.tar.gz", cifar_members(4))
    source = read_images({"kind": "cifar10", "path": str(path)})
    expected = [batch(4, seed) for seed in range(len(BATCHES))]
    assert_array_equal(source.parts["train"][0], np.concatenate([b[b"data"] for b in expected[:5]]))
    assert_array_equal(source.parts["test"][0], expected[5][b"data"])
    assert_array_equal(source.parts["test"][1], expected[5][b"labels"])
    assert source.record["counts"] == {"train": 20, "test": 4}
    assert source.record["official"] is False


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_cifar_is_read_in_every_protocol_that_knows_no_frames_of_arrays(tmp_path, protocol):
    members = {f"cifar-10-batches-py/{name}": pickle.dumps(batch(3, 7), protocol=protocol) for name in BATCHES}
    path = write_tar(tmp_path / "tiny.tar.gz", members)
    source = read_images({"kind": "cifar10", "path": str(path)})
    assert_array_equal(source.parts["test"][0], batch(3, 7)[b"data"])


def test_official_test_parts_are_kept_unless_fractions_pool_them(tmp_path):
    path = write_tar(tmp_path / "tiny.tar.gz", cifar_members(20))
    settings = {"kind": "cifar10", "path": str(path), "seed": 1}
    parts = read_images(settings).parts
    kept = make_splits(settings | {"validation_share": 0.1})
    assert [len(getattr(kept, name)) for name in SPLITS] == [90, 10, 20]
    assert rows_of(kept.test) == rows_of(parts["test"][0])
    assert rows_of(kept.train) | rows_of(kept.validation) == rows_of(parts["train"][0])
    assert not rows_of(kept.train) & rows_of(kept.validation)
    pooled = make_splits(settings | {"fractions": FRACTIONS})
    assert [len(getattr(pooled, name)) for name in SPLITS] == [72, 24, 24]
    everything = set.union(*(rows_of(getattr(pooled, name)) for name in SPLITS))
    assert everything == rows_of(parts["train"][0]) | rows_of(parts["test"][0])
    assert rows_of(pooled.test) != rows_of(parts["test"][0])


def rows_of(images):
    """Images as a set of bytes."""
    return {row.tobytes() for row in getattr(images, "values", images)}


def test_labels_stay_with_their_images(tmp_path):
    members = {}
    for group, level in (("a", 10), ("b", 100), ("c", 200)):
        for number in range(5):
            members[f"{group}/{number}.png"] = png(np.full((4, 4), level, np.uint8))
    path = write_zip(tmp_path / "three.zip", members)
    settings = {"kind": "image_folder", "path": str(path), "resolution": 4, "resize": "box", "channels": 1, "seed": 0}
    splits = make_splits(settings | {"fractions": FRACTIONS})
    for name in SPLITS:
        values, labels = getattr(splits, name).values, getattr(splits, f"{name}_labels")
        assert_array_equal(values[:, 0], np.array([10, 100, 200])[labels.astype(int)])
    assert splits.provenance["counts"] == {"a": 5, "b": 5, "c": 5}


@pytest.mark.parametrize("top", ["", "afhq/"])
def test_afhq_is_read_with_and_without_a_top_folder(tmp_path, top):
    members = afhq_members(20, top)
    clutter = {f"{top}.DS_Store": b"x", "__MACOSX/train/cat/._00.png": b"x", f"{top}train/cat/Thumbs.db": b"x"}
    path = write_zip(tmp_path / "afhq.zip", clutter | dict(reversed(members.items())))
    source = read_images({"kind": "afhqv2", "path": str(path), "resolution": 20, "resize": "lanczos"})
    names = sorted(name for name in members if name.startswith(f"{top}train"))
    pixels = [np.asarray(Image.open(Path(write(tmp_path, members[name])))) for name in names]
    assert_array_equal(source.parts["train"][0], [image.transpose(2, 0, 1).reshape(-1) for image in pixels])
    assert_array_equal(source.parts["train"][1], [0, 0, 0, 1, 1, 1, 2, 2, 2])
    assert_array_equal(source.parts["test"][1], [0, 0, 1, 1, 2, 2])
    assert source.record["counts"]["train"] == {"cat": 3, "dog": 3, "wild": 3}
    assert source.record["official"] is False
    assert source.record["resize"] == "lanczos"


def write(folder, content):
    """A scratch file."""
    path = folder / "scratch.png"
    path.write_bytes(content)
    return path


def test_pictures_are_cut_to_their_middle_and_averaged():
    tall = np.zeros((12, 4), np.uint8)
    tall[4:8] = 100 * np.eye(4, dtype=np.uint8)
    image = ImageFormat(1, 2, 2)
    # The box filter is the mean over 2 x 2 pixels.
    assert_array_equal(decode("x", png(tall), image, "box"), [50, 0, 0, 50])
    assert_array_equal(decode("x", png(tall.T.copy()), image, "box"), [50, 0, 0, 50])
    assert_array_equal(decode("x", png(tall), ImageFormat(3, 2, 2), "box"), [50, 0, 0, 50] * 3)


def test_colour_planes_come_one_after_another():
    values = noise(3, 3, 3)
    flat = decode("x", png(values), ImageFormat(3, 3, 3), "bicubic")
    assert_array_equal(flat.reshape(3, 3, 3), values.transpose(2, 0, 1))


def test_transparent_and_palette_pictures_become_plain_ones():
    values = noise(4, 4, 4)
    assert_array_equal(
        decode("x", png(values), ImageFormat(3, 4, 4), "box").reshape(3, 16).T, values.reshape(16, 4)[:, :3]
    )


@pytest.mark.parametrize("archived", [False, True])
def test_folder_and_zip_of_the_same_pictures_are_the_same_images(tmp_path, archived):
    members = {f"{group}/{number}.png": png(noise(9, 7, 3, seed=number)) for group in "ab" for number in range(4)}
    folder = tmp_path / "folder"
    for name, content in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / ".hidden").write_text("x")
    path = write_zip(tmp_path / "x.zip", members) if archived else folder
    source = read_images(
        {"kind": "image_folder", "path": str(path), "resolution": 5, "resize": "bilinear", "channels": 3}
    )
    expected = [decode("x", members[name], ImageFormat(3, 5, 5), "bilinear") for name in sorted(members)]
    assert_array_equal(source.parts["train"][0], expected)
    assert_array_equal(source.parts["train"][1], [0] * 4 + [1] * 4)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_keep_their_test_part(tmp_path, suffix):
    folder = write_idx(tmp_path / "idx", suffix=suffix)
    source = read_images({"kind": "idx", "path": str(folder), "resolution": 6})
    assert_array_equal(source.parts["train"][0], noise(30, 6, 6, seed=0).reshape(30, 36))
    assert_array_equal(source.parts["test"][1], noise(10, seed=1) % 10)
    files = sorted(str(path) for path in folder.iterdir())
    listed = read_images({"kind": "idx", "path": files, "resolution": 6})
    assert_array_equal(listed.parts["test"][0], source.parts["test"][0])
    single = read_images({"kind": "idx", "path": str(folder / f"t10k-images-idx3-ubyte{suffix}"), "resolution": 6})
    assert set(single.parts) == {"train"}
    assert_array_equal(single.parts["train"][0], source.parts["test"][0])


def test_a_checksum_knows_its_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    verify_file(path, "md5:900150983cd24fb0d6963f7d28e17f72")
    verify_file(path, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    verify_file(path, "record")
    path.write_bytes(b"abd")
    with pytest.raises(DataError, match=r"expected md5:9001.*, got md5:4911e516e5aa21d327512e0c8b197616"):
        verify_file(path, "md5:900150983cd24fb0d6963f7d28e17f72")


# ---------------------------------------------------------------------------------------------
# Patches of photographs

PATCHES = {"train": 40, "validation": 10, "test": 20}


def test_photographs_are_those_of_scikit_image():
    from skimage import data

    for name, photograph in read_photographs().items():
        assert_array_equal(np.asarray(photograph), getattr(data, name.partition(".")[0])())


@pytest.mark.parametrize("size", [photograph.size for photograph in read_photographs().values()])
def test_regions_of_the_splits_are_apart_and_hold_patches(size):
    train, validation, test = (regions(*size)[name] for name in SPLITS)
    assert 0 == train.left < train.right == validation.left < validation.right == test.left < test.right == size[0]
    assert min(region.largest_side for region in (train, validation, test)) >= 64


def test_patches_of_a_split_lie_in_its_region(monkeypatch):
    """Photographs whose red level encodes the column, so that patches show where they come from."""
    columns = {name: np.linspace(0, 255, 400).astype(np.uint8) for name in PHOTOGRAPHS}
    painted = {
        name: Image.fromarray(np.repeat(np.tile(row, (300, 1))[:, :, None], 3, axis=2)) for name, row in columns.items()
    }
    monkeypatch.setattr("inflationary_flows.data.photo_patches.read_photographs", lambda: painted)
    source = cut_patches(32, "box", PATCHES, 0)
    region = regions(400, 300)
    for name in SPLITS:
        red = source.parts[name][0].reshape(-1, 3, 32, 32)[:, 0]
        row = columns[PHOTOGRAPHS[0]]
        assert red.min() >= row[region[name].left]
        assert red.max() <= row[region[name].right - 1]
        falling = red[:, 0, 0] > red[:, 0, -1]
        assert falling.any() == (name == "train"), "only training patches are mirrored"
        width = np.ptp(red[:, 0].astype(float), axis=1) / 255 * 400
        assert 0.85 * 64 < width.min() < 1.4 * 64
        assert width.max() > 0.6 * region[name].largest_side


def test_patches_follow_from_the_seed_and_fewer_are_the_first_of_more():
    first, again, other = (cut_patches(16, "box", PATCHES, seed) for seed in (0, 0, 1))
    more = cut_patches(16, "box", PATCHES | {"train": 60}, 0)
    for name in SPLITS:
        assert_array_equal(first.parts[name][0], again.parts[name][0])
        assert not np.array_equal(first.parts[name][0], other.parts[name][0])
        assert_array_equal(first.parts[name][0], more.parts[name][0][: PATCHES[name]])


# ---------------------------------------------------------------------------------------------
# Spectra of real images


def test_photo_patches_have_about_the_participation_ratio_of_cifar():
    values = cut_patches(32, "box", {"train": 1500, "validation": 2, "test": 2}, 0).parts["train"][0]
    x = ImageFormat(3, 32, 32).to_points(values)
    gram = (x - x.mean(0)) @ (x - x.mean(0)).T
    assert np.trace(gram) ** 2 / np.sum(gram**2) == pytest.approx(9.24, abs=1.0)


def test_digits_have_their_participation_ratio():
    x = np.concatenate([part for part, _ in read_images({"kind": "digits"}).parts.values()])
    assert Eigenbasis.fit(Pixels(x, ImageFormat(1, 8, 8, 16))).participation_ratio == pytest.approx(13.2, abs=0.05)


@pytest.mark.skipif(not FASHION_MNIST.is_dir(), reason=f"no Fashion-MNIST in {FASHION_MNIST}")
def test_fashion_mnist_has_its_published_participation_ratio():
    source = read_images({"kind": "idx", "path": str(FASHION_MNIST), "resolution": 28})
    assert source.record["counts"] == {"train": 60_000, "test": 10_000}
    basis = Eigenbasis.fit(Pixels(source.parts["train"][0], source.image))
    assert basis.participation_ratio == pytest.approx(7.90, abs=0.005)
    assert participation_ratio(basis.eigenvalues) == basis.participation_ratio


def test_figure_of_spectra_states_participation_ratios():
    spectra = {"flat": np.ones(8), "steep": np.array([4.0, 1.0, 0.0])}
    table = pd.concat(
        pd.DataFrame(
            {
                "dataset": name,
                "index": np.arange(1, len(values) + 1),
                "eigenvalue": values,
                "cumulative_share": np.cumsum(values) / values.sum(),
            }
        )
        for name, values in spectra.items()
    )
    left, right = draw_spectra(Material(tables={"spectra": table})).axes
    assert left.get_xscale() == left.get_yscale() == right.get_xscale() == "log"
    # A direction without variance has no place on a logarithmic axis.
    assert [len(line.get_ydata()) for line in left.lines] == [8, 2]
    assert [line.get_ydata()[-1] for line in right.lines] == [1.0, 1.0]
    texts = [text.get_text() for text in right.get_legend().get_texts()]
    assert texts == ["flat (D = 8, PR 8.00)", "steep (D = 3, PR 1.47)"]
