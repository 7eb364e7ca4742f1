"""Checks of the experiments on images, and of what asks for images, against the data sets they name."""

from __future__ import annotations

from pathlib import Path

from inflationary_flows.config.image_sources import check_download, image_format
from inflationary_flows.config.images import Inception
from inflationary_flows.config.models import Config
from inflationary_flows.config.requirements import require_known, require_unique
from inflationary_flows.data.pixels import EIGHT_BITS
from inflationary_flows.errors import ConfigError

# Names of schedules that stand for images no flow has made: of a Gaussian fitted to the data, and of the test split.
BASELINES = ("gaussian", "held_out")


def check_images(config: Config) -> None:
    """Raises `ConfigError` for the first contradiction between well-formed sections."""
    for name in BASELINES:
        if name in config.schedules:
            raise ConfigError(
                f"schedules.{name}",
                "another name",
                f'"{name}", which tables of images use for a baseline',
                "rename the schedule.",
            )
    for name in config.datasets:
        _check_training(config, name)
    if config.extractors.inception is not None:
        _check_inception(config.extractors.inception)
    for name in config.experiments.images:
        _check_experiment(config, name)


def _check_training(config: Config, name: str) -> None:
    """What training asks of images has images to work on, and a network that can be told."""
    dataset = config.datasets[name]
    training, where = config.training[dataset.training], f"training.{dataset.training}"
    image, network = image_format(dataset), config.networks[dataset.network]
    for key in ("flip", "augment"):
        if getattr(training, key) and image is None:
            raise ConfigError(
                f"{where}.{key}",
                "training settings of images",
                f"those of the data set {name}, which has points",
                f"remove {key}, or give {name} training settings of its own.",
            )
    if training.augment and network.kind != "unet":
        raise ConfigError(
            f"{where}.augment",
            "a unet, which can be told of augmentations",
            f'"{dataset.network}" of kind {network.kind}',
            "use a network of kind unet, or flip alone.",
        )
    parts = max(1, training.gpu) * training.accumulate
    if training.batch_size % parts:
        raise ConfigError(
            f"{where}.batch_size",
            f"a multiple of {parts} (gpu times accumulate)",
            str(training.batch_size),
            "each process takes equal parts of a batch.",
        )


def _check_inception(inception: Inception) -> None:
    where = "extractors.inception"
    if (inception.path is None) == (inception.download is None):
        raise ConfigError(
            where,
            "exactly one of path and download",
            "neither" if inception.path is None else "both",
            "name the file you have by path, or let the workflow fetch it by download.",
        )
    if inception.download is not None:
        check_download(inception.download, f"{where}.download")
    elif not Path(str(inception.path)).is_file():
        raise ConfigError(
            f"{where}.path",
            "an existing file",
            f'"{inception.path}", which is missing',
            f"paths start at the working directory, {Path.cwd().name}/.",
        )


def _check_experiment(config: Config, name: str) -> None:
    where = f"experiments.images.{name}"
    require_known(name, config.datasets, where, "datasets")
    experiment, image = config.experiments.images[name], image_format(config.datasets[name])
    if image is None:
        raise ConfigError(where, "a data set of images", f"{name} of kind {config.datasets[name].kind}", "remove it.")
    require_unique(experiment.sample_seeds, f"{where}.sample_seeds", "sample seed")
    require_unique(experiment.extractors, f"{where}.extractors", "extractor")
    for index, extractor in enumerate(experiment.extractors):
        if (extractor == "digits_classifier") != (image.levels != EIGHT_BITS):
            raise ConfigError(
                f"{where}.extractors[{index}]",
                "digits_classifier for the digits, inception or efficientnet_lite0 for other images",
                extractor,
                "features are to be those of a network that knows such images.",
            )
        if extractor == "inception" and config.extractors.inception is None:
            raise ConfigError(
                "extractors.inception",
                f"the weights of the extractor that {where} asks for",
                "nothing",
                "add path, or download with url and checksum; or use efficientnet_lite0.",
            )
    if experiment.sweep is not None and "dopri5" in experiment.sweep.steps:
        raise ConfigError(
            f"{where}.sweep.steps.dopri5",
            "solvers with a fixed number of steps",
            "dopri5, which chooses its own",
            "remove it.",
        )
