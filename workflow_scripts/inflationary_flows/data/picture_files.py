"""PNG and JPEG files, in a folder or a zip archive, as images of one size.

Each picture is cut to the square in its middle and resized by a filter that the configuration names: the filter changes
every measure of image quality and is therefore recorded. Transparency is dropped, not composited, and orientation notes
in a file's metadata are not followed.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from inflationary_flows.data.archives import Limits, ZipFiles
from inflationary_flows.data.image_source import ImageSource
from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.errors import DataError, shorten
from inflationary_flows.extras import needs
from inflationary_flows.files.files import sha256_of
from inflationary_flows.files.folders import is_passed_over

_MOST_PIXELS = 50_000_000
_LIMITS = Limits(member=256 << 20, total=256 << 30)
_SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif")
# How PNG files begin, and where they say how many bits a channel has.
_PNG, _PNG_BITS = b"\x89PNG\r\n\x1a\n", 24
_EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
# Names of folders that hold splits, not classes.
_SPLITS = ("train", "training", "val", "valid", "validation", "dev", "test", "testing")
_AFHQ_PARTS = ("train", "test")
_AFHQ_CLASSES = ("cat", "dog", "wild")
_AFHQ_COUNTS = {
    "train": {"cat": 5065, "dog": 4678, "wild": 4593},
    "test": {"cat": 493, "dog": 491, "wild": 483},
}


def read_afhqv2(path: Path, resolution: int, resize: str) -> ImageSource:
    """Reads AFHQv2's archive, or one of the same layout with fewer images.

    Arguments:
        path: A zip archive with train and test, in each cat, dog and wild, below one folder or none.
        resolution: Pixels a side of the result.
        resize: Name of the filter: box, bilinear, hamming, bicubic or lanczos.

    Raises:
        DataError: if the archive is missing, truncated, unsafe, or holds something else.
    """
    with closing(ZipFiles(path, _LIMITS)) as files:
        chosen = _without_top(_pictures(str(path), files.names), _AFHQ_PARTS)
        groups: dict[str, list[tuple[str, int]]] = {part: [] for part in _AFHQ_PARTS}
        for inner, name in chosen:
            part, _, rest = inner.partition("/")
            group, _, file = rest.partition("/")
            if part not in _AFHQ_PARTS or group not in _AFHQ_CLASSES or "/" in file or not file:
                raise DataError(
                    str(path),
                    f"pictures in {'|'.join(_AFHQ_PARTS)}/{'|'.join(_AFHQ_CLASSES)}/",
                    shorten(name, 90),
                    "give the archive of AFHQv2; other pictures are of kind image_folder.",
                )
            groups[part].append((name, _AFHQ_CLASSES.index(group)))
        missing = [part for part, members in groups.items() if not members]
        if missing:
            raise DataError(
                str(path), "pictures in train/ and test/", f"none in {missing[0]}/", "download the archive again."
            )
        image = ImageFormat(3, resolution, resolution)
        parts = {part: _read_all(str(path), members, files.read, image, resize) for part, members in groups.items()}
    counts = {
        part: {name: sum(label == index for _, label in members) for index, name in enumerate(_AFHQ_CLASSES)}
        for part, members in groups.items()
    }
    record = {
        "source_sha256": sha256_of(path),
        "counts": counts,
        "official": counts == _AFHQ_COUNTS,
        **_resizing(resize),
    }
    return ImageSource(parts, image, str(path), record)


def read_image_folder(path: Path, resolution: int, resize: str, channels: int) -> ImageSource:
    """Reads all pictures below a folder or in a zip archive; folders at the top are classes.

    If all of them are called like splits (train, val), the record holds a warning.

    Arguments:
        path: Folder or archive.
        resolution: Pixels a side of the result.
        resize: Name of the filter, as for `read_afhqv2`.
        channels: 3 for colour, 1 for grey.

    Raises:
        DataError: if there is no picture, or something that is none, or the archive is unsafe.
    """
    image = ImageFormat(channels, resolution, resolution)
    with _opened(path) as (names, read):
        chosen = _without_top(_pictures(str(path), names))
        groups = ["/".join(inner.split("/")[:-1][:1]) for inner, _ in chosen]
        classes = sorted(set(groups))
        members = [(name, classes.index(group)) for (_, name), group in zip(chosen, groups, strict=True)]
        part = _read_all(str(path), members, read, image, resize)
    counts = Counter(groups)
    record = {
        "source_sha256": sha256_of(path),
        "counts": {name or ".": counts[name] for name in classes},
        **_resizing(resize),
        **_warned(classes),
    }
    return ImageSource({"train": part}, image, str(path), record)


def _warned(classes: Sequence[str]) -> dict[str, Any]:
    """A warning if all of several classes have names of splits."""
    if len(classes) < 2 or not all(name.lower() in _SPLITS for name in classes):
        return {}
    text = (
        f"the folders {', '.join(classes)} are taken for classes, and `fractions` cut their pictures into splits. "
        "Put folders of classes at the top, or give one of these folders as `path`."
    )
    return {"warnings": [text]}


def decode(where: str, content: bytes, image: ImageFormat, resize: str) -> np.ndarray:
    """Grey levels of one PNG or JPEG file, cut to a square and resized, shape (D,), uint8.

    Raises:
        DataError: if it is no such file, is damaged, has more than 8 bits, several frames or too many pixels.
    """
    with needs("pictures", "images"):
        from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as opened:
            _require_plain(where, content, opened)
            width, height = opened.size
            if width * height > _MOST_PIXELS:
                raise DataError(
                    where,
                    f"a picture of at most {_MOST_PIXELS} pixels",
                    f"{width} x {height}",
                    "leave the file out, or shrink it.",
                )
            picture = opened.convert("RGB" if image.channels == 3 else "L")
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        struct.error,
        zlib.error,
        MemoryError,
        Image.DecompressionBombError,
    ) as problem:
        raise DataError(
            where,
            "a whole PNG or JPEG picture",
            f"a file that is not ({shorten(str(problem), 90)})",
            "repair the file, or leave it out.",
        ) from problem
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return resized(picture, (left, top, left + side, top + side), image, resize)


def _require_plain(where: str, content: bytes, opened: Any) -> None:
    """Refuses what PIL would cut without a word: 16 bits to their high byte, an animation to its first frame."""
    bits = content[_PNG_BITS] if content.startswith(_PNG) else 8
    if bits > 8 or opened.mode not in _EIGHT_BITS:
        got = f"{bits} bits" if bits > 8 else f"mode {opened.mode}"
        raise DataError(where, "a picture of 8 bits a channel", got, "convert it to 8 bits, or leave it out.")
    # JPEG files of cameras hold previews behind their picture.
    if opened.format == "PNG" and getattr(opened, "n_frames", 1) > 1:
        raise DataError(where, "one picture", f"an animation of {opened.n_frames}", "save its frames, or leave it out.")


def resized(picture: Any, box: tuple[int, int, int, int], image: ImageFormat, resize: str) -> np.ndarray:
    """The part of a picture within a box (left, top, right, bottom), at the size of `image`, shape (D,), uint8."""
    with needs("pictures", "images"):
        from PIL import Image

    size = (image.width, image.height)
    small = np.asarray(picture.resize(size, Image.Resampling[resize.upper()], box=box))
    return small.reshape(image.height, image.width, image.channels).transpose(2, 0, 1).reshape(-1)


def _resizing(resize: str) -> dict[str, str]:
    return {"crop": "square in the middle", "resize": resize, "files": "sorted by name"}


def _pictures(where: str, names: Sequence[str]) -> list[str]:
    """Names of pictures, sorted, without what file managers leave behind; anything else is an error."""
    pictures = []
    for name in sorted(names):
        if any(map(is_passed_over, PurePosixPath(name).parts)):
            continue
        if not name.lower().endswith(_SUFFIXES):
            raise DataError(
                where,
                f"pictures only ({', '.join(_SUFFIXES)})",
                shorten(name, 90),
                "take the file out, or convert it.",
            )
        pictures.append(name)
    if not pictures:
        raise DataError(where, f"pictures ({', '.join(_SUFFIXES)})", "none", "check the path of the data set.")
    return pictures


def _without_top(names: Sequence[str], inner: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Names below a folder that holds all others, unless it is one of `inner`; with the whole names."""
    # Some archives write ./a/b for a/b.
    plain = [str(PurePosixPath(name)) for name in names]
    tops = {name.partition("/")[0] for name in plain}
    strip = len(tops) == 1 and all("/" in name for name in plain) and not tops & set(inner)
    return [(name.partition("/")[2] if strip else name, whole) for name, whole in zip(plain, names, strict=True)]


