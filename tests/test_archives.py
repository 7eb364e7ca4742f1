"""Archives and downloads that are broken, unsafe or something else: one clear message, nothing half-written."""

import contextlib
import gzip
import hashlib
import http.server
import io
import json
import logging
import os
import pickle
import stat
import struct
import tarfile
import threading
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from conftest import run_workflow
from inflationary_flows.__main__ import main
from inflationary_flows.data import archives, download, picture_files
from inflationary_flows.data.download import fetch, file_name
from inflationary_flows.data.images import read_images
from inflationary_flows.data.preparation import make_splits
from inflationary_flows.errors import DataError
from job_scripts import Named, run_script
from pictures import CIFAR, afhq_members, batch, cifar_members, idx, noise, png, write_idx, write_tar, write_zip

LOGGER = logging.getLogger("test")
BATCH = f"{CIFAR}/data_batch_3"


def cifar(members):
    """A way to write CIFAR-10's archive."""
    return {"kind": "cifar10"}, "x.tar.gz", lambda path: write_tar(path, members)


def cifar_pickle(content):
    """CIFAR-10's archive with another pickle for a batch."""
    return cifar(cifar_members() | {BATCH: content})


def cifar_link(kind, target):
    """CIFAR-10's archive with a link or device for a batch."""

    def write(path):
        write_tar(path, {})
        with tarfile.open(path, "w:gz") as archive:
            info = tarfile.TarInfo(BATCH)
            info.type, info.linkname = kind, target
            archive.addfile(info)

    return {"kind": "cifar10"}, "x.tar.gz", write


def afhq(members, **settings):
    """A way to write AFHQv2's archive."""
    settings = {"kind": "afhqv2", "resolution": 8, "resize": "box", **settings}
    return settings, "x.zip", lambda path: write_zip(path, members)


def pictures(members):
    """A way to write an archive of pictures."""
    settings = {"kind": "image_folder", "resolution": 4, "resize": "box", "channels": 3}
    return settings, "x.zip", lambda path: write_zip(path, members)


def zip_with(edit):
    """An archive of one picture whose entry is edited before it is written."""

    def write(path):
        info = zipfile.ZipInfo("a.png")
        edit(info)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(info, png(noise(4, 4)))

    return pictures({})[0], "x.zip", write


def changed(example, change):
    """An archive whose bytes are changed after it is written."""
    settings, name, write = example

    def write_changed(path):
        write(path)
        path.write_bytes(change(path.read_bytes()))

    return settings, name, write_changed


def cut(share):
    """Keeps the first part."""
    return lambda content: content[: int(share * len(content))]


def link(info):
    """Makes an entry a symbolic link."""
    info.external_attr = (stat.S_IFLNK | 0o777) << 16


def encrypt(content):
    """Sets the flag of encryption in the local and in the central header."""
    content = bytearray(content)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    return bytes(content)


def declare(size):
    """Understates an entry's unpacked size in the central header."""

    def edit(content):
        place = content.index(b"PK\x01\x02") + 24
        return content[:place] + struct.pack("<I", size) + content[place + 4 :]

    return edit


def single(content, resolution=4, name="images"):
    """A single idx file."""
    return {"kind": "idx", "resolution": resolution}, name, lambda path: path.write_bytes(content)


class Opens:
    """What a foreign pickle may do: anything."""

    def __reduce__(self):
        return (open, ("written_by_the_pickle", "w"))


