"""Checks of the experiments on inference and calibration against the data sets and variants they name."""

from __future__ import annotations

from collections.abc import Mapping

from inflationary_flows.config.messages import listing
from inflationary_flows.config.models import Config, Sizes
from inflationary_flows.config.requirements import require_known, require_normalised, require_unique
from inflationary_flows.data.toys import TOYS
from inflationary_flows.errors import ConfigError


def check_inference(config: Config, dimensions: Mapping[str, int]) -> None:
    """Raises `ConfigError` for the first contradiction.

    Arguments:
        config: Configuration, well-formed section by section.
        dimensions: Number of coordinates of each data set.
    """
    experiments = config.experiments
    for name, variant in config.variants.items():
        where = f"variants.{name}"
        if variant.network is None and variant.training is None:
            raise ConfigError(where, "another network or training", "neither", "name one: a variant differs in it.")
        if variant.network is not None:
            require_known(variant.network, config.networks, f"{where}.network", "networks")
        if variant.training is not None:
            require_known(variant.training, config.training, f"{where}.training", "training settings")
    for section in ("hmc", "tarp", "shell_retention", "residuals", "thin_coordinate_study"):
        listed = getattr(experiments, section).datasets
        require_unique(listed, f"experiments.{section}.datasets", "data set")
        for index, name in enumerate(listed):
            require_known(name, config.datasets, f"experiments.{section}.datasets[{index}]", "datasets")
    for section in ("identifiability", "shell_retention"):
        require_unique(getattr(experiments, section).seeds, f"experiments.{section}.seeds", "seed")
    _check_scaling_study(config)
    _check_propagation(config)
    _check_hmc(config, dimensions)
    _check_sbc(config)
    _check_tarp(config)
    _check_members(config)
    for index, name in enumerate(experiments.shell_retention.datasets):
        if dimensions[name] not in (2, 3):
            raise ConfigError(
                f"experiments.shell_retention.datasets[{index}]",
                "a data set of 2 or 3 dimensions, where shells can be drawn",
                f"{name} with {dimensions[name]}",
                "remove it from the list.",
            )


def _check_scaling_study(config: Config) -> None:
    for index, name in enumerate(config.experiments.thin_coordinate_study.datasets):
        schedules = config.datasets[name].schedules
        if all(config.schedules[schedule].kept_dims is None for schedule in schedules):
            raise ConfigError(
                f"experiments.thin_coordinate_study.datasets[{index}]",
                "a data set with a schedule that has kept_dims",
                f"{name} under {listing(schedules)}",
                "add such a schedule to the data set, or remove it from the list.",
            )


def _check_propagation(config: Config) -> None:
    propagation = config.experiments.propagation
    require_unique(propagation.levels, "experiments.propagation.levels", "level")
    for name, examples in propagation.examples.items():
        where = f"experiments.propagation.examples.{name}"
        require_known(name, config.datasets, where, "datasets")
        if not examples.indices and examples.file is None:
            raise ConfigError(where, "indices or a file", "neither", "indices: [0] is the first row of the test split.")
        require_unique(examples.indices, f"{where}.indices", "index")
        dataset = config.datasets[name]
        # How many rows a table has is only known once it is read.
        rows = (dataset.sizes or Sizes()).test if dataset.kind in (*TOYS, "embedded") else None
        for place, index in enumerate(examples.indices):
            if rows is not None and index >= rows:
                raise ConfigError(
                    f"{where}.indices[{place}]",
                    f"an integer from 0 to {rows - 1}, a row of the test split",
                    str(index),
                    "lower it, or draw more test points.",
                )


