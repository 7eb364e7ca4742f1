"""Data sets of images: checks of where they come from, and the defaults of their kinds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inflationary_flows.config.messages import listing
from inflationary_flows.config.models import Dataset, Download
from inflationary_flows.data.checksums import RECORD, is_checksum
from inflationary_flows.data.download import SCHEMES, file_name
from inflationary_flows.data.idx_names import OFFICIAL_NAMES, TEST_IMAGES
from inflationary_flows.data.pixels import ImageFormat, find_image_format
from inflationary_flows.errors import ConfigError

DEFAULTS: dict[str, dict[str, Any]] = {
    "digits": {},
    "cifar10": {},
    "afhqv2": {"resolution": 32, "resize": "lanczos"},
    "idx": {"resolution": 28},
    "image_folder": {"resize": "lanczos", "channels": 3},
    "photo_patches": {
        "resolution": 32,
        "resize": "box",
        "sizes": {"train": 20_000, "validation": 1_000, "test": 4_000},
    },
}
# Kinds that are read from a file, and those of them that a folder will do for.
_FROM_FILES = ("cifar10", "afhqv2", "idx", "image_folder")
_FROM_FOLDERS = ("idx", "image_folder")
_VALIDATION_SHARE = 0.02
# Patches are cut at least this wide: more pixels would be invented ones.
_LARGEST_PATCH = 64


def image_format(dataset: Dataset) -> ImageFormat | None:
    """Format of a data set's images; None for toys and tables."""
    return find_image_format(DEFAULTS.get(dataset.kind, {}) | dataset.model_dump(exclude_none=True))


def keeps_test_part(dataset: Dataset) -> bool:
    """Whether the source of a data set sets images aside for testing, and no `fractions` say otherwise."""
    if dataset.fractions is not None or dataset.kind not in ("cifar10", "afhqv2", "idx"):
        return False
    if dataset.kind != "idx":
        return True
    if dataset.download is not None:
        return any(_plain(file_name(item.url) or "") == TEST_IMAGES for item in dataset.download)
    return Path(str(dataset.path)).is_dir()


def image_defaults(dataset: Dataset) -> dict[str, Any]:
    """What the settings of a set of images are where its section leaves them out."""
    defaults = dict(DEFAULTS[dataset.kind])
    if keeps_test_part(dataset):
        defaults["validation_share"] = _VALIDATION_SHARE
    return defaults


def check_image_source(dataset: Dataset, where: str) -> None:
    """Raises `ConfigError` for the first contradiction within the section of a set of images."""
    if dataset.kind == "photo_patches" and (dataset.resolution or 0) > _LARGEST_PATCH:
        raise ConfigError(
            f"{where}.resolution",
            f"an integer of at most {_LARGEST_PATCH} (kind photo_patches)",
            str(dataset.resolution),
            "patches are at least that many pixels wide: lower it.",
        )
    if dataset.fractions is not None and dataset.validation_share is not None:
        raise ConfigError(
            f"{where}.validation_share",
            "fractions or validation_share",
            "both",
            "keep fractions to pool and cut everything, validation_share to keep the archive's own test part.",
        )
    if dataset.kind not in _FROM_FILES:
        return
    if (dataset.path is None) == (dataset.download is None):
        raise ConfigError(
            where,
            f"exactly one of path and download (kind {dataset.kind})",
            "neither" if dataset.path is None else "both",
            "name the file you have by path, or let the workflow fetch it by download.",
        )
    if dataset.download is None:
        _check_path(dataset, where)
        return
    if dataset.checksum is not None:
        raise ConfigError(
            f"{where}.checksum",
            "the key only beside path",
            "it beside download",
            "give the checksum within the entry of download.",
        )
    if dataset.kind != "idx" and len(dataset.download) > 1:
        got = str(len(dataset.download))
        raise ConfigError(f"{where}.download", f"one file (kind {dataset.kind})", got, "keep one of them.")
    names: list[str] = []
    for index, item in enumerate(dataset.download):
        name = check_download(item, f"{where}.download[{index}]")
        _check_name(name, names, len(dataset.download), f"{where}.download[{index}].url")
        names.append(name)
    if not keeps_test_part(dataset) and dataset.validation_share is not None and dataset.kind == "idx":
        _refuse_share(where)


def check_download(item: Download, where: str) -> str:
    """Raises `ConfigError` if a file cannot be fetched; returns the name that it will have."""
    name = file_name(item.url)
    if name is None:
        raise ConfigError(
            f"{where}.url",
            f"an address that begins with {listing(SCHEMES)} and ends in a plain file name",
            f'"{item.url}"',
            "write it as https://host/folder/file.zip.",
        )
    _check_checksum(item.checksum, f"{where}.checksum")
    return name


def _check_name(name: str, earlier: list[str], files: int, where: str) -> None:
    if name in earlier:
        raise ConfigError(where, "every file name once", f'"{name}" twice', "remove one of them.")
    if files > 1 and _plain(name) not in OFFICIAL_NAMES:
        raise ConfigError(
            where,
            f"one of the names {listing(OFFICIAL_NAMES)}, with .gz or without",
            f'"{name}"',
            "several files are told apart by their official names; a single one may have any.",
        )


def _check_path(dataset: Dataset, where: str) -> None:
    path = Path(str(dataset.path))
    folders = dataset.kind in _FROM_FOLDERS
    if not (path.is_file() or (folders and path.is_dir())):
        raise ConfigError(
            f"{where}.path",
            "an existing file or folder" if folders else "an existing file",
            f'"{path}", which is {"a directory" if path.is_dir() else "missing"}',
            f"paths start at the working directory, {Path.cwd().name}/.",
        )
    if dataset.kind == "idx" and not path.is_dir() and dataset.validation_share is not None:
        _refuse_share(where)
    if dataset.checksum is None:
        return
    _check_checksum(dataset.checksum, f"{where}.checksum")
    if path.is_dir():
        raise ConfigError(
            f"{where}.checksum", "the key only beside the path of a file", f'the folder "{path}"', "remove it."
        )


def _refuse_share(where: str) -> None:
    raise ConfigError(
        f"{where}.validation_share",
        "files with a test part, t10k-...",
        "a source without one",
        "give fractions instead: the images have to be cut into three.",
    )


def _check_checksum(checksum: str, where: str) -> None:
    if not is_checksum(checksum):
        raise ConfigError(
            where,
            f'"sha256:" and 64 or "md5:" and 32 small hexadecimal digits, or "{RECORD}"',
            f'"{checksum}"',
            "copy it from where the file is published; record notes down what is found.",
        )


def _plain(name: str) -> str:
    return name.removesuffix(".gz")