def deep_png(kind):
    """A PNG file of 4 x 4 pixels of 16 bits: grey (0) or colour (2), with alpha (4, 6)."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[kind]
    rows = b"".join(b"\0" + noise(4 * 2 * channels, seed=row).tobytes() for row in range(4))
    content = b"\x89PNG\r\n\x1a\n"
    for name, part in (
        (b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, kind, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ):
        content += struct.pack(">I", len(part)) + name + part + struct.pack(">I", zlib.crc32(name + part))
    return content


GOOD_BATCH = batch(4, 0)
WIDE = np.zeros((2, 3073), np.uint8)
BOMB = b"\0" * (300 << 20)
IMAGES = noise(3, 4, 4)
LARGE_PNG = io.BytesIO()
Image.new("1", (8000, 8000)).save(LARGE_PNG, "PNG")
ANIMATION = io.BytesIO()
Image.new("L", (4, 4)).save(ANIMATION, "PNG", save_all=True, append_images=[Image.new("L", (4, 4), 9)])
JPEG = io.BytesIO()
Image.new("L", (8, 8)).save(JPEG, "JPEG")
# The precision stands behind the marker and the length of the frame's header.
TWELVE_BITS = JPEG.getvalue().replace(b"\xff\xc0\x00\x0b\x08", b"\xff\xc0\x00\x0b\x0c")
GIF = io.BytesIO()
Image.new("L", (4, 4)).save(GIF, "GIF")

CASES = {
    "tar cut in the middle": (changed(cifar(cifar_members()), cut(0.5)), ["x.tar.gz", "a whole tar.gz", "cannot"]),
    "tar cut at its very end": (changed(cifar(cifar_members()), lambda c: c[:-4]), ["a whole tar.gz archive"]),
    "tar with a changed byte": (
        changed(cifar(cifar_members()), lambda c: c[:-3000] + bytes([c[-3000] ^ 9]) + c[-2999:]),
        ["x.tar.gz"],
    ),
    "a zip as tar": (({"kind": "cifar10"}, "x", lambda p: write_zip(p, {"a": b"b"})), ["a whole tar.gz archive"]),
    "an empty tar": (cifar({}), ["data_batch_1", "without data_batch_1"]),
    "a batch missing": (cifar({n: c for n, c in cifar_members().items() if n != BATCH}), ["without data_batch_3"]),
    "a tar that leads out": (cifar(cifar_members() | {"../evil": b"x"}), ["relative names", "../evil", "leads out"]),
    "a tar with absolute names": (cifar(cifar_members() | {"/evil": b"x"}), ["relative names", "/evil"]),
    "a symbolic link in a tar": (cifar_link(tarfile.SYMTYPE, "/etc/passwd"), ["plain files", BATCH, "a link"]),
    "a hard link in a tar": (cifar_link(tarfile.LNKTYPE, "a"), ["plain files", "a link"]),
    "a device in a tar": (cifar_link(tarfile.CHRTYPE, ""), ["plain files", "device"]),
    "a tar bomb": (cifar({"bomb": BOMB} | cifar_members()), ["plausible sizes", '"bomb" of 314572800 bytes']),
    "a pickle that runs code": (cifar_pickle(pickle.dumps(Opens())), ["data_batch_3", "one that calls for", "open"]),
    "a pickle that names os.system": (cifar_pickle(b"cos\nsystem\n(S'true'\ntR."), ["calls for os.system"]),
    "a pickle that calls an array": (cifar_pickle(b"cnumpy\nndarray\n(tR."), ["bytes that are not", "numpy.ndarray"]),
    "a pickle of objects": (
        cifar_pickle(pickle.dumps(GOOD_BATCH | {b"data": np.array([None])}, protocol=2)),
        ["uint8 data of shape (n, 3072)"],
    ),
    "no pickle": (cifar_pickle(b"data"), ["data_batch_3", "a pickle of arrays", "bytes that are not"]),
    "an empty batch": (cifar_pickle(b""), ["data_batch_3", "bytes that are not"]),
    "a cut pickle": (cifar_pickle(pickle.dumps(GOOD_BATCH, 2)[:-500]), ["bytes that are not"]),
    "a batch of other images": (cifar_pickle(pickle.dumps(GOOD_BATCH | {b"data": WIDE}, 2)), ["shape (2, 3073)"]),
    "a batch without data": (cifar_pickle(pickle.dumps({b"labels": [1]}, 2)), ["uint8 data", "NoneType"]),
    "a batch of numbers with fractions": (
        cifar_pickle(pickle.dumps(GOOD_BATCH | {b"data": np.zeros((4, 3072))}, 2)),
        ["uint8 data"],
    ),
    "labels that lack one": (
        cifar_pickle(pickle.dumps(GOOD_BATCH | {b"labels": [0, 1, 2]}, 2)),
        ["4 labels", "3 others"],
    ),
    "labels beyond the classes": (cifar_pickle(pickle.dumps(GOOD_BATCH | {b"labels": [0, 1, 2, 10]}, 2)), ["0 to 9"]),
    "zip cut": (changed(afhq(afhq_members()), cut(0.7)), ["x.zip", "a whole zip archive", "cannot be read"]),
    "zip with a changed byte": (
        changed(pictures({"a.png": png(noise(40, 40))}), lambda c: c[:300] + bytes([c[300] ^ 9]) + c[301:]),
        ["x.zip"],
    ),
    "a tar as zip": (({**afhq({})[0]}, "x", lambda p: write_tar(p, {"a": b"b"})), ["a whole zip archive"]),
    "a zip that leads out": (pictures({"../a.png": b"x"}), ["relative names", "../a.png", "leads out"]),
    "a zip that leads out on Windows": (pictures({"..\\a.png": b"x"}), ["relative names"]),
    "a zip with absolute names": (pictures({"/a.png": b"x"}), ["relative names", "/a.png"]),
    "a zip with a drive": (pictures({"c:/a.png": b"x"}), ["relative names", "c:/a.png"]),
    "a link in a zip": (zip_with(link), ["plain files", '"a.png", a link']),
    "an encrypted zip": (changed(zip_with(lambda info: None), encrypt), ["plain files", "encrypted"]),
    "a zip bomb": (pictures({"a.png": BOMB[: 40 << 20]}), ["plausible sizes", '"a.png"', "41943040 bytes packed"]),
    "a zip bomb that understates": (changed(pictures({"a.png": BOMB[: 1 << 20]}), declare(99)), ["x.zip"]),
    "a zip of huge members": (pictures({"a.png": BOMB}), ["plausible sizes", '"a.png" of 314572800 bytes']),
    "a text among pictures": (
        pictures({"a.png": png(noise(4, 4)), "b/notes.txt": b"x"}),
        ["pictures only", "notes.txt"],
    ),
    "a text called a picture": (pictures({"b/a.png": b"hello"}), ["x.zip, b/a.png", "a whole PNG or JPEG picture"]),
    "another format called a picture": (pictures({"a.png": GIF.getvalue()}), ["x.zip, a.png", "a whole PNG or JPEG"]),
    "a cut picture": (pictures({"a.png": png(noise(40, 40))[:-900]}), ["x.zip, a.png", "a whole PNG or JPEG picture"]),
    "a picture bomb": (pictures({"a.png": LARGE_PNG.getvalue()}), ["a.png", "at most 50000000 pixels", "8000 x 8000"]),
    **{
        f"a picture of 16 bits, {name}": (pictures({"a.png": deep_png(kind)}), ["a.png", "8 bits a channel", "16 bits"])
        for name, kind in {"grey": 0, "colour": 2, "grey with alpha": 4, "colour with alpha": 6}.items()
    },
    "a JPEG of 12 bits": (pictures({"a.jpg": TWELVE_BITS}), ["x.zip, a.jpg", "a whole PNG or JPEG picture"]),
    "an animation": (pictures({"a.png": ANIMATION.getvalue()}), ["x.zip, a.png", "one picture", "an animation of 2"]),
    "a Windows zip with a drive": (pictures({"c:\\a.png": b"x"}), ["relative names"]),
    "a Windows zip of a share": (pictures({"\\\\server\\a.png": b"x"}), ["relative names"]),
    "a Windows zip that leads out further down": (pictures({"a\\..\\..\\b.png": b"x"}), ["relative names"]),
    "a name in two writings": (
        pictures({"a/b.png": png(noise(4, 4)), "a\\b.png": png(noise(4, 4))}),
        ["a/b.png", "twice"],
    ),
    "no pictures": (pictures({"__MACOSX/a.png": b"x", ".b.png": b"x"}), ["x.zip", "pictures", "none"]),
    "another class in AFHQ": (afhq(afhq_members() | {"train/bird/0.png": png(noise(4, 4))}), ["cat|dog|wild", "bird"]),
    "AFHQ without a test part": (
        afhq({n: c for n, c in afhq_members().items() if n.startswith("train")}),
        ["pictures in", "x.zip"],
    ),
    "idx of labels for images": (single(idx(noise(9))), ["an idx file of images", "0x00000803", "0x00000801"]),
    "idx of floats": (single(idx(IMAGES, kind=0x0D)), ["0x00000803", "0x00000d03"]),
    "an empty file": (single(b""), ["0x00000803", "0x"]),
    "idx cut": (single(idx(IMAGES)[:-1]), ["3 x 4 x 4 bytes after the header", "fewer"]),
    "idx cut in its header": (single(idx(IMAGES)[:9]), ["bytes after the header", "fewer"]),
    "idx with more": (single(idx(IMAGES) + b"\0"), ["3 x 4 x 4 bytes after the header", "more"]),
    "idx without images": (single(idx(IMAGES[:0])), ["at least 1"]),
    "gzipped idx cut": (single(gzip.compress(idx(IMAGES))[:-9]), ["a whole idx file", "cannot be read"]),
    "a gzip bomb": (single(gzip.compress(idx(IMAGES) + BOMB)), ["3 x 4 x 4 bytes", "more"]),
    "idx of another size": (single(idx(IMAGES), 5), ["images of 5 x 5", "4 x 4", "resolution: 4"]),
    "oblong idx": (single(idx(noise(3, 4, 5))), ["images of 4 x 4", "4 x 5", "only square"]),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_archive_gives_one_clear_message(tmp_path, monkeypatch, name):
    (settings, file, write), says = CASES[name]
    monkeypatch.chdir(tmp_path)
    write(Path(file))
    before = contents(tmp_path)
    fractions = {"train": 0.5, "validation": 0.25, "test": 0.25}
    with pytest.raises(DataError) as caught:
        make_splits({"seed": 0, "fractions": fractions, "path": file, **settings})
    message = str(caught.value)
    assert len(message.splitlines()) == 2, message
    for part in says:
        assert part in message
    assert contents(tmp_path) == before


def contents(directory):
    """Every file below a directory and its digest."""
    files = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("kind", ["cifar10", "afhqv2", "image_folder", "idx"])
def test_missing_file_is_named(tmp_path, kind):
    settings = {"kind": kind, "path": str(tmp_path / "none"), "resolution": 4, "resize": "box", "channels": 3}
    with pytest.raises(DataError, match="none"):
        read_images(settings)


def test_idx_labels_must_match_their_images(tmp_path):
    folder = write_idx(tmp_path / "idx", suffix="")
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(noise(9)))
    with pytest.raises(DataError, match="expected 10 labels, one for each image of t10k-images-idx3-ubyte, got 9"):
        read_images({"kind": "idx", "path": str(folder), "resolution": 6})


def test_folder_of_other_files_has_no_idx_images(tmp_path):
    (tmp_path / "images").write_bytes(idx(IMAGES))
    with pytest.raises(DataError, match="expected a file train-images-idx3-ubyte"):
        read_images({"kind": "idx", "path": str(tmp_path), "resolution": 4})


def tree(folder):
    """Seven pictures in three folders, one of them hidden, with links that lead to all of them."""
    for place, count in (("sparrow", 3), ("finch", 1), (".store/robin", 3)):
        (folder / place).mkdir(parents=True)
        for number in range(count):
            (folder / place / f"{number}.png").write_bytes(png(noise(4, 4, seed=10 * count + number)))
    (folder / "robin").symlink_to(".store/robin")
    return folder


def prepare(path, results):
    """Runs the job that prepares a folder of pictures, and returns its record of them."""
    fractions = {"train": 0.4, "validation": 0.3, "test": 0.3}
    settings = {"kind": "image_folder", "resolution": 4, "resize": "box", "channels": 3, "seed": 0}
    outputs = Named(splits=f"{results}/splits.safetensors", record=f"{results}/splits.json")
    params = Named(dataset={**settings, "fractions": fractions, "path": str(path)}, checksum=None)
    run_script("prepare_splits", Named(files=[]), outputs, params, Named(dataset="birds"))
    return json.loads(Path(outputs.record).read_text(encoding="utf-8"))


def test_links_within_a_folder_of_pictures_are_followed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record = prepare(tree(tmp_path / "birds"), "results/data/birds")
    assert record["counts"] == {"finch": 1, "robin": 3, "sparrow": 3}


@pytest.mark.parametrize(
    "name",
    [
        "Thumbs.db",
        "thumbs.db",
        "ehthumbs.db",
        "Desktop.ini",
        "Icon\r",
        "finch/.DS_Store",
        "__MACOSX/0.png",
        "@eaDir/0.png/SYNOPHOTO_THUMB_M.jpg",
        "$RECYCLE.BIN/0.png",
    ],
)
def test_what_file_managers_leave_behind_is_passed_over_by_the_job(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    folder = tree(tmp_path / "birds")
    clean = prepare(folder, "results/data/clean")
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(png(noise(4, 4)))
    assert prepare(folder, "results/data/birds") == clean
    zipped = write_zip(tmp_path / "x.zip", {"finch/0.png": png(noise(4, 4)), name: b"x"})
    assert read_images(folder_of(zipped)).record["counts"] == {".": 1}


@pytest.mark.parametrize("name", ["0.jfif", "0.JFIF", "0.jpe"])
def test_jpeg_files_by_other_names_are_read_by_the_job(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    folder = tree(tmp_path / "birds")
    Image.new("RGB", (6, 5), (128, 20, 30)).save(folder / "finch" / name, "JPEG")
    assert prepare(folder, "results/data/birds")["counts"] == {"finch": 2, "robin": 3, "sparrow": 3}


def split_tree(folder, *parts):
    """Two classes of pictures in each of some folders."""
    for seed, part in enumerate(parts):
        for group in ("finch", "robin"):
            (folder / part / group).mkdir(parents=True)
            for number in range(3):
                content = png(noise(4, 4, seed=10 * seed + number))
                (folder / part / group / f"{number}.png").write_bytes(content)
    return folder


@pytest.mark.parametrize(
    "parts", [("train", "val"), ("Train", "Test"), ("training", "validation", "test"), ("train", "valid")]
)
def test_folders_of_splits_that_are_read_as_classes_are_warned_of(tmp_path, monkeypatch, capsys, parts):
    monkeypatch.chdir(tmp_path)
    record = prepare(split_tree(tmp_path / "birds", *parts), "results/data/birds")
    assert record["counts"] == dict.fromkeys(parts, 6)
    [warning] = record["warnings"]
    assert f"the folders {', '.join(sorted(parts))} are taken for classes" in warning
    assert f"birds: {warning}" in capsys.readouterr().err


@pytest.mark.parametrize("parts", [("train",), ("train", "finch"), ("train", "test", "robin")])
def test_other_folders_are_classes_without_a_warning(tmp_path, monkeypatch, parts):
    monkeypatch.chdir(tmp_path)
    record = prepare(split_tree(tmp_path / "birds", *parts), "results/data/birds")
    assert list(record["counts"]) == (sorted(parts) if len(parts) > 1 else ["finch", "robin"])
    assert "warnings" not in record


def test_names_of_an_archive_may_begin_with_a_dot_and_a_slash(tmp_path):
    members = {name: png(noise(4, 4, seed=seed)) for seed, name in enumerate(("finch/0.png", "robin/0.png"))}
    plain = read_images(folder_of(write_zip(tmp_path / "x.zip", members)))
    dotted = read_images(folder_of(write_zip(tmp_path / "y.zip", {f"./{name}": c for name, c in members.items()})))
    assert dotted.record["counts"] == plain.record["counts"] == {"finch": 1, "robin": 1}
    np.testing.assert_array_equal(dotted.parts["train"][0], plain.parts["train"][0])


def test_a_picture_counts_once_however_many_links_lead_to_it(tmp_path):
    folder = tree(tmp_path / "birds")
    expected = read_images(folder_of(folder)).record
    (folder / "again").symlink_to("sparrow")
    (folder / "finch/round").symlink_to(folder)
    (folder / "sparrow/finches").symlink_to("../finch")
    (folder / "finch/sparrows").symlink_to("../sparrow")
    (folder / "a.png").symlink_to("finch/0.png")
    (folder / ".hidden").symlink_to("/nowhere")
    # The digest of a folder covers its links.
    assert {**read_images(folder_of(folder)).record, "source_sha256": expected["source_sha256"]} == expected


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("{tmp}/outside.png", "a link out of it"),
        ("{tmp}/outside", "a link out of it"),
        ("../../outside", "a link out of it"),
        ("itself.png", "a link that leads nowhere"),
        ("nowhere.png", "a link that leads nowhere"),
    ],
)
def test_links_that_lead_elsewhere_are_refused_by_the_job(tmp_path, monkeypatch, capsys, target, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside.png").write_bytes(png(noise(4, 4)))
    folder = tree(tmp_path / "birds")
    (folder / "finch/itself.png").symlink_to(target.format(tmp=tmp_path))
    with pytest.raises(SystemExit):
        prepare(folder, "results/data/birds")
    assert f"files that lie in the folder, got 'finch/itself.png', {message}." in capsys.readouterr().err


def test_classes_of_a_windows_zip_are_its_folders(tmp_path):
    names = ["birds/finch/0.png", "birds/finch/1.png", "birds/robin/0.png"]
    contents = {name: png(noise(4, 4, seed=seed)) for seed, name in enumerate(names)}
    slashes = read_images(folder_of(write_zip(tmp_path / "x.zip", contents)))
    windows = {"birds\\": b""} | {name.replace("/", "\\"): content for name, content in contents.items()}
    backslashes = read_images(folder_of(write_zip(tmp_path / "y.zip", windows)))
    assert backslashes.record["counts"] == slashes.record["counts"] == {"finch": 2, "robin": 1}
    np.testing.assert_array_equal(backslashes.parts["train"][0], slashes.parts["train"][0])


@pytest.mark.parametrize(("mode", "options"), [("RGB", {}), ("L", {}), ("CMYK", {}), ("L", {"progressive": True})])
def test_pictures_of_eight_bits_are_read(tmp_path, mode, options):
    buffer = io.BytesIO()
    Image.new(mode, (6, 5), 128 if mode == "L" else (128, 20, 30, 40)[: len(mode)]).save(buffer, "JPEG", **options)
    source = read_images(folder_of(write_zip(tmp_path / "x.zip", {"a.jpg": buffer.getvalue()})))
    assert source.parts["train"][0].shape == (1, 48)


def folder_of(path):
    """Settings of a folder or an archive of pictures."""
    return {"kind": "image_folder", "path": str(path), "resolution": 4, "resize": "box", "channels": 3}


def test_total_size_counts_however_small_the_members(tmp_path, monkeypatch):
    tar = write_tar(tmp_path / "x.tar.gz", {f"{n}": bytes(1000) for n in range(100)})
    with pytest.raises(DataError, match="plausible sizes, got more"):
        list(archives.tar_members(tar, archives.Limits(2000, 50_000)))
    assert len(list(archives.tar_members(tar, archives.Limits(2000, 500_000)))) == 100
    packed = write_zip(tmp_path / "x.zip", {f"{n}.png": bytes(1000) for n in range(100)})
    monkeypatch.setattr(picture_files, "_LIMITS", archives.Limits(2000, 50_000))
    with pytest.raises(DataError, match="100000 bytes unpacked"):
        picture_files.read_image_folder(packed, 4, "box", 3)


def test_headers_that_swell_count_too(tmp_path):
    """The long names and comments of a tar are read before its members are seen."""
    info = tarfile.TarInfo("a")
    info.pax_headers = {"comment": "x" * (4 << 20)}
    path = tmp_path / "x.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info)
    with pytest.raises(DataError, match="plausible sizes, got more"):
        list(archives.tar_members(path, archives.Limits(1 << 20, 1 << 20)))


def test_too_few_images_to_split(tmp_path):
    path = write_zip(tmp_path / "x.zip", {f"{n}.png": png(noise(4, 4)) for n in range(5)})
    settings = {"kind": "image_folder", "path": str(path), "resolution": 4, "resize": "box", "channels": 1, "seed": 0}
    with pytest.raises(DataError, match="validation split: expected at least 2 rows, got 1 of 5"):
        make_splits(settings | {"fractions": {"train": 0.6, "validation": 0.2, "test": 0.2}})


# ---------------------------------------------------------------------------------------------
# Downloads

CONTENT = noise(100_000).tobytes()
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT, whole or cut, or an error; `server.failures` tries fail first."""

    def do_GET(self):
        self.server.requests += 1
        failing = self.server.requests <= self.server.failures
        if self.path == "/missing.zip" or (failing and self.path == "/busy.zip"):
            self.send_error(404 if self.path == "/missing.zip" else 503)
            return
        if self.path == "/elsewhere.zip":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
            return
        self.send_response(200)
        if self.path == "/endless.zip":
            self.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(bytes(1 << 16))
        if self.path == "/slow.zip":
            self.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(b"x")
                    time.sleep(0.02)
        self.send_header("Content-Length", "9" * 18 if self.path == "/huge.zip" else str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: len(CONTENT) // 2] if failing else CONTENT)

    def log_message(self, *arguments):
        """Keeps quiet."""


@pytest.fixture
def server():
    """A server on this machine, for the time of one test."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requests = server.failures = 0
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def url_of(server, name):
    """Address of a file of the server."""
    return f"http://127.0.0.1:{server.server_port}/{name}"


@pytest.mark.parametrize("checksum", [f"sha256:{SHA256}", f"md5:{MD5}", "record"])
@pytest.mark.parametrize("failures", [0, 2])
@pytest.mark.parametrize("name", ["whole.zip", "busy.zip"])
def test_download_is_whole_after_at_most_three_tries(tmp_path, server, checksum, failures, name):
    server.failures = failures
    path = tmp_path / "deep" / "x.zip"
    assert fetch(url_of(server, name), path, checksum, LOGGER, first_wait=0.01) == SHA256
    assert path.read_bytes() == CONTENT
    assert os.listdir(path.parent) == ["x.zip"]
    assert server.requests == failures + 1


@pytest.mark.parametrize(("name", "got"), [("cut.zip", "50000 of 100000 bytes"), ("busy.zip", "HTTP status 503")])
def test_transfer_that_breaks_off_each_time_leaves_nothing(tmp_path, server, name, got):
    server.failures = 99
    with pytest.raises(DataError, match=f"succeeds within 3 tries, got {got}"):
        fetch(url_of(server, name), tmp_path / "x.zip", "record", LOGGER, first_wait=0.01)
    assert server.requests == 3
    assert os.listdir(tmp_path) == []


def test_wrong_checksum_names_both_and_leaves_the_old_file(tmp_path, server):
    path = tmp_path / "x.zip"
    path.write_bytes(b"old")
    with pytest.raises(DataError, match=f"expected sha256:{'0' * 64}, got sha256:{SHA256}"):
        fetch(url_of(server, "whole.zip"), path, f"sha256:{'0' * 64}", LOGGER)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x.zip"]
    assert server.requests == 1


def test_missing_files_are_not_asked_for_again(tmp_path, server):
    with pytest.raises(DataError, match="HTTP status 404"):
        fetch(url_of(server, "missing.zip"), tmp_path / "x.zip", "record", LOGGER)
    assert server.requests == 1
    with pytest.raises(DataError, match="an existing file"):
        fetch((tmp_path / "none.zip").as_uri(), tmp_path / "x.zip", "record", LOGGER)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["endless.zip", "huge.zip"])
def test_a_server_that_sends_too_much_is_cut_off(tmp_path, server, name):
    with pytest.raises(DataError, match="expected a file of at most 1000000 bytes, got a larger one"):
        fetch(url_of(server, name), tmp_path / "x.zip", "record", LOGGER, most=10**6)
    assert server.requests == 1
    assert os.listdir(tmp_path) == []


def test_a_file_that_is_larger_than_the_disk_is_not_begun(tmp_path, server):
    with pytest.raises(DataError, match=r"at most \d+ bytes, which the disk has room for, got 9+\."):
        fetch(url_of(server, "huge.zip"), tmp_path / "x.zip", "record", LOGGER, most=10**19)
    assert os.listdir(tmp_path) == []


def test_a_server_that_trickles_is_given_up(tmp_path, server, monkeypatch):
    monkeypatch.setattr(download, "_PATIENCE_SECONDS", 0.1)
    with pytest.raises(DataError, match=r"within 3 tries, got \d+ bytes in"):
        fetch(url_of(server, "slow.zip"), tmp_path / "x.zip", "record", LOGGER, first_wait=0.01)


def test_a_device_has_no_end_and_is_no_download(tmp_path):
    with pytest.raises(DataError, match="and more of 0 bytes"):
        fetch("file:///dev/zero", tmp_path / "x.zip", "record", LOGGER, first_wait=0.01)


def test_a_redirection_to_a_file_of_this_machine_is_refused(tmp_path, server):
    with pytest.raises(DataError, match="HTTP status 302"):
        fetch(url_of(server, "elsewhere.zip"), tmp_path / "x.zip", "record", LOGGER)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://host:99999/a.zip",
        "http://host:port/a.zip",
        "http://host:0/a.zip",
        "http://[::1/a.zip",
        "http://user:secret@host/a.zip",
        "http://host/a b/c.zip",
        "http://host/a\nb/c.zip",
        "http://host/\0/c.zip",
        " http://host/c.zip",
        "http://host/ä/c.zip",
        "http://ho\tst/c.zip",
    ],
)
def test_odd_addresses_are_refused_before_anything_is_sent(tmp_path, url):
    assert file_name(url) is None
    with pytest.raises(DataError, match="an address of a file") as caught:
        fetch(url, tmp_path / "x.zip", "record", LOGGER, first_wait=100)
    assert len(str(caught.value).splitlines()) == 2
    assert os.listdir(tmp_path) == []


def test_nobody_there_is_one_message(tmp_path, server):
    url = url_of(server, "x.zip")
    server.server_close()
    with pytest.raises(DataError, match="within 3 tries"):
        fetch(url, tmp_path / "x.zip", "record", LOGGER, first_wait=0.01, timeout=2)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://host/folder/a-b_1.0.tar.gz", "a-b_1.0.tar.gz"),
        ("https://host/x.zip?dl=1#part", "x.zip"),
        ("file:///data/x.zip", "x.zip"),
        ("https://host/a%20b.zip", None),
        ("https://host/", None),
        ("https://host/..", None),
        ("https://host/%2e%2e", None),
        ("https://host/x.sha256", None),
        ("https:///x.zip", None),
        ("ftp://host/x.zip", None),
        ("/data/x.zip", None),
        ("http://[x.zip", None),
    ],
)
def test_names_of_downloads_are_plain(url, name):
    assert file_name(url) == name


@pytest.mark.parametrize(("letters", "code"), [(200, 0), (201, 2)])
def test_a_name_that_is_too_long_for_a_disk_is_refused_by_check(tmp_path, capsys, letters, code):
    config = tmp_path / "my.yaml"
    url = f"https://host/{'a' * (letters - 7)}.tar.gz"
    config.write_text(configuration(url, "record"), encoding="utf-8")
    assert main(["check", str(config)]) == code
    if code:
        expected = (
            "datasets.cifar.download[0].url: expected an address that begins with https, http, file and ends in a"
        )
        assert f"{expected} plain file name of at most 200 letters, got" in " ".join(capsys.readouterr().err.split())


def test_the_longest_name_can_be_fetched_by_the_job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = tmp_path / f"{'a' * 193}.tar.gz"
    source.write_bytes(CONTENT)
    file = f"results/downloads/cifar/{source.name}"
    params = Named(url=source.as_uri(), checksum="record")
    outputs = Named(file=file, sha256=f"{file}.sha256")
    run_script("fetch_file", Named(), outputs, params, Named(owner="cifar", file=source.name))
    assert Path(file).read_bytes() == CONTENT


# ---------------------------------------------------------------------------------------------
# The workflow


def configuration(url: str, checksum: str) -> str:
    """A tiny CIFAR-10 to download, and a local data set."""
    download = [{"url": url, "checksum": checksum}]
    content = {
        "datasets": {
            "cifar": {"kind": "cifar10", "download": download, "schedules": ["prp"]},
            "circles": {"schedules": ["prp"], "sizes": {"train": 50, "validation": 10, "test": 10}},
        },
        "schedules": {"prp": {"signal_left": 1e-2}},
        "networks": {"toy": {"kind": "mlp"}},
        "training": {"toy": {"steps": 300}},
    }
    return yaml.safe_dump(content)


@pytest.mark.long
def test_workflow_fetches_prepares_and_draws_spectra(tmp_path):
    archive = write_tar(tmp_path / "tiny.tar.gz", cifar_members(8))
    config = tmp_path / "config.yaml"
    run = tmp_path / "run"
    config.write_text(configuration(archive.as_uri(), "sha256:" + "0" * 64))
    refused = run_workflow(run, "fetch", config=config)
    assert refused.code != 0
    assert "expected sha256:0000" in refused.text
    assert "Traceback" not in refused.text
    assert not list((run / "results/downloads").rglob("*.*"))
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    config.write_text(configuration(archive.as_uri(), f"sha256:{sha256}"))
    assert run_workflow(run, "fetch", config=config).code == 0
    folder = run / "results/downloads/cifar"
    assert (folder / "tiny.tar.gz").read_bytes() == archive.read_bytes()
    assert (folder / "tiny.tar.gz.sha256").read_text() == f"{sha256}  tiny.tar.gz\n"
    # Compute nodes need no network: what was fetched is not looked for again.
    archive.unlink()
    outcome = run_workflow(run, "data", "results/figures/spectra.png", config=config)
    assert outcome.code == 0, outcome.text
    rows = (run / "results/tables/spectra.csv").read_text().splitlines()
    assert rows[0] == "dataset,index,eigenvalue,cumulative_share"
    assert len(rows) == 1 + 3072
    assert not run_workflow(run, "-n", "data", "results/figures/spectra.png", config=config).jobs
