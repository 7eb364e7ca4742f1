"""Sets of images in the configuration: known without reading them, defaults written out, nothing fetched."""

import pytest
import yaml

from inflationary_flows.config import dataset_settings, load_config, resolve
from inflationary_flows.data.pixels import ImageFormat, find_image_format
from pictures import write_idx

RECORD = {"checksum": "record"}
SOURCES = {
    "cifar": {"kind": "cifar10", "download": [{"url": "https://h/x.tar.gz", **RECORD}]},
    "animals": {"kind": "afhqv2", "download": [{"url": "https://h/x.zip", **RECORD}]},
    "animals_64": {
        "kind": "afhqv2",
        "resolution": 64,
        "resize": "box",
        "download": [{"url": "file:///x.zip", **RECORD}],
    },
    "clothes": {
        "kind": "idx",
        "download": [{"url": f"https://h/{n}-images-idx3-ubyte.gz", **RECORD} for n in ("train", "t10k")],
    },
    "letters": {"kind": "idx", "resolution": 14, "download": [{"url": "https://h/letters.gz", **RECORD}]},
    "own": {"kind": "image_folder", "resolution": 8, "download": [{"url": "https://h/own.zip", **RECORD}]},
    "own_grey": {
        "kind": "image_folder",
        "resolution": 8,
        "channels": 1,
        "download": [{"url": "https://h/o.zip", **RECORD}],
    },
    "photo_patches": {"kind": "photo_patches"},
    "digits": {"kind": "digits"},
}
FORMATS = {
    "cifar": ImageFormat(3, 32, 32),
    "animals": ImageFormat(3, 32, 32),
    "animals_64": ImageFormat(3, 64, 64),
    "clothes": ImageFormat(1, 28, 28),
    "letters": ImageFormat(1, 14, 14),
    "own": ImageFormat(3, 8, 8),
    "own_grey": ImageFormat(1, 8, 8),
    "photo_patches": ImageFormat(3, 32, 32),
    "digits": ImageFormat(1, 8, 8, 16),
}


def load(datasets):
    """A configuration with these data sets."""
    return load_config(
        {
            "datasets": {name: {"schedules": ["prp"], "network": "net", **entry} for name, entry in datasets.items()},
            "schedules": {"prp": {"signal_left": 1e-3}},
            "networks": {"net": {"kind": "unet"}},
            "training": {"toy": {"steps": 300}},
        }
    )


@pytest.mark.parametrize("name", SOURCES)
def test_format_follows_from_the_configuration_alone(name):
    config = load({name: SOURCES[name]})
    assert config.datasets[name].image == FORMATS[name]
    assert find_image_format(dataset_settings(config, name)) == FORMATS[name]


def test_every_image_kind_may_have_a_unet_and_resolves_to_itself():
    config = load(SOURCES)
    resolved = resolve(config)
    assert resolve(load_config(resolved)) == resolved
    assert yaml.safe_load(yaml.safe_dump(resolved)) == resolved


def test_defaults_of_each_kind_are_written_out():
    config = load(SOURCES)
    settings = {name: dataset_settings(config, name) for name in SOURCES}
    assert settings["cifar"]["validation_share"] == 0.02
    assert settings["animals"]["resize"] == "lanczos"
    assert settings["clothes"]["validation_share"] == 0.02
    assert "fractions" not in settings["clothes"]
    assert settings["letters"]["fractions"] == {"train": 0.7, "validation": 0.15, "test": 0.15}
    assert settings["own"]["channels"] == 3
    assert settings["photo_patches"]["sizes"] == {"train": 20_000, "validation": 1_000, "test": 4_000}


def test_sizes_that_are_left_out_are_those_of_the_kind():
    config = load({"photo_patches": {"kind": "photo_patches", "sizes": {"train": 100}}})
    assert dataset_settings(config, "photo_patches")["sizes"] == {"train": 100, "validation": 1_000, "test": 4_000}
    toy = load_config(
        {
            "datasets": {"circles": {"schedules": ["prp"], "sizes": {"train": 100}}},
            "schedules": {"prp": {"signal_left": 1e-3}},
            "networks": {"toy": {"kind": "mlp"}},
            "training": {"toy": {"steps": 300}},
        }
    )
    assert dataset_settings(toy, "circles")["sizes"] == {"train": 100, "validation": 10_000, "test": 20_000}


def test_fractions_pool_an_archive_that_has_a_test_part():
    fractions = {"train": 0.8, "validation": 0.1, "test": 0.1}
    config = load({"cifar": SOURCES["cifar"] | {"fractions": fractions}})
    settings = dataset_settings(config, "cifar")
    assert settings["fractions"] == fractions
    assert "validation_share" not in settings


def test_folder_of_idx_files_keeps_its_test_part_and_a_file_is_cut(tmp_path):
    folder = write_idx(tmp_path / "idx")
    config = load(
        {
            "whole": {"kind": "idx", "resolution": 6, "path": str(folder)},
            "file": {"kind": "idx", "resolution": 6, "path": str(folder / "train-images-idx3-ubyte.gz")},
        }
    )
    assert "validation_share" in dataset_settings(config, "whole")
    assert "fractions" in dataset_settings(config, "file")
