"""What a configuration asks for: flows, data sets of points and of images, and their dimensions."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from inflationary_flows.config.comparison_study import ComparisonStudy
from inflationary_flows.config.image_study import ImageStudy
from inflationary_flows.config.models import Config
from inflationary_flows.config.settings import dataset_settings, network_of, resolve, schedule_settings, training_of
from inflationary_flows.config.sharing import range_of
from inflationary_flows.data.oracles import find_toy
from inflationary_flows.data.pixels import ImageFormat
from inflationary_flows.data.tables import table_dimension
from inflationary_flows.networks.kernel_range import SHARED, KernelRange

# A trained flow: data set, schedule, and training seed, with the name of a variant if it is one (0, 0-early).
FlowName = tuple[str, str, str]
# Images of more coordinates are compared by features and in grey levels instead of point by point.
MOST_COORDINATES = 100


class Study:
    """The flows and data sets of a configuration, sorted, so that the order of its entries changes nothing.

    Arguments:
        config: A configuration that was checked.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.datasets = sorted(config.datasets)
        self.pairs = [
            (name, schedule) for name in self.datasets for schedule in sorted(config.datasets[name].schedules)
        ]
        self.seeds = [str(seed) for seed in sorted(config.seeds)]
        self.flows: list[FlowName] = [(*pair, seed) for pair in self.pairs for seed in self.seeds]
        self._dimensions: dict[str, int] = {}

    @cached_property
    def resolved(self) -> dict[str, Any]:
        """The configuration with every default written out, in plain types."""
        return resolve(self.config)

    @property
    def experiments(self) -> dict[str, Any]:
        """Settings of all experiments, in plain types."""
        settings: dict[str, Any] = self.resolved["experiments"]
        return settings

    def repeated(self, flows: list[FlowName]) -> list[FlowName]:
        """Flows, and those that `repeats` trains again with other seeds."""
        again, seeds = self.config.repeats.flows, sorted(self.config.repeats.seeds)
        listed = [flow for flow in self.first_seed(flows) if flow[1] in again.get(flow[0], ())]
        return sorted({*flows, *((d, s, str(seed)) for d, s, _ in listed for seed in seeds)})

    def first_seed(self, flows: list[FlowName]) -> list[FlowName]:
        """Of flows those of the first training seed, which figures show."""
        return [flow for flow in flows if flow[2] == self.seeds[0]]

    def kind_of(self, dataset: str) -> str:
        """Kind of a data set."""
        return self.config.datasets[dataset].kind

    def is_reducing(self, schedule: str) -> bool:
        """Whether a schedule reduces the participation ratio (PRR) instead of preserving it (PRP)."""
        return self.config.schedules[schedule].kept_dims is not None

    def settings_of(self, dataset: str) -> dict[str, Any]:
        """What the points of a data set depend on; files that they are read from are inputs instead."""
        chosen = dataset_settings(self.config, dataset)
        return {key: value for key, value in chosen.items() if key not in ("path", "checksum", "download")}

    def image_of(self, dataset: str) -> ImageFormat | None:
        """Format of a data set's images, from its settings alone; None for toys and tables."""
        return self.config.datasets[dataset].image

    def dimension_of(self, dataset: str) -> int:
        """Number of coordinates D of a data set, from names and headers alone."""
        if dataset not in self._dimensions:
            chosen = dataset_settings(self.config, dataset)
            toy, image = find_toy(chosen), self.image_of(dataset)
            known = toy or image
            self._dimensions[dataset] = known.dimension if known is not None else table_dimension(chosen)
        return self._dimensions[dataset]

    def steps_of(self, dataset: str, member: str) -> int:
        """Optimiser steps of a training, by seed and variant: 0, 0-early."""
        return training_of(self.config, dataset, member.partition("-")[2] or None).steps

    def trained_as(self, flow: FlowName) -> FlowName:
        """Whose network a flow has: its own, or the one that the schedules of its data set share."""
        dataset, _, member = flow
        shares = network_of(self.config, dataset, member.partition("-")[2] or None).schedules != "own"
        return (dataset, SHARED, member) if shares else flow

    def networks(self, flows: Iterable[FlowName]) -> list[FlowName]:
        """The networks of flows, each once."""
        return sorted({self.trained_as(flow) for flow in flows})

    def kernels_of(self, dataset: str, schedule: str, variant: str | None = None) -> dict[str, Any]:
        """What a network is trained on: arguments of `make_schedule` of its schedules, or a range of them."""
        known = self.range_of(dataset, variant) if schedule == SHARED else None
        if known is None:
            names = sorted(self.config.datasets[dataset].schedules) if schedule == SHARED else [schedule]
            return {"schedules": [schedule_settings(self.config, name, dataset) for name in names]}
        # What is known of images, whatever the schedule.
        example = schedule_settings(self.config, self.config.datasets[dataset].schedules[0], dataset)
        return {"range": known.as_dict()} | {key: example[key] for key in ("least_variance",) if key in example}

    def range_of(self, dataset: str, variant: str | None = None) -> KernelRange | None:
        """The range of schedules that a network learns; None if it learns some that the configuration names."""
        given = network_of(self.config, dataset, variant).schedules
        return range_of(given, self.dimension_of(dataset), "schedules")

    @cached_property
    def image_sets(self) -> list[str]:
        """Data sets of images."""
        return [name for name in self.datasets if self.image_of(name) is not None]

    @cached_property
    def point_sets(self) -> list[str]:
        """Data sets that are measured point by point."""
        asked = self.config.experiments.images
        return [name for name in self.datasets if name not in asked or self.dimension_of(name) <= MOST_COORDINATES]

    @cached_property
    def point_flows(self) -> list[FlowName]:
        """Their flows."""
        return [flow for flow in self.flows if flow[0] in self.point_sets]

    @cached_property
    def images(self) -> ImageStudy:
        """Its experiments on images."""
        return ImageStudy(self)

    @cached_property
    def comparison(self) -> ComparisonStudy:
        """Its comparison of methods."""
        return ComparisonStudy(self)

    def schedule(self, name: str, dataset: str | None = None) -> dict[str, Any]:
        """Arguments of `make_schedule` for a schedule, of a data set or whatever it is."""
        return schedule_settings(self.config, name, dataset)
