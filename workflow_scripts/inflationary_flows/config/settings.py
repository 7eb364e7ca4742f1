"""A configuration with its defaults filled in, and the part of it that a job depends on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inflationary_flows.config.models import Config, Network, Training
from inflationary_flows.data.pixels import EIGHT_BITS
from inflationary_flows.networks.presets import AUGMENTATION_LABELS, PRESETS

# What a job costs, not what it makes.
_RESOURCES = ("checkpoint_seconds", "threads", "runtime", "mem", "gpu")


def resolve(config: Config) -> dict[str, Any]:
    """Returns a configuration with every default written out, in plain types; it can be loaded."""
    resolved = config.model_dump(mode="json", exclude_none=True)
    for name, dataset in config.datasets.items():
        uses = dataset.model_dump(include={"schedules", "network", "training"})
        resolved["datasets"][name] = uses | {"label": dataset.label or name} | dataset.settings()
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


def dataset_settings(config: Config, dataset: str) -> dict[str, Any]:
    """Returns what the points of a data set depend on: its kind, seed, source and split."""
    return config.datasets[dataset].settings()


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
    image = config.datasets[dataset].image if dataset else None
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


def member_settings(config: Config, schedules: Sequence[str], dataset: str) -> dict[str, Any]:
    """Returns what makes flows of networks that are there for comparison alone: items of params, each by schedule."""
    return {
        "member_schedule": {name: schedule_settings(config, name, dataset) for name in schedules},
        "member_solver": {name: solver_settings(config, name) for name in schedules},
        "member_prior": {name: config.schedules[name].compressed_prior for name in schedules},
    }


def network_of(config: Config, dataset: str, variant: str | None = None) -> Network:
    """Returns the network of a data set, or of a variant of its flows."""
    other = config.variants[variant].network if variant else None
    return config.networks[other or config.datasets[dataset].network]


def network_settings(config: Config, dataset: str, variant: str | None = None) -> dict[str, Any]:
    """Returns the network of a data set, or of a variant of its flows, as `build_network` takes it."""
    network = network_of(config, dataset, variant)
    settings = network.model_dump(exclude_none=True, exclude={"schedules"})
    if network.schedules != "own":
        settings["told"] = "levels" if network.kind == "unet" else "angles"
    if network.kind != "unet":
        return settings
    image = config.datasets[dataset].image
    labels = AUGMENTATION_LABELS if training_of(config, dataset, variant).augment > 0 else 0
    chosen = {**PRESETS[settings.pop("preset")], **settings, "labels": labels}
    return chosen | ({"image": list(image.shape)} if image else {})


def training_of(config: Config, dataset: str, variant: str | None = None) -> Training:
    """Returns the training settings of a data set, or of a variant of its flows."""
    other = config.variants[variant] if variant else None
    training = config.training[(other and other.training) or config.datasets[dataset].training]
    if other is None or other.steps is None:
        return training
    warmup = training.warmup_steps * other.steps // training.steps
    return training.model_copy(update={"steps": other.steps, "warmup_steps": warmup})


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
