"""Checks across sections of a configuration.

Names must exist, keys must fit their kind, schedules must fit their data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inflationary_flows.config.baseline_checks import check_baselines
from inflationary_flows.config.image_checks import check_images
from inflationary_flows.config.image_sources import check_image_source, image_format
from inflationary_flows.config.inference_checks import check_inference
from inflationary_flows.config.marginal_checks import check_marginals
from inflationary_flows.config.messages import listing
from inflationary_flows.config.models import Config, Dataset, Schedule
from inflationary_flows.config.requirements import require_fit, require_known, require_unique
from inflationary_flows.data.sources import table_dimension
from inflationary_flows.data.toys import TOYS
from inflationary_flows.errors import ConfigError, DataError

COMMON_KEYS = ("kind", "schedules", "network", "training", "label", "seed")
_FILES = ("path", "checksum", "download")
OWN_KEYS = {
    **{name: ("sizes",) for name in TOYS},
    "embedded": ("base", "dimension", "sizes"),
    "digits": ("fractions",),
    "cifar10": (*_FILES, "validation_share", "fractions"),
    "afhqv2": (*_FILES, "resolution", "resize", "validation_share", "fractions"),
    "idx": (*_FILES, "resolution", "validation_share", "fractions"),
    "image_folder": (*_FILES, "resolution", "resize", "channels", "fractions"),
    "photo_patches": ("resolution", "resize", "sizes"),
    "npz": ("path", "array", "standardise", "fractions"),
    "csv": ("path", "columns", "label_column", "standardise", "fractions"),
    "parquet": ("path", "columns", "label_column", "standardise", "fractions"),
}
REQUIRED_KEYS = {
    "embedded": ("base", "dimension"),
    "image_folder": ("resolution",),
    "npz": ("path",),
    "csv": ("path",),
    "parquet": ("path",),
}
TABLES = ("npz", "csv", "parquet")


def check(config: Config) -> None:
    """Raises `ConfigError` for the first contradiction between well-formed parts."""
    require_unique(config.seeds, "seeds", "seed")
    for name, schedule in config.schedules.items():
        _check_schedule(schedule, f"schedules.{name}")
    for name, training in config.training.items():
        if training.warmup_steps >= training.steps:
            raise ConfigError(
                f"training.{name}.warmup_steps",
                f"fewer than steps ({training.steps})",
                str(training.warmup_steps),
                "shorten the warm-up, or train longer.",
            )
    if "dopri5" in config.experiments.solver_comparison.steps:
        raise ConfigError(
            "experiments.solver_comparison.steps.dopri5",
            "solvers with a fixed number of steps",
            "dopri5, which chooses its own",
            "list its tolerances under experiments.solver_comparison.tolerances.",
        )
    for name, dataset in config.datasets.items():
        _check_dataset(config, dataset, f"datasets.{name}")
        dimension = _dimension(dataset, f"datasets.{name}")
        for schedule_name in dataset.schedules:
            require_fit(config.schedules[schedule_name], schedule_name, name, dimension)
        _check_rows(dataset, f"datasets.{name}", dimension)
    dimensions = {name: _dimension(dataset, f"datasets.{name}") for name, dataset in config.datasets.items()}
    check_inference(config, dimensions)
    check_marginals(config)
    check_images(config)
    check_baselines(config, dimensions)


def _check_schedule(schedule: Schedule, where: str) -> None:
    if (schedule.t_max is None) == (schedule.signal_left is None):
        raise ConfigError(
            where,
            "exactly one of t_max and signal_left",
            "neither" if schedule.t_max is None else "both",
            "signal_left: 1e-3 chooses the end of time from the data.",
        )
    if schedule.kept_dims is None:
        given = [
            key
            for key, value in {
                "gap": schedule.gap != "orig",
                "inflation_gap": schedule.inflation_gap is not None,
                "compressed_prior": schedule.compressed_prior != "gaussian",
            }.items()
            if value
        ]
        if given:
            raise ConfigError(
                f"{where}.{given[0]}",
                "the key only together with kept_dims",
                "it without",
                "add kept_dims (PRR), or remove the key (PRP compresses nothing).",
            )
    if schedule.gap == "constant" and schedule.inflation_gap is None:
        raise ConfigError(
            f"{where}.inflation_gap",
            "a number of at least 0, since gap is constant",
            "nothing",
            "1.02 is the value of the paper's tables.",
        )
    if schedule.gap == "orig" and schedule.inflation_gap is not None:
        raise ConfigError(
            f"{where}.inflation_gap",
            "the key only together with gap: constant",
            "gap: orig",
            "add gap: constant, or remove inflation_gap.",
        )
    if schedule.kernel == "proportional" and (schedule.inflation_gap or 0.0) > 1:
        raise ConfigError(
            f"{where}.inflation_gap",
            "a number from 0 to 1, since a proportional kernel cannot narrow",
            f"{schedule.inflation_gap:g}",
            "lower it, or use kernel: floor.",
        )
    if schedule.kernel == "proportional" and schedule.t_min == 0:
        raise ConfigError(
            f"{where}.t_min",
            "a number above 0, since the proportional kernel vanishes at 0",
            "0",
            "leave t_min out: a small one is chosen.",
        )
    if schedule.t_min is not None and schedule.t_max is not None and schedule.t_min >= schedule.t_max:
        raise ConfigError(
            f"{where}.t_max",
            f"a number above t_min ({schedule.t_min:g})",
            f"{schedule.t_max:g}",
            "lengthen t_max.",
        )


def _check_dataset(config: Config, dataset: Dataset, where: str) -> None:
    allowed = COMMON_KEYS + OWN_KEYS[dataset.kind]
    for key in dataset.model_fields_set:
        if key not in allowed and getattr(dataset, key) is not None:
            kinds = [kind for kind, keys in OWN_KEYS.items() if key in keys]
            raise ConfigError(
                f"{where}.{key}",
                f"one of the keys {listing(allowed)} (kind {dataset.kind})",
                f'"{key}"',
                f"the key belongs to {listing(kinds)}: remove it, or change the kind.",
            )
    for key in REQUIRED_KEYS.get(dataset.kind, ()):
        if getattr(dataset, key) is None:
            meaning = str(Dataset.model_fields[key].description).partition(": ")[2]
            raise ConfigError(
                f"{where}.{key}",
                f"a value (kind {dataset.kind})",
                "nothing",
                f"add {key}: {meaning}",
            )
    require_unique(dataset.schedules, f"{where}.schedules", "schedule")
    if dataset.columns is not None:
        require_unique(dataset.columns, f"{where}.columns", "column")
    for index, name in enumerate(dataset.schedules):
        require_known(name, config.schedules, f"{where}.schedules[{index}]", "schedules")
    require_known(dataset.network, config.networks, f"{where}.network", "networks")
    require_known(dataset.training, config.training, f"{where}.training", "training settings")
    if image_format(dataset) is not None:
        check_image_source(dataset, where)
    elif config.networks[dataset.network].kind == "unet":
        raise ConfigError(
            f"{where}.network",
            f"a network for points without an image grid (kind {dataset.kind})",
            f'"{dataset.network}", which is a unet',
            "use a network of kind mlp.",
        )
    if dataset.fractions is not None:
        total = dataset.fractions.train + dataset.fractions.validation + dataset.fractions.test
        if not math.isclose(total, 1.0, abs_tol=1e-9):
            raise ConfigError(
                f"{where}.fractions",
                "shares that add up to 1",
                f"{total:.6g}",
                "give all three: the defaults are .7, .15, .15.",
            )


def _dimension(dataset: Dataset, where: str) -> int:
    if dataset.kind in TOYS:
        return TOYS[dataset.kind].dimension
    image = image_format(dataset)
    if image is not None:
        return image.dimension
    if dataset.kind == "embedded":
        base = TOYS[str(dataset.base)]
        dimension = int(dataset.dimension or 0)
        if dimension <= base.dimension:
            raise ConfigError(
                f"{where}.dimension",
                f"an integer above {base.dimension}, the dimension of {base.name}",
                str(dimension),
                "raise it, or choose a base with fewer dimensions.",
            )
        return dimension
    path = Path(str(dataset.path))
    if not path.is_file():
        raise ConfigError(
            f"{where}.path",
            "an existing file",
            f'"{path}", which is {"a directory" if path.is_dir() else "missing"}',
            f"paths start at the working directory, {Path.cwd().name}/.",
        )
    try:
        return table_dimension(dataset.model_dump(exclude_none=True))
    except DataError as problem:
        raise ConfigError(f"{where}: {problem.where}", problem.expected, problem.got, problem.hint) from problem


def _check_rows(dataset: Dataset, where: str, dimension: int) -> None:
    # Directions that images do not span have the variance of rounding to grey levels; those of points have none.
    if dataset.sizes is not None and image_format(dataset) is None and dataset.sizes.train <= dimension:
        raise ConfigError(
            f"{where}.sizes.train",
            f"an integer of at least {dimension + 1} (D = {dimension})",
            str(dataset.sizes.train),
            "a covariance of full rank needs more points than dimensions.",
        )


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Returns nested mappings merged key by key, the second winning."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            value = merged(old, value)
        result[key] = value
    return result
