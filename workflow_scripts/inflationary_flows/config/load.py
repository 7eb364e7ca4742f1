"""Loading a configuration, filling in defaults, handing out the part that a job depends on."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from inflationary_flows.config import checks
from inflationary_flows.config.image_sources import DEFAULTS, image_defaults, keeps_test_part
from inflationary_flows.config.messages import translate
from inflationary_flows.config.models import Config, Dataset, Fractions, Sizes, Training
from inflationary_flows.config.reading import read_yaml, require_mapping
from inflationary_flows.data.pixels import EIGHT_BITS, find_image_format
from inflationary_flows.data.toys import TOYS
from inflationary_flows.errors import ConfigError
from inflationary_flows.networks.presets import AUGMENTATION_LABELS, PRESETS

_DATA_KEYS = ("kind", "seed")
# What a job costs, not what it makes.
_RESOURCES = ("checkpoint_seconds", "threads", "runtime", "mem", "gpu")


def load_config(
    source: str | os.PathLike[str] | Mapping[str, Any], overrides: Mapping[str, Any] | None = None
) -> Config:
    """Reads and checks a configuration.

    Arguments:
        source: Path of a YAML file, or its content as Snakemake hands it over.
        overrides: Nested values that replace those of the source.

    Raises:
        ConfigError: for the first problem found, with its place in the configuration.
    """
    if isinstance(source, Mapping):
        return _validate(source, overrides)
    path = Path(source)
    raw = read_yaml(path)
    try:
        return _validate(raw, overrides)
    except ConfigError as problem:
        raise ConfigError(f"{path}: {problem.where}", problem.expected, problem.got, problem.hint) from problem


def _validate(source: Mapping[str, Any], overrides: Mapping[str, Any] | None) -> Config:
    raw = require_mapping(copy.deepcopy(dict(source)), "configuration")
    raw = checks.merged(raw, overrides or {})
    _name_kinds(raw)
    try:
        config = Config.model_validate(raw)
    except ValidationError as problem:
        raise translate(problem, Config, raw) from problem
    checks.check(config)
    return config


def _name_kinds(raw: dict[str, Any]) -> None:
    """A data set that is named like a toy, or digits, needs no `kind`."""
    datasets = raw.get("datasets")
    if isinstance(datasets, dict):
        for name, dataset in datasets.items():
            if isinstance(dataset, dict) and (name in TOYS or name == "digits"):
                datasets[name] = {"kind": name, **dataset}


def resolve(config: Config) -> dict[str, Any]:
    """Returns a configuration with every default written out, in plain types; it can be loaded."""
    resolved = config.model_dump(mode="json", exclude_none=True)
    for name, dataset in config.datasets.items():
        resolved["datasets"][name] = _resolved_dataset(name, dataset)
    for name in config.schedules:
        resolved["schedules"][name] = _resolved_schedule(config, name)
    for name, method in resolved["baselines"]["methods"].items():
        method.setdefault("label", name)
    return resolved


def _resolved_schedule(config: Config, name: str) -> dict[str, Any]:
    schedule = config.schedules[name]
    resolved = schedule.model_dump(mode="json", exclude_none=True)
    resolved.setdefault("label", name)
    if schedule.kept_dims is None:
        for key in ("gap", "compressed_prior"):
            del resolved[key]
    return resolved | {"solver": solver_settings(config, name)}


def _resolved_dataset(name: str, dataset: Dataset) -> dict[str, Any]:
    own = checks.OWN_KEYS[dataset.kind]
    given = dataset.model_dump(exclude_none=True)
    resolved = {key: given[key] for key in checks.COMMON_KEYS if key in given}
    resolved.setdefault("label", name)
    defaults: dict[str, Any] = {}
    if dataset.kind in DEFAULTS:
        defaults = image_defaults(dataset)
    elif "sizes" in own:
        defaults["sizes"] = Sizes().model_dump()
    if "fractions" in own and not keeps_test_part(dataset):
        defaults["fractions"] = Fractions().model_dump()
    if "standardise" in own:
        defaults["standardise"] = True
    chosen = defaults | {key: given[key] for key in own if key in given}
    if dataset.sizes is not None:
        # Sizes that are left out differ from kind to kind.
        chosen["sizes"] = defaults["sizes"] | dataset.sizes.model_dump(exclude_unset=True)
    return resolved | chosen


def dataset_settings(config: Config, dataset: str) -> dict[str, Any]:
    """Returns what the points of a data set depend on: its kind, seed, source and split."""
    resolved = _resolved_dataset(dataset, config.datasets[dataset])
    own = _DATA_KEYS + checks.OWN_KEYS[resolved["kind"]]
    return {key: resolved[key] for key in own if key in resolved}


def schedule_settings(config: Config, schedule: str, dataset: str | None = None) -> dict[str, Any]:
    """Returns the keyword arguments of `make_schedule` for a schedule, as it is used with a data set."""
    keys = (
        "kernel",
        "kept_dims",
        "gap",
        "inflation_gap",
        "rho",
        "gamma0",
        "t_min",
        "t_max",
        "signal_left",
    )
    resolved = _resolved_schedule(config, schedule)
    settings = {key: resolved[key] for key in keys if key in resolved}
    image = find_image_format(dataset_settings(config, dataset)) if dataset else None
    # Nothing is known of images below the rounding to 8 bits; the few levels of the digits are coarser than any kernel.
    if image and image.levels == EIGHT_BITS:
        settings["least_variance"] = image.least_variance
    return settings


def solver_settings(config: Config, schedule: str) -> dict[str, Any]:
    """Returns the solver of a schedule: the global settings, replaced where it has its own."""
    settings = config.solver.model_dump()
    own = config.schedules[schedule].solver
    if own is not None:
        given = own.model_dump(exclude_unset=True)
        # A grid of another kind brings its own defaults, not the old grid's numbers.
        if "grid" in given:
            settings["grid"] = own.grid.model_dump()
        settings.update({key: value for key, value in given.items() if key != "grid"})
    return settings


def network_settings(config: Config, dataset: str, variant: str | None = None) -> dict[str, Any]:
    """Returns the network of a data set, or of a variant of its flows, as `build_network` takes it."""
    other = config.variants[variant].network if variant else None
    network = config.networks[other or config.datasets[dataset].network]
    settings = network.model_dump(exclude_none=True)
    if network.kind != "unet":
        return settings
    image = find_image_format(dataset_settings(config, dataset))
    labels = AUGMENTATION_LABELS if training_of(config, dataset, variant).augment > 0 else 0
    chosen = {**PRESETS[settings.pop("preset")], **settings, "labels": labels}
    return chosen | ({"image": list(image.shape)} if image else {})


def training_of(config: Config, dataset: str, variant: str | None = None) -> Training:
    """Returns the training settings of a data set, or of a variant of its flows."""
    other = config.variants[variant].training if variant else None
    return config.training[other or config.datasets[dataset].training]


def training_settings(config: Config, dataset: str, variant: str | None = None) -> dict[str, Any]:
    """Returns the training settings of a data set that decide the result (not the resources)."""
    return training_of(config, dataset, variant).model_dump(exclude=set(_RESOURCES))


def budget_settings(config: Config, dataset: str, schedule: str) -> dict[str, Any]:
    """Returns what methods may spend on a data set and schedule, as far as it decides the result (not resources)."""
    budget = config.baselines.budgets[config.baselines.datasets[dataset].schedules[schedule]]
    return budget.model_dump(exclude=set(_RESOURCES))


def method_settings(config: Config, method: str) -> dict[str, Any]:
    """Returns what a method is: its kind, and the hyper-parameters that all of its candidates have."""
    return config.baselines.methods[method].model_dump(include={"kind", "settings"})


def export_schema() -> dict[str, Any]:
    """Returns the JSON schema of the configuration, for editors and for the tests.

    It is what the models accept one by one; contradictions across sections are found by
    `load_config` alone.
    """
    schema = Config.model_json_schema()
    # Kinds may be left out for data sets named like one.
    dataset = schema["$defs"]["Dataset"]
    dataset["required"] = [key for key in dataset["required"] if key != "kind"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
