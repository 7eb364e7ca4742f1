"""What is measured and shown of the coverage of posteriors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from inflationary_flows.data.oracles import find_toy
from inflationary_flows.errors import ConfigError
from inflationary_flows.experiments.registry import Experiment, Figure, Measurement, Table
from inflationary_flows.fields import Count, DatasetNames, Levels, PositiveNumber, Section, Seed, Unique, VariantName

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study


class Tarp(Section):
    """Coverage of the posterior of a clean point given a noisy one, the flow being the prior."""

    datasets: DatasetNames = Field(default_factory=list, description="Toys to do it with.")
    miscalibrated: VariantName | None = Field(
        None, description="Variant whose flows the test has to reject; none if left out."
    )
    noise_stds: Annotated[list[PositiveNumber], Field(min_length=1), Unique("noise level")] = Field(
        default_factory=lambda: [0.3, 1.0, 2.0], description="Noise levels, in standard deviations of the data."
    )
    levels: Levels = Field(
        default_factory=lambda: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], description="Nominal coverages."
    )
    replicates: Annotated[Count, Field(ge=20)] = Field(1_000, description="Observed points.")
    references: Count = Field(20, description="Random reference points of an observation.")
    pool: Annotated[Count, Field(ge=100)] = Field(20_000, description="Samples of the prior.")
    pool_steps: Count = Field(40, description="Solver steps that make them.")
    compressed_prior: Literal["gaussian", "empirical", "zero"] = Field(
        "empirical", description="PRR: how their compressed latents are drawn."
    )
    minimum_ess: PositiveNumber = Field(
        20.0, description="Smallest effective number of pool samples of 99 % of the posteriors; fewer stop the job."
    )
    bins: Annotated[Count, Field(ge=2)] = Field(10, description="Bins of the rank histograms.")
    seed: Seed = Field(0, description="Seed of points, noise, references and pool.")

    def check(self, where: str, study: Study) -> None:
        """Fresh points can be drawn of the data sets, and enough of them for a test."""
        for index, name in enumerate(self.datasets):
            if find_toy(study.settings_of(name)) is None:
                raise ConfigError(
                    f"{where}.datasets[{index}]",
                    "a toy, of which fresh points can be drawn",
                    f"{name} of kind {study.kind_of(name)}",
                    "remove it from the list.",
                )
        # The comparison with injective flows measures coverage by the same settings.
        used = self.datasets or study.config.baselines.datasets
        least = len(self.levels) + 1
        if used and self.replicates <= least:
            got = str(self.replicates)
            raise ConfigError(f"{where}.replicates", f"more than {least}", got, "1000 give a sharp test.")


def judged(study: Study) -> list[FlowName]:
    """Flows whose posteriors are judged, and flows of a variant that the test has to reject."""
    tarp = study.experiments["tarp"]
    flows = [flow for flow in study.flows if flow[0] in tarp["datasets"]]
    variant = tarp.get("miscalibrated")
    return flows + ([(d, s, f"{seed}-{variant}") for d, s, seed in flows] if variant else [])


EXPERIMENT = Experiment(
    settings=Tarp,
    measurement=Measurement(
        minutes=0.8,
        environment="inference",
        flows=judged,
        each_flow=False,
        needs=("dataset", "log"),
        params=lambda study, dataset: {
            name: value
            for name, value in study.experiments["tarp"].items()
            if name not in ("datasets", "miscalibrated")
        },
        tables=("tarp", "posterior_ranks"),
        samples=True,
    ),
    stage="calibration",
    shown=(
        Figure(
            "tarp",
            "B6",
            "Coverage of posteriors of clean points",
            "Calibration",
            """
            Coverage minus nominal level of posteriors of clean points given noisy ones, under the learned prior and the
            exact density. If one is configured, a network that was stopped early is shown too, which the test must
            reject. Calibrated posteriors stay near zero, within the shaded two standard errors. Numbers in the panels
            are p-values of the test that all levels are nominal, with random references and with the centre of the data
            as reference. The more noise, the more a posterior depends on its prior.
            """,
        ),
        Table(
            "tarp",
            "B9",
            "Coverage of posteriors of clean points",
            "Calibration",
            """
            Expected coverage of posteriors of clean points against the nominal level, with its standard error, for each
            noise and prior: learned, exact, and of a network that was stopped early. ``p_value`` tests all levels at
            once.
            """,
            columns={
                "dataset": "data set",
                "schedule": "schedule",
                "flow": "the prior: `learned`, `exact` or `miscalibrated`",
                "noise_std": "standard deviation of the noise, in those of the data",
                "level": "nominal level",
                "coverage": "expected coverage around random reference points",
                "se": "its standard error",
                "p_value": "tests all levels at once, around random points and around the centre of the data",
                "replicates": "true points",
            },
            notes="""
            True points of the data are observed with noise. Importance sampling gives the posterior of the clean point
            under a prior. `exact` is a prior of fresh points of the known density. `miscalibrated` is a network that
            was stopped early, which the test must reject.
            """,
        ),
    ),
)
