"""What is measured and shown of latents under different networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from inflationary_flows.errors import ConfigError
from inflationary_flows.experiments.registry import Experiment, Figure, Measurement, Table, settings_of
from inflationary_flows.fields import Count, DatasetName, Section, Seed, Seeds, Unique, VariantName, Whole
from inflationary_flows.requirements import require_known

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study


class Identifiability(Section):
    """Whether networks of other seeds and architectures send points to the same latents."""

    flows: dict[DatasetName, Annotated[list[str], Field(min_length=1), Unique("schedule")]] = Field(
        default_factory=dict, description="Schedules to do it with, by data set."
    )
    seeds: Seeds = Field(default_factory=lambda: [0, 1, 2], description="Training seeds compared.")
    variants: Annotated[list[VariantName], Unique("variant")] = Field(
        default_factory=list, description="Variants compared with them, of the first seed."
    )
    samples: Annotated[Count, Field(ge=10)] = Field(2_000, description="Held-out points.")
    data_samples: Whole = Field(
        3, description="Other samples of the data, whose eigenbases exact flows are compared in where they are known."
    )
    seed: Seed = Field(0, description="Seed of the first kernel's noise, and of these samples.")

    def check(self, where: str, study: Study) -> None:
        """Schedules are those of their data sets, and there are flows to compare."""
        for name, schedules in self.flows.items():
            for index, schedule in enumerate(schedules):
                known = study.config.datasets[name].schedules
                require_known(schedule, known, f"{where}.flows.{name}[{index}]", f"schedules of {name}", "schedules")
        if self.flows and len(self.seeds) + len(self.variants) < 2:
            raise ConfigError(f"{where}.seeds", "at least two flows to compare", "one", "add a seed or a variant.")


def members(study: Study) -> list[FlowName]:
    """The flows that are compared: all seeds, then the variants of the first."""
    settings = study.experiments["identifiability"]
    names = [str(seed) for seed in sorted(settings["seeds"])]
    names += [f"{names[0]}-{variant}" for variant in settings["variants"]]
    return [
        (dataset, schedule, name)
        for dataset, schedules in sorted(settings["flows"].items())
        for schedule in sorted(schedules)
        for name in names
    ]


EXPERIMENT = Experiment(
    settings=Identifiability,
    measurement=Measurement(
        minutes=0.1,
        environment="inference",
        flows=members,
        each_flow=False,
        needs=("splits", "mixture"),
        params=settings_of("identifiability", "samples", "data_samples", "seed"),
    ),
    stage="calibration",
    shown=(
        Figure(
            "identifiability",
            "B8",
            "Latents of the same points under different networks",
            "Calibration",
            """
            Differences between latents of the same points under networks of other seeds, under other architectures, and
            under the exact score where the density is known, in units of the latents' standard deviation. Given
            schedule and score the map is unique, so small differences mean that the score has been learned. The dotted
            line is a twentieth of a standard deviation. Diamonds compare exact flows whose schedules are given in the
            eigenbases of two samples of the data: the map is unique given this basis. Where two variances are nearly
            equal, as of circles, the directions are those of the sample, and so is what a reducing flow keeps.
            """,
        ),
        Table(
            "identifiability",
            "B10",
            "Differences between latents of the same points",
            "Calibration",
            """
            Differences between latents of the same held-out points under two flows, in units of the latents' standard
            deviation: networks of two seeds, of two architectures, or a network and the exact score. Given schedule and
            score the map is unique, so small differences mean that the score has been learned. Rows of kind ``sample``
            compare exact flows in the eigenbases of two samples of the data: what they differ by depends on the sample.
            """,
            columns={
                "dataset": "data set",
                "schedule": "schedule",
                "member_a": "one flow: seed and architecture, or `exact`",
                "member_b": "the other flow",
                "kind": "what differs: `seed`, `architecture`, `exact` for a network against the exact score, or `sample` for exact flows in the eigenbases of two samples",
                "rms_latent_difference": "root mean square over points and coordinates, latent standard deviations",
                "rms_after_rotation": "the same after the rotation of one flow's whitened latents that makes it least",
                "median_difference": "median distance of a point's two latents",
                "q99_difference": "99 % quantile of this distance",
                "kept_angle": "largest angle between the kept directions of both, degrees; 0 where all are kept",
                "n": "held-out points",
            },
        ),
    ),
)
