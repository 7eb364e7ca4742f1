"""What is measured and shown of trainings of several lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from inflationary_flows.data.oracles import find_toy
from inflationary_flows.errors import ConfigError
from inflationary_flows.experiments.registry import Experiment, Figure, Measurement, Table, settings_of
from inflationary_flows.fields import Count, DatasetName, PositiveNumber, Section, Seed, Unique, VariantName
from inflationary_flows.requirements import require_known

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study


class TrainingLength(Section):
    """Calibration and errors of flows of toys against the length of their training."""

    flows: dict[DatasetName, Annotated[list[str], Field(min_length=1), Unique("schedule")]] = Field(
        default_factory=dict, description="Schedules to do it with, by data set: toys."
    )
    variants: Annotated[list[VariantName], Unique("variant")] = Field(
        default_factory=list, description="Variants of other lengths, compared with the flows of the first seed."
    )
    noise_std: PositiveNumber = Field(
        1.0, description="Noise that posteriors are judged under, in standard deviations of the data."
    )
    samples: Annotated[Count, Field(ge=2)] = Field(2_000, description="Points of the divergence.")
    seed: Seed = Field(0, description="Seed of points, noise, references and pool.")

    def check(self, where: str, study: Study) -> None:
        """Schedules are those of their data sets, whose density is known."""
        for name, schedules in self.flows.items():
            if find_toy(study.settings_of(name)) is None:
                got = f"{name} of kind {study.kind_of(name)}"
                raise ConfigError(f"{where}.flows", "toys, whose density is known", got, "remove it.")
            for index, schedule in enumerate(schedules):
                known = study.config.datasets[name].schedules
                require_known(schedule, known, f"{where}.flows.{name}[{index}]", f"schedules of {name}", "schedules")


def members(study: Study) -> list[FlowName]:
    """Flows of the first seed, and of all lengths."""
    settings = study.experiments["training_length"]
    names = [study.seeds[0], *(f"{study.seeds[0]}-{variant}" for variant in settings["variants"])]
    return [
        (dataset, schedule, name)
        for dataset, schedules in sorted(settings["flows"].items())
        for schedule in sorted(schedules)
        for name in names
    ]


def params(study: Study, dataset: str) -> dict[str, Any]:
    """Own settings, those of the test of coverage, and the length of each training."""
    own = settings_of("training_length", "noise_std", "samples", "seed")(study, dataset)
    test = settings_of("tarp", "levels", "replicates", "references", "pool", "pool_steps")(study, dataset)
    trained = dict.fromkeys(member for name, _, member in members(study) if name == dataset)
    return own | test | {"steps": {member: study.steps_of(dataset, member) for member in trained}}


EXPERIMENT = Experiment(
    settings=TrainingLength,
    measurement=Measurement(
        minutes=0.2,
        environment="inference",
        flows=members,
        each_flow=False,
        needs=("dataset",),
        params=params,
        samples=True,
    ),
    stage="calibration",
    shown=(
        Figure(
            "training_length",
            "B24",
            "Where calibration begins",
            "Calibration",
            """
            Errors of flows against the number of optimiser steps, each number a training of its own: excess denoising
            error, Kullback-Leibler divergence of the exact density to the flow's (bars: two standard errors), largest
            difference of coverage and nominal level of posteriors around any reference, and the p-value that all
            coverages are nominal, cut off where it is tiny. At the left stands the Gaussian of the data, with which
            training begins. Dotted lines are what is asked of a calibrated flow. Dashed lines are the exact density:
            what chance makes of a test that has nothing to find.
            """,
        ),
        Table(
            "training_length",
            "B23",
            "Where calibration begins",
            "Calibration",
            """
            Errors of flows after trainings of several lengths, and coverage of posteriors under them at one strength of
            noise. The exact density and the Gaussian of the data stand beside them.
            """,
            columns={
                "dataset": "data set",
                "schedule": "schedule",
                "prior": "`learned`, `gaussian` (of the data, where training begins) or `exact`",
                "steps": "optimiser steps of the training; 0 for the Gaussian, empty for the exact density",
                "excess_denoising_error": "as in `flow_quality.csv`",
                "kl_to_flow": "divergence of the exact density to the flow's, nats, as in `flow_quality.csv`",
                "kl_to_flow_error": "its standard error",
                "worst": "largest difference of coverage and level around any reference, as in `tarp.csv`",
                "p_value": "that all coverages are nominal, likewise",
                "looks": "references, by whose number it is corrected",
                "replicates": "true points",
            },
            notes="""
            Each length is a training of its own, with its own warm-up and decay of the learning rate, of one seed.
            """,
        ),
    ),
)