def _check_hmc(config: Config, dimensions: Mapping[str, int]) -> None:
    hmc, where = config.experiments.hmc, "experiments.hmc"
    mixture = hmc.mixture
    components = len(mixture.weights)
    require_normalised(mixture.weights, f"{where}.mixture.weights")
    for key in ("means", "stds"):
        rows = getattr(mixture, key)
        if len(rows) != components:
            raise ConfigError(
                f"{where}.mixture.{key}", f"{components} lists, one a component", str(len(rows)), "give one a weight."
            )
        for name in hmc.datasets:
            widths = {len(row) for row in rows}
            if widths != {dimensions[name]}:
                raise ConfigError(
                    f"{where}.mixture.{key}",
                    f'{dimensions[name]} numbers a component (data set "{name}")',
                    f"{sorted(widths)}",
                    "describe the mixture in as many dimensions, or list another data set.",
                )
    for sampler in ("joint", "collapsed"):
        sampling = getattr(hmc, sampler)
        if sampling.observations > hmc.observations:
            raise ConfigError(
                f"{where}.{sampler}.observations",
                f"at most observations ({hmc.observations})",
                str(sampling.observations),
                "draw more observations, or use fewer.",
            )
        if hmc.chains * sampling.draws < hmc.gate.ess:
            raise ConfigError(
                f"{where}.{sampler}.draws",
                f"at least {-(-int(hmc.gate.ess) // hmc.chains)} draws a chain, "
                f"for an effective sample size of {hmc.gate.ess:g} from {hmc.chains} chains",
                str(sampling.draws),
                "draw more, or lower gate.ess.",
            )
    for key, solver in ((f"{where}.solver", hmc.solver), (f"{where}.joint.solver", hmc.joint.solver)):
        if solver in ("dopri5", "euler_scaled", "heun_scaled"):
            raise ConfigError(
                key, "a fixed-step solver in whitened coordinates", solver, "adams_bashforth6 is precise and cheap."
            )


def _check_sbc(config: Config) -> None:
    sbc, where = config.experiments.sbc, "experiments.sbc"
    if (sbc.ranks + 1) % sbc.bins:
        raise ConfigError(
            f"{where}.bins",
            f"a divisor of ranks + 1 ({sbc.ranks + 1}), so that all bins hold as many ranks",
            str(sbc.bins),
            "ranks: 99 and bins: 10 or 20 fit.",
        )
    if sbc.draws < sbc.ranks:
        raise ConfigError(f"{where}.draws", f"at least ranks ({sbc.ranks})", str(sbc.draws), "draw more.")
    if sbc.batches > sbc.replicates:
        raise ConfigError(
            f"{where}.batches", f"at most replicates ({sbc.replicates})", str(sbc.batches), "use fewer batches."
        )


def _check_tarp(config: Config) -> None:
    tarp, where = config.experiments.tarp, "experiments.tarp"
    require_unique(tarp.levels, f"{where}.levels", "level")
    require_unique(tarp.noise_stds, f"{where}.noise_stds", "noise level")
    for index, name in enumerate(tarp.datasets):
        if config.datasets[name].kind not in (*TOYS, "embedded"):
            raise ConfigError(
                f"{where}.datasets[{index}]",
                "a toy, of which fresh points can be drawn",
                f"{name} of kind {config.datasets[name].kind}",
                "remove it from the list.",
            )
    # The comparison with injective flows measures coverage by the same settings.
    used = tarp.datasets or config.baselines.datasets
    if used and tarp.replicates <= len(tarp.levels) + 1:
        raise ConfigError(
            f"{where}.replicates", f"more than {len(tarp.levels) + 1}", str(tarp.replicates), "1000 give a sharp test."
        )
    if tarp.miscalibrated is not None:
        require_known(tarp.miscalibrated, config.variants, f"{where}.miscalibrated", "variants")


def _check_members(config: Config) -> None:
    section, where = config.experiments.identifiability, "experiments.identifiability"
    require_unique(section.variants, f"{where}.variants", "variant")
    for index, name in enumerate(section.variants):
        require_known(name, config.variants, f"{where}.variants[{index}]", "variants")
    for name, schedules in section.flows.items():
        require_known(name, config.datasets, f"{where}.flows.{name}", "datasets")
        require_unique(schedules, f"{where}.flows.{name}", "schedule")
        for index, schedule in enumerate(schedules):
            listed = config.datasets[name].schedules
            require_known(schedule, listed, f"{where}.flows.{name}[{index}]", f"schedules of {name}")
    if section.flows and len(section.seeds) + len(section.variants) < 2:
        raise ConfigError(f"{where}.seeds", "at least two flows to compare", "one", "add a seed or a variant.")