def _read_all(
    where: str, members: Sequence[tuple[str, int]], read: Callable[[str], bytes], image: ImageFormat, resize: str
) -> tuple[np.ndarray, np.ndarray]:
    values = np.empty((len(members), image.dimension), dtype=np.uint8)
    for row, (name, _) in enumerate(members):
        values[row] = decode(f"{where}, {name}", read(name), image, resize)
    return values, np.array([label for _, label in members], dtype=np.float64)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Sequence[str], Callable[[str], bytes]]]:
    """Names of all files of a folder or an archive, and how to read one."""
    if not path.is_dir():
        with closing(ZipFiles(path, _LIMITS)) as files:
            yield files.names, files.read
        return
    yield _names_below(path), lambda name: _read_file(path / name)


def _names_below(path: Path) -> list[str]:
    """Names of all files below a folder, without clutter; a file or folder that links lead to counts once."""
    root = path.resolve()
    names: dict[Path, str] = {}
    visited: set[Path] = set()
    # Links come last: what has a name of its own in the tree keeps it.
    waiting: list[Path] = [path]
    links: list[Path] = []
    while waiting or links:
        entry = waiting.pop() if waiting else links.pop(0)
        real = _resolved(path, root, entry)
        if not real.is_dir():
            names.setdefault(real, entry.relative_to(path).as_posix())
        elif real not in visited:
            visited.add(real)
            for inner in sorted(entry.iterdir()):
                if not is_passed_over(inner.name):
                    (links if inner.is_symlink() else waiting).append(inner)
    return list(names.values())


def _resolved(path: Path, root: Path, entry: Path) -> Path:
    """The file or folder that a name leads to, if it lies in the same tree."""
    try:
        real = entry.resolve(strict=True)
        if real.is_relative_to(root):
            return real
        got = "a link out of it"
    except (OSError, RuntimeError):
        got = "a link that leads nowhere"
    raise DataError(
        str(path),
        "files that lie in the folder",
        f"{shorten(entry.relative_to(path).as_posix())}, {got}",
        "copy what it stands for into the folder, or take the link out.",
    )


def _read_file(path: Path) -> bytes:
    if not path.is_file() or path.stat().st_size > _LIMITS.member:
        raise DataError(str(path), f"a file of at most {_LIMITS.member} bytes", "another one", "take it out.")
    return path.read_bytes()
