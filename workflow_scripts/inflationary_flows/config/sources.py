"""What all data sets of a configuration have: schedules, network, training, and the checks of these."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from inflationary_flows.config.sharing import range_of
from inflationary_flows.data.pixels import ImageFormat, find_image_format
from inflationary_flows.errors import ConfigError
from inflationary_flows.fields import Fraction, NetworkName, ScheduleName, Section, Seed, Text, TrainingName, Unique
from inflationary_flows.networks.costs import network_cost
from inflationary_flows.networks.kernel_range import KernelRange
from inflationary_flows.requirements import key_of, require_fit

if TYPE_CHECKING:
    from inflationary_flows.config.study import Study

# What points do not depend on.
USES = {"schedules", "network", "training", "label"}
# Numbers of a data set that is drawn: 8 GB.
MOST_NUMBERS = 10**9


class Fractions(Section):
    """Shares of a finite data set's rows; they add up to 1."""

    train: Fraction = Field(0.7, description="Share of rows to train on.")
    validation: Fraction = Field(0.15, description="Share of rows for the validation loss.")
    test: Fraction = Field(0.15, description="Share of rows for the experiments.")

    def check(self, where: str, study: Study) -> None:
        """They add up to 1."""
        total = self.train + self.validation + self.test
        if not math.isclose(total, 1.0, abs_tol=1e-9):
            hint = "give all three: the defaults are .7, .15, .15."
            raise ConfigError(where, "shares that add up to 1", f"{total:.6g}", hint)


class Source(Section):
    """What all data sets have: points from somewhere, and flows that are fitted to them."""

    kind: str
    schedules: Annotated[list[ScheduleName], Unique("schedule")] = Field(
        ..., min_length=1, description="Names of the schedules to fit a flow for."
    )
    network: NetworkName = Field("toy", description="Name of the network.")
    training: TrainingName = Field("toy", description="Name of the training settings.")
    label: Text | None = Field(None, description="How figures call the data set; changes nothing else.")
    seed: Seed = Field(0, description="Seed of the data: sampling, embedding and splitting.")

    def settings(self) -> dict[str, Any]:
        """What the points depend on: kind, seed, source and split, with every default written out."""
        return self.model_dump(exclude_none=True, exclude=USES)

    @property
    def image(self) -> ImageFormat | None:
        """Format of the images; None for toys and tables."""
        return find_image_format(self.model_dump())

    @property
    def transforming(self) -> str | None:
        """The key by which columns are positive, bounded or whole; None if all are real."""
        return None

    def check(self, where: str, study: Study) -> None:
        """Schedules, network and training settings fit the points."""
        name, config = key_of(where), study.config
        network, training = config.networks[self.network], config.training[self.training]
        self.require_network(self.network, study.dimension_of(name), where, study)
        for schedule in self.schedules:
            require_fit(config.schedules[schedule].kept_dims, schedule, name, study.dimension_of(name))
        for key in ("flip", "augment"):
            if getattr(training, key) and self.image is None:
                raise ConfigError(
                    f"training.{self.training}.{key}",
                    "training settings of images",
                    f"those of the data set {name}, which has points",
                    f"remove {key}, or give {name} training settings of its own.",
                )
        if training.augment and network.kind != "unet":
            raise ConfigError(
                f"training.{self.training}.augment",
                "a unet, which can be told of augmentations",
                f'"{self.network}" of kind {network.kind}',
                "use a network of kind unet, or flip alone.",
            )

    def require_network(
        self, name: str | None, dimension: int, where: str, study: Study, schedules: Sequence[str] | None = None
    ) -> None:
        """Raises `ConfigError` if a network does not fit the points, or does not know schedules, by default all."""
        network = study.config.networks[name or self.network]
        if network.kind == "unet" and self.image is None:
            raise ConfigError(
                f"{where}.network",
                f"a network for points without an image grid (kind {self.kind})",
                f'"{name or self.network}", which is a unet',
                "use a network of kind mlp.",
            )
        place = f"networks.{name or self.network}"
        if network.kind == "unet" and self.image is not None:
            network.require_fit(self.image, place)
        known = range_of(network.schedules, dimension, f"{place}.schedules")
        if known is not None:
            asked = self.schedules if schedules is None else schedules
            self._require_known(known, asked, dimension, f"{place}.schedules", study)
        shape = None if self.image is None else self.image.shape
        weights = network_cost(network.model_dump(), dimension, shape).parameters
        if weights > MOST_NUMBERS:
            expected = f"a network of at most {MOST_NUMBERS} weights (D = {dimension})"
            raise ConfigError(place, expected, str(weights), "make it smaller: training keeps five copies in memory.")

    def _require_known(
        self, known: KernelRange, schedules: Sequence[str], dimension: int, where: str, study: Study
    ) -> None:
        """Raises `ConfigError` if a network that is trained on a range of schedules cannot be, or does not see some."""
        for name in schedules:
            problem = known.problem(study.config.schedules[name].model_dump(exclude_none=True))
            if problem is not None:
                key, expected, got = problem
                raise ConfigError(f"schedules.{name}.{key}", expected, got, f"widen {where}, or change the schedule.")
        noiseless = "proportional" in known.kernels and 2 * known.kept_dims[1] >= dimension
        if noiseless and study.config.training[self.training].targets == "posterior_mean":
            expected = "sample: proportional kernels that keep half of the dimensions leave others without noise"
            raise ConfigError(f"training.{self.training}.targets", expected, "posterior_mean", "or keep fewer.")
